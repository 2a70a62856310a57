"""A backend: delivers within the process, as memory does, and writes a copy of all that it is handed to a file.

A persister sees publications; a backend sees notices and orders to other nodes, too. Each becomes a line of JSON:
``[kind of address, its name, payload]``. A payload is the core's own business, so it is copied, not understood.
"""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass

from sethpusher_core import Accepted, Outgoing, hookimpl
from sethpusher_core.backends.base import Sink
from sethpusher_core.backends.memory import MemoryBackend
from sethpusher_core.errors import BackendError, BackendUnavailable
from sethpusher_core.hookspecs import RegisterBackend
from sethpusher_core.settings import setting


@dataclass(frozen=True, slots=True)
class Settings:
    path: str = setting(required=True, help="The file; it is created, and appended to.")


class TapBackend(MemoryBackend):
    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self._path = settings.path
        self._copy: io.TextIOBase = io.StringIO()  # nothing is copied before the start

    async def start(self, sink: Sink, node_id: str) -> None:
        try:  # here, not in __init__: only start may fail, and only with a BackendError
            self._copy = open(self._path, "a", buffering=1)  # noqa: SIM115 - close() closes it
        except OSError as error:
            raise BackendError(f"tap.path: {error}") from error
        await super().start(sink, node_id)

    async def publish(self, batch: Sequence[Outgoing]) -> Sequence[Accepted | BackendError]:
        rows = [(*outgoing.address, outgoing.payload.decode(errors="surrogateescape")) for outgoing in batch]
        try:
            self._copy.writelines(f"{json.dumps(row)}\n" for row in rows)
        except (OSError, ValueError) as error:  # an answer for each, not an exception; ValueError: it is closed
            return [BackendUnavailable(f"tap.path: {error}") for _ in batch]
        return await super().publish(batch)

    async def close(self) -> None:
        await super().close()
        self._copy.close()


@hookimpl
def register_backends(register: RegisterBackend) -> None:
    register("tap", TapBackend, Settings)
