"""How the command writes its logs: the application's to standard error, the access log to standard output.

An embedding program keeps its own logging. Only what Tornado itself writes is made discreet wherever a server runs, by
:func:`hush_tornado`: callers put keys into queries and headers, and Tornado's lines repeat both.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import time
from typing import Final

from .accesslog import masked

__all__ = ["hush_tornado", "set_up"]

_TEXT: Final = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"

_TORNADOS: Final = ("tornado.access", "tornado.application", "tornado.general")
_QUERY: Final = re.compile(r"[?#][^\s'\"]*")
_MALFORMED: Final = re.compile(r"(Malformed HTTP message from [^'\"]*)['\"].*", re.DOTALL)
"""What follows the quotation mark is a header, or its value, as it came."""


class _TextFormatter(logging.Formatter):
    """One line per record, whatever channels, ids and paths it names: no client can forge another one."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the library's name
        if not record.message.isprintable():
            letters = (letter if letter.isprintable() else ascii(letter)[1:-1] for letter in record.message)
            record.message = "".join(letters)
        return super().formatMessage(record)


class _JsonFormatter(logging.Formatter):
    """One JSON object per line: time (ISO 8601, UTC), level, logger, message, and exception where there is one."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def set_up(level: str, form: str) -> None:
    """Sets up logging for the process.

    Args:
        level: ``debug``, ``info``, ``warning``, ``error`` or ``none``.
        form: ``text`` or ``json``.
    """
    root = logging.getLogger()
    access = logging.getLogger("sethpusher.access")
    if level == "none":
        logging.disable()
        return
    formatter = _JsonFormatter() if form == "json" else _TextFormatter(_TEXT)
    for logger, stream in ((root, sys.stderr), (access, sys.stdout)):
        handler = logging.StreamHandler(stream)
        handler.setFormatter(formatter)
        logger.handlers[:] = [handler]
    access.propagate = False
    root.setLevel(level.upper())
    if level == "debug":  # the loop's own debug lines tell nothing about the server
        logging.getLogger("asyncio").setLevel(logging.INFO)


def hush_tornado() -> None:
    """Takes out of Tornado's own lines what may be a key: values in queries, and headers that cannot be read."""
    for name in _TORNADOS:
        logging.getLogger(name).addFilter(_without_secrets)


def _without_secrets(record: logging.LogRecord) -> bool:
    try:
        text = record.getMessage()
    except Exception:  # noqa: BLE001 - a wrong logging call must not fail here: whoever writes the record says so
        return True
    discreet = _MALFORMED.sub(r"\1***", _QUERY.sub(lambda query: masked(query[0]), text))
    if discreet != text:
        record.msg, record.args = discreet, ()
    return True
