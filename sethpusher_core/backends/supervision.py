"""What keeps a networked backend alive: a session that is begun again whenever it ends, and a canary.

The disease of this kind of server is a node that stays deaf and looks healthy. A *session* (a connection, and the
reading from it) that ends is begun again, with growing pauses; and a node proves that it hears by hearing itself: its
*canary* goes out by the way on which it speaks and must come back by the way on which it hears. Both say what is wrong
in ``trouble``, which a backend hands on to ``/ready`` and ``/health``.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Final

from ..errors import BackendError
from ..repeating import Repeating

__all__ = ["Canary", "Supervised"]

log = logging.getLogger("sethpusher.backend")

FIRST_PAUSE: Final = 0.05
"""Seconds between the end of a session and the next, about; doubled with each failure."""
LONGEST_PAUSE: Final = 2.0
"""Seconds that such a pause has at the most."""
MISSED: Final = 3
"""Canaries that may stay away before the node counts as deaf."""

Session = Callable[[Callable[[], None]], Awaitable[None]]
"""Called with a function that is to be called once the session stands; returns or raises when it has ended."""


class Supervised:
    """Runs a session again and again.

    Attributes:
        trouble: Why it does not stand; None while it does.
    """

    def __init__(self, name: str, session: Session) -> None:
        """Nothing runs before :meth:`start`.

        Args:
            name: What it is, for the log and for ``trouble``.
            session: What runs. A BackendError that it raises is a reason in words; anything else is a fault, and
                logged with its traceback.
        """
        self.name = name
        self.trouble: str | None = "not started"
        self._session = session
        self._reason = ""
        self._failures = 0
        self._stood = False
        self._change: asyncio.Event | None = None
        self._current: asyncio.Task[None] | None = None
        self._task: asyncio.Task[None] | None = None

    async def start(self, patience: float = 0.0) -> None:
        """Begins, and waits until it stands.

        Args:
            patience: For how many seconds it may fail; with 0 the first failure is the last.

        Raises:
            BackendError: It does not come to stand; the reason of the last failure.
        """
        deadline = monotonic() + patience
        self._change = asyncio.Event()
        self.trouble = f"{self.name} is being set up"
        self._task = asyncio.get_running_loop().create_task(self._run())
        while self.trouble is not None:
            await self._change.wait()
            self._change.clear()
            if self.trouble is not None and monotonic() >= deadline:
                reason = self._reason
                await self.stop()
                raise BackendError(reason)
            if self.trouble is not None and self._failures == 1:
                log.warning("waiting for up to %g s: %s", patience, self._reason)

    def restart(self, reason: str) -> None:
        """Ends the session under way, so that a new one begins."""
        if self._current is not None and not self._current.done():
            self._reason = reason
            self._current.cancel()

    async def stop(self) -> None:
        """Ends it for good. May be called twice, and without :meth:`start`."""
        task, self._task = self._task, None
        self.trouble = "stopped"
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    def _stands(self) -> None:
        if self._stood:
            log.info("%s is back", self.name)
        self._stood, self._failures, self.trouble = True, 0, None
        self._changed()

    def _changed(self) -> None:
        if self._change is not None:
            self._change.set()

    async def _run(self) -> None:
        while True:
            self._reason = "it has ended"
            self._current = asyncio.get_running_loop().create_task(self._once())
            try:
                await asyncio.wait([self._current])
            except asyncio.CancelledError:
                self._current.cancel()
                await asyncio.wait([self._current])
                raise
            self._failed()
            await asyncio.sleep(self._pause())

    async def _once(self) -> None:
        try:
            await self._session(self._stands)
        except BackendError as error:
            self._reason = str(error)
        except Exception as error:
            log.exception("%s failed", self.name)
            self._reason = f"{type(error).__name__}: {error}"

    def _failed(self) -> None:
        self._failures += 1
        if self._stood and self._failures == 1:
            log.warning("%s is lost: %s", self.name, self._reason)
        self.trouble = f"{self.name} is lost: {self._reason}"
        self._changed()

    def _pause(self) -> float:
        """Seconds; uneven, so that the nodes that one fault has hit do not all come back in one moment."""
        longest: float = min(FIRST_PAUSE * 2.0 ** min(self._failures - 1, 16), LONGEST_PAUSE)
        return longest * random.uniform(0.5, 1.0)  # noqa: S311 - no secret


class Canary:
    """Proves again and again that a node hears itself.

    Attributes:
        trouble: That the node does not hear itself; None while it does.
    """

    def __init__(
        self, interval: float, sing: Callable[[bytes], Awaitable[object]], deaf: Callable[[str], None]
    ) -> None:
        """Nothing is sung before :meth:`start`.

        Args:
            interval: Seconds between two. A node is deaf when MISSED of them have not come back.
            sing: Sends a token to this node by the bus. With a BackendError it was not sent, and proves nothing.
            deaf: Called, with the reason, when the node does not hear itself; it should begin to listen anew.
        """
        self.trouble: str | None = None
        self._interval = interval
        self._sing = sing
        self._deaf = deaf
        self._number = 0
        self._number_heard = 0
        self._missed = 0
        self._timer = Repeating(self._once)

    def start(self) -> None:
        """Begins to sing."""
        self._missed = 0
        self.trouble = None
        self._timer.start(self._interval)

    def stop(self) -> None:
        """Sings no more."""
        self._timer.stop()

    def heard(self, token: bytes) -> None:
        """The node has heard a token; one that is late proves as much, one of long ago nothing."""
        if token.isdigit() and self._number - int(token) < MISSED:
            self._number_heard = int(token)
            self._missed = 0
            if self.trouble is not None:
                log.info("this node hears itself again")
            self.trouble = None

    async def _once(self) -> None:
        self._number += 1
        try:
            async with asyncio.timeout(self._interval):
                await self._sing(b"%d" % self._number)
        except BackendError:
            return
        except TimeoutError:
            pass
        if self._number_heard == self._number:
            return
        self._missed += 1  # the last of them may still come
        if self._missed > MISSED and self._missed % MISSED == 1:
            reason = f"this node has not heard itself through the backend for {MISSED * self._interval:g} s"
            if self.trouble is None:
                log.warning("%s", reason)
            self.trouble = reason
            self._deaf(reason)
