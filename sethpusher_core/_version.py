"""The version of sethpusher-core, and of every distribution released with it."""

__version__ = "1.0.0"
