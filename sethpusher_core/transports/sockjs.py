"""The public names of sockjs-tornado that the transports build on, imported in one place.

sockjs-tornado 1.0.7 warns of its own use of a decorator that it carries itself; that is not our users' business.
"""

from __future__ import annotations

import warnings

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    warnings.simplefilter("ignore", SyntaxWarning)  # an unescaped backslash in its htmlfile transport, on 3.12+
    from sockjs.tornado import SockJSConnection, SockJSRouter
    from sockjs.tornado.session import ConnectionInfo

__all__ = ["ConnectionInfo", "SockJSConnection", "SockJSRouter"]
