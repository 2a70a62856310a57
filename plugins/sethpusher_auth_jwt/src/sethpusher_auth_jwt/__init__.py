"""JSON Web Tokens for Seth-Pusher: who a client is, proven, and what it may do in which channels.

::

    plugin.py         the hooks: authenticate, authorize, and the watch over the file of keys
    settings.py       what the plugin can be told
    presented.py      where a caller's token stands
    keys.py           keys, each with the one algorithm that it is for; JWKS files
    tokens.py         from a token to its claims, or to the reason why not
    capabilities.py   what the claims allow
    command.py        seth-pusher token
"""

from __future__ import annotations

from .plugin import JwtAuth

__all__ = ["JwtAuth"]
