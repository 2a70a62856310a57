"""A port that is kept while nobody listens on it, for servers that a test stops and starts again."""

from __future__ import annotations

import socket

__all__ = ["hold_port"]


def hold_port() -> socket.socket:
    """A socket on a free port that is bound and does not listen: connections are refused, and nobody else is given it.

    A server that sets SO_REUSEADDR, as all do, can listen beside it. The caller closes it.
    """
    holder = socket.socket()
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    holder.bind(("127.0.0.1", 0))
    return holder
