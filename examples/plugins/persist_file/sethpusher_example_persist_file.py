"""A persister: appends every publication to a file as a line of JSON, and returns once the disk has it.

What is published meanwhile becomes the next batch, so one fsync serves many. A publication with an idempotency key may
come again, also after a restart; it is known by its id, and written once.
"""

from __future__ import annotations

import asyncio
import json
import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass

from sethpusher_core import Publication, hookimpl
from sethpusher_core.settings import setting

FIELDS = ("id", "channel", "user", "idempotency_key", "sender_id", "message")


class FilePersister:
    @dataclass(frozen=True, slots=True)
    class Settings:
        path: str = setting(required=True, help="The file; it is created, and appended to.")

    def __init__(self, settings: Settings) -> None:
        self._path, self._lock = settings.path, threading.Lock()

    @hookimpl
    def startup(self) -> None:
        self._file = open(self._path, "ab+")  # noqa: SIM115 - shutdown closes it
        self._file.seek(0)
        lines = [line for line in self._file if line.endswith(b"\n")]  # a crash may have cut the last one short
        self._end = sum(map(len, lines))
        self._known = {record["id"] for record in map(json.loads, lines) if record["idempotency_key"]}

    @hookimpl
    async def persist(self, publications: Sequence[Publication]) -> None:
        await asyncio.to_thread(self._append, publications)  # a disk may take its time; the event loop may not

    @hookimpl
    def shutdown(self) -> None:
        self._file.close()

    def _append(self, publications: Sequence[Publication]) -> None:
        with self._lock:  # the server gives up a call that takes too long, but its thread goes on
            new = {one.id: one for one in publications if one.id not in self._known}
            text = "".join(json.dumps({name: getattr(one, name) for name in FIELDS}) + "\n" for one in new.values())
            self._file.truncate(self._end)  # what a call that failed has left behind
            self._file.write(text.encode())
            self._file.flush()
            os.fsync(self._file.fileno())
            self._end += len(text)  # json.dumps writes ASCII
            self._known |= {one.id for one in new.values() if one.idempotency_key}
