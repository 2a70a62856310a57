"""The plugin platform: loading plugins, calling their hooks, reporting on them."""
