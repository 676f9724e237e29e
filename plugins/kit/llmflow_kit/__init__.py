"""Plain code that plugins share; copied into each package when it is staged. No SDK classes."""
