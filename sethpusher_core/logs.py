"""How the command writes its logs: the application's to standard error, the access log to standard output.

An embedding program keeps its own logging; nothing here runs unless :func:`set_up` is called.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from typing import Final

__all__ = ["set_up"]

_TEXT: Final = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"


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
    formatter = _JsonFormatter() if form == "json" else logging.Formatter(_TEXT)
    for logger, stream in ((root, sys.stderr), (access, sys.stdout)):
        handler = logging.StreamHandler(stream)
        handler.setFormatter(formatter)
        logger.handlers[:] = [handler]
    access.propagate = False
    root.setLevel(level.upper())
    if level == "debug":  # the loop's own debug lines tell nothing about the server
        logging.getLogger("asyncio").setLevel(logging.INFO)
