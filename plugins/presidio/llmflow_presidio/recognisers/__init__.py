"""What is looked for, one family a module, and all of it together."""
