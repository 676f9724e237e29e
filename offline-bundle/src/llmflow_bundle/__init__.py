"""The bundle: from intent to one signed directory that a closed network can be built from."""
