"""Cases that plugins of several kinds share."""
