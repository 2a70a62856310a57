"""Pages that need no session: the greeting, what the server offers, and the frame for transports across domains."""

from __future__ import annotations

import secrets
from hashlib import sha256
from html import escape
from time import time
from typing import Final

import msgspec
from tornado.httputil import format_timestamp

from .exchange import FOREVER, YEAR, Exchange

__all__ = ["Greeting", "IframePage", "Info"]


class Greeting(Exchange):
    """``/``: says that this is the right address."""

    def respond(self) -> None:
        """Answers."""
        self.answer(200, b"Welcome to SockJS!\n")


class Info(Exchange):
    """``/info``: what the server offers. The client also takes its round-trip time from it, and random bits."""

    def respond(self) -> None:
        """Answers."""
        info = {
            "websocket": self.router.websockets_enabled,
            "cookie_needed": self.router.cookie_needed,
            "origins": ["*:*"],  # a constant of the protocol, which no client reads
            "entropy": secrets.randbits(32),
        }
        self.answer(200, msgspec.json.encode(info), type="application/json; charset=UTF-8")


class IframePage(Exchange):
    """``/iframe*.html``: loads a client that talks to this server and, by messages, to the page that holds it."""

    def respond(self) -> None:
        """Answers, or says that nothing has changed."""
        body = _PAGE % escape(self.router.settings["sockjs_url"]).encode()
        policy = self.router.origins.frame_ancestors()
        etag = f'"{sha256(body + (policy or "").encode()).hexdigest()[:32]}"'
        extra = {"ETag": etag, "Expires": format_timestamp(time() + YEAR)}
        cache = FOREVER
        if policy is not None:
            extra = {"ETag": etag, "Content-Security-Policy": policy}
            cache = "no-cache"  # a page that was kept for a year would not know of a policy that has changed
        if etag in self.request.headers.get("If-None-Match", ""):
            self.answer(304, type=None, cache=cache, extra=extra)
        else:
            self.answer(200, body, type="text/html; charset=UTF-8", cache=cache, extra=extra)


_PAGE: Final = rb"""<!DOCTYPE html>
<html>
<head>
  <meta http-equiv="X-UA-Compatible" content="IE=edge" />
  <meta http-equiv="Content-Type" content="text/html; charset=UTF-8" />
  <script src="%b"></script>
  <script>
    document.domain = document.domain;
    SockJS.bootstrap_iframe();
  </script>
</head>
<body>
  <h2>Don't panic!</h2>
  <p>This is a SockJS hidden iframe. It's used for cross domain magic.</p>
</body>
</html>
"""
