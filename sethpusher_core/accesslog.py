"""The access log: one line per HTTP request, apart from the application's log.

Logger ``sethpusher.access``: answers below 400 as INFO, below 500 as WARNING, others as ERROR. The values of query
arguments never appear: keys travel there.
"""

from __future__ import annotations

import logging
import re
from typing import Final

from tornado.web import RequestHandler

__all__ = ["log_answer", "log_request", "masked"]

log = logging.getLogger("sethpusher.access")

_MARK: Final = re.compile(r"[?#]|%3f|%23", re.IGNORECASE)
"""Where a query begins, or what was meant to be one: a fragment, or a mark that somebody has encoded."""
_ARGUMENT: Final = re.compile(r"[^&;]+")
_USER: Final = re.compile(r"//[^/@]*@")


def masked(uri: str) -> str:
    """A URI without what may be a key: values of query arguments, arguments without a name, user and password.

    Only printable ASCII is left, so no line is forged.
    """
    mark = _MARK.search(uri)
    end = len(uri) if mark is None else mark.end()
    text = _USER.sub("//***@", uri[:end]) + _ARGUMENT.sub(_named, uri[end:])
    return text if text.isascii() and text.isprintable() else ascii(text)[1:-1]


def _named(argument: re.Match[str]) -> str:
    name, equals, _ = argument[0].partition("=")
    return f"{name}=***" if equals else "***"


def log_request(handler: RequestHandler) -> None:
    """Tornado's ``log_function``."""
    request = handler.request
    log_answer(
        handler.get_status(),
        request.method or "",
        request.uri or "",
        request.remote_ip or "",
        request.request_time(),
    )


def log_answer(status: int, method: str, uri: str, remote_ip: str, seconds: float) -> None:
    """Writes the line of one request.

    Args:
        status: The answer's.
        method: The request's.
        uri: Its path and query.
        remote_ip: Who asked.
        seconds: From the request to the answer.
    """
    level = logging.INFO if status < 400 else logging.WARNING if status < 500 else logging.ERROR
    if log.isEnabledFor(level):
        log.log(level, "%d %s %s (%s) %.2fms", status, method, masked(uri), remote_ip, 1000.0 * seconds)
