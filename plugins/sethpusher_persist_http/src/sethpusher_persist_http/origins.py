"""Origins (scheme, host, port), each with its circuit, and the lanes that wait for one to close."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable

from .lanes import Lane
from .retrying import Circuit
from .urls import origin_of

__all__ = ["Origins"]


class _Origin:
    __slots__ = ("circuit", "parked", "timer")

    def __init__(self, circuit: Circuit) -> None:
        self.circuit = circuit
        self.parked: deque[Lane] = deque()
        self.timer: asyncio.TimerHandle | None = None


class Origins:
    """The origins that are posted to and have trouble, or are being asked."""

    def __init__(
        self, threshold: int, first: float, longest: float, give_turns: Callable[[Iterable[Lane]], None]
    ) -> None:
        """Makes them.

        Args:
            threshold: See :class:`Circuit`.
            first: See there.
            longest: See there.
            give_turns: Called with lanes that may try (again).
        """
        self._threshold = threshold
        self._first = first
        self._longest = longest
        self._give_turns = give_turns
        self._origins: dict[str, _Origin] = {}
        self._stopped = True

    def start(self) -> None:
        """Begins, on the running loop."""
        self._loop = asyncio.get_running_loop()
        self._stopped = False

    def stop(self) -> None:
        """Gives no more turns."""
        self._stopped = True
        for origin in self._origins.values():
            if origin.timer is not None:
                origin.timer.cancel()

    def lets_through(self, url: str, lane: Lane) -> bool:
        """Whether a lane may post now. If not it is kept, and gets another turn."""
        origin = self._of(url)
        if origin.circuit.lets_through(lane, self._loop.time()):
            return True
        self._park(origin, lane)
        return False

    def failed(self, url: str, lane: Lane, pause: float | None) -> bool:
        """A post has failed; whether the circuit is open now: then the lane is kept, and gets another turn.

        Args:
            url: Where to.
            lane: Whose post.
            pause: For how many seconds the origin wants to be left alone; None when it says nothing.
        """
        origin = self._of(url)
        origin.circuit.failed(lane, self._loop.time(), pause)
        if not origin.circuit.is_open:
            return False
        self._park(origin, lane)
        return True

    def answered(self, url: str, lane: Lane) -> None:
        """A post has been answered; where that closes the circuit, all lanes that wait for it get their turns."""
        name = origin_of(url)
        origin = self._origins.get(name)
        if origin is None or not origin.circuit.answered(lane):
            return
        del self._origins[name]
        if origin.timer is not None:
            origin.timer.cancel()
        if origin.parked:
            self._give_turns(origin.parked)

    def _of(self, url: str) -> _Origin:
        name = origin_of(url)
        origin = self._origins.get(name)
        if origin is None:
            origin = self._origins[name] = _Origin(Circuit(self._threshold, self._first, self._longest))
        return origin

    def _park(self, origin: _Origin, lane: Lane) -> None:
        origin.parked.append(lane)
        pause = origin.circuit.pause(self._loop.time())
        if origin.timer is None and pause is not None and not self._stopped:
            origin.timer = self._loop.call_later(pause, self._try, origin)

    def _try(self, origin: _Origin) -> None:
        """Lets one of the lanes find out."""
        origin.timer = None
        if origin.parked:
            self._give_turns((origin.parked.popleft(),))
