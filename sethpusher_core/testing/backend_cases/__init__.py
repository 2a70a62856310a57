"""The cases for backends: one module for each part of the contract in :mod:`sethpusher_core.backends`."""
