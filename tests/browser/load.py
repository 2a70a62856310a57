"""Publishers that do not rest, and what must hold of what a subscriber was told."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Sequence
from typing import Any, Final

from support.http import Http
from support.timing import UNIT

__all__ = ["Load", "faults"]

BATCH: Final = 3
"""Publications of one request."""
PAUSE: Final = 0.002
"""Seconds between two requests: they shall keep the server busy, not fill its histories while a client is away."""


class Load:
    """Publishes 1, 2, 3, ... in some channels, in batches and without a rest, whether the server is there or not.

    Works as a context manager.

    Attributes:
        accepted: By channel, the numbers that the server has said yes to. Others may have been published, too: nobody
            knows of those whose answer was lost.
    """

    def __init__(self, port: int, channels: Sequence[str]) -> None:
        """Makes one.

        Args:
            port: The server's.
            channels: Each has a publisher of its own.
        """
        self.accepted: dict[str, list[int]] = {channel: [] for channel in channels}
        self._port = port
        self._stopping = threading.Event()
        self._last = dict.fromkeys(channels, 0)
        self._threads = [
            threading.Thread(target=self._publish, args=[channel], name=f"publisher of {channel}", daemon=True)
            for channel in channels
        ]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join(2 * UNIT)
            assert not thread.is_alive(), f"{thread.name} does not end"

    def finish(self) -> dict[str, int]:
        """Ends the publishers, and publishes one last number in each channel; gives those."""
        self.__exit__()
        for channel in self.accepted:
            self._last[channel] += 1
            assert Http(self._port).post(f"/api/channels/{channel}/", self._last[channel]).status == 200
            self.accepted[channel].append(self._last[channel])
        return dict(self._last)

    def _publish(self, channel: str) -> None:
        while not self._stopping.wait(PAUSE):
            line = Http(self._port, keep=True)
            try:
                while not self._stopping.wait(PAUSE):
                    self._publish_once(line, channel)
            except (OSError, http.client.HTTPException):
                pass  # the server is away
            finally:
                line.close()

    def _publish_once(self, line: Http, channel: str) -> None:
        first = self._last[channel] + 1
        numbers = range(first, first + BATCH)
        self._last[channel] = numbers[-1]
        publications = [{"channel": channel, "message": number} for number in numbers]
        answer = line.post("/api/batch/", {"publications": publications})
        if answer.status == 200:
            results = answer.json["results"]
            self.accepted[channel] += [n for n, result in zip(numbers, results, strict=True) if result["status"] == 200]


def faults(log: Sequence[Sequence[Any]], channel: str, accepted: Sequence[int]) -> list[str]:
    """What is wrong with what a subscriber was told of a channel, from the first publication on.

    Nothing may come twice or out of order, and whatever the server accepted and did not deliver must be told as a gap,
    in its place.
    """
    found: list[str] = []
    required = iter(accepted)
    due = next(required, None)
    last = 0
    position: tuple[str, int] | None = None
    told = False
    for event, *rest in log:
        if event not in ("gap", "message") or rest[0] != channel:
            continue
        if event == "gap":
            told = True
            continue
        _, number, epoch, offset = rest
        missing = []
        while due is not None and due < number:
            missing.append(due)
            due = next(required, None)
        if due == number:
            due = next(required, None)
        if number <= last:
            found.append(f"{number} came after {last}")
        elif missing and not told:
            found.append(f"{missing} did not come before {number}, and nothing was said")
        if position is not None and not told and position != (epoch, offset - 1):
            found.append(f"{epoch} {offset} came after {position}, and nothing was said")
        last, position, told = number, (epoch, offset), False
    if due is not None:
        found.append(f"{due} did not come at the end")
    return found
