"""The HTTP side: publishing and the debug pages, in handlers that applications may derive from."""
