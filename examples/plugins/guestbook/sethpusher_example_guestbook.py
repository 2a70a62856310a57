"""A guestbook: a line in the log when somebody comes or goes, joins a channel or leaves it.

Observers are told after the fact and change nothing. They run for each connection and each subscription, so what they
do should be quick; nobody is told of messages, and nothing is called per recipient.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Literal

from sethpusher_core import Connection, hookimpl
from sethpusher_core.settings import setting

log = logging.getLogger("sethpusher.guestbook")


class Guestbook:
    @dataclass(frozen=True, slots=True)
    class Settings:
        level: Literal["debug", "info", "warning"] = setting("info", help="The level of its lines in the log.")

    def __init__(self, settings: Settings) -> None:
        self._level = logging.getLevelNamesMapping()[settings.level.upper()]

    @hookimpl
    def connected(self, connection: Connection) -> None:
        self._write("%r came over %s", connection.subscriber_id, connection.transport)

    @hookimpl
    def disconnected(self, connection: Connection, code: int) -> None:
        self._write("%r went with code %d", connection.subscriber_id, code)

    @hookimpl
    def subscribed(self, connection: Connection, channel: str) -> None:
        self._write("%r joined %r", connection.subscriber_id, channel)

    @hookimpl
    def unsubscribed(self, connection: Connection, channel: str) -> None:
        self._write("%r left %r", connection.subscriber_id, channel)

    def _write(self, text: str, *values: object) -> None:
        log.log(self._level, text, *values)
