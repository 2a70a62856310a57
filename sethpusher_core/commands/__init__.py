"""The sub-commands that the core brings itself."""
