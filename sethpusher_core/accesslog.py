"""The access log: one line per HTTP request, apart from the application's log.

Logger ``sethpusher.access``: answers below 400 as INFO, below 500 as WARNING, others as ERROR. The values of query
arguments never appear: keys travel there.
"""

from __future__ import annotations

import logging
import re
from typing import Final

from tornado.web import RequestHandler

__all__ = ["log_request", "masked"]

log = logging.getLogger("sethpusher.access")

_VALUE: Final = re.compile(r"=[^&;]*")


def masked(uri: str) -> str:
    """A URI with the values of its query arguments replaced; only printable ASCII is left, so no line is forged."""
    path, mark, query = uri.partition("?")
    text = path + mark + _VALUE.sub("=***", query)
    return text if text.isascii() and text.isprintable() else ascii(text)[1:-1]


def log_request(handler: RequestHandler) -> None:
    """Tornado's ``log_function``."""
    status = handler.get_status()
    level = logging.INFO if status < 400 else logging.WARNING if status < 500 else logging.ERROR
    if log.isEnabledFor(level):
        request = handler.request
        milliseconds = 1000.0 * request.request_time()
        log.log(
            level,
            "%d %s %s (%s) %.2fms",
            status,
            request.method,
            masked(request.uri or ""),
            request.remote_ip,
            milliseconds,
        )
