"""The servers that are measured side by side, one module each."""
