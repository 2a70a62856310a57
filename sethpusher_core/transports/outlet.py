"""The outbound side of one client: what the fan-out sees, and the bounded queue behind it.

While a client keeps up nothing is queued: the fan-out calls :attr:`Outlet.send` itself. What the transport does not
take at once goes to the client's own backlog of whole, shared frames, counted in bytes and bounded by
``outbound_limit`` per connection and ``outbound_total`` per node (:class:`Budget`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from typing import Final, NamedTuple, Protocol

import msgspec

from .. import errors
from ..errors import CloseCode
from ..frames import Form, Frame

__all__ = ["Budget", "Outlet", "Watcher", "no_way"]

_json = msgspec.json.encode


class _Entry(NamedTuple):
    data: bytes
    channel: str | None
    """The channel whose rule may drop it; None for what must not be dropped (replies)."""
    messages: int


class Budget:
    """How much may wait for clients on this node.

    Attributes:
        limit: Bytes per connection.
        total: Bytes on this node.
        used: Bytes that wait now.
        cut: How many clients were cut because something did not fit.
        dropped: How many messages were dropped by a channel's rule.
        posted_bytes: How much was sent to single clients: replies, and what plugins send.
    """

    __slots__ = ("_holders", "cut", "dropped", "limit", "posted_bytes", "total", "used")

    def __init__(self, limit: int = 2**20, total: int = 2**28) -> None:
        self.limit = limit
        self.total = total
        self.used = 0
        self.cut = 0
        self.dropped = 0
        self.posted_bytes = 0
        self._holders: set[Outlet] = set()

    def account(self, outlet: Outlet, change: int) -> None:
        """Notes that an outlet's backlog grew or shrank; above the total the largest backlogs are cut."""
        self.used += change
        if outlet.backlog_bytes:
            self._holders.add(outlet)
        else:
            self._holders.discard(outlet)
        while self.used > self.total and self._holders:
            largest = max(self._holders, key=lambda holder: holder.backlog_bytes)
            if largest.backlog_bytes <= 0:
                break
            largest.cut(errors.SLOW)


class Watcher(Protocol):
    """Who must know whether an outlet takes frames directly."""

    def way_changed(self) -> None:
        """Called when :attr:`Outlet.way` is another."""


def no_way(data: bytes) -> None:
    """The way to a client that takes no frames directly: takes nothing, and says that frames must be queued."""


class Outlet(ABC):
    """One client, as the fan-out sees it.

    Attributes:
        form: The form in which it takes frames.
        blocked: Whether frames must go through :meth:`enqueue`. While False, ``send`` may be called directly.
        send: Writes bytes of the client's form and says how many were taken, as ``socket.send`` does. What it did not
            take must be handed to :meth:`partial` at once; what it raises to :meth:`failed`.
        backlog_bytes: How much waits for this client.
        closed: Nothing more will be sent.
    """

    __slots__ = (
        "__weakref__",
        "_backlog",
        "_blocked",
        "_budget",
        "_lost",
        "_watchers",
        "backlog_bytes",
        "closed",
        "form",
        "send",
    )

    send: Callable[[bytes], int]

    def __init__(self, form: Form, budget: Budget) -> None:
        self.form: Final = form
        self._blocked = True
        self._watchers: list[Watcher] | None = None
        self.closed = False
        self.backlog_bytes = 0
        self._budget = budget
        self._backlog: deque[_Entry] | None = None
        self._lost: dict[str, int] | None = None

    # ---------------------------------------------------------------------------------------- called by the fan-out

    @property
    def blocked(self) -> bool:
        """See the class. Who watches is told of each change."""
        return self._blocked

    @blocked.setter
    def blocked(self, blocked: bool) -> None:
        if blocked is not self._blocked:
            self._blocked = blocked
            for watcher in self._watchers or ():
                watcher.way_changed()

    @property
    def way(self) -> Callable[[bytes], int | None]:
        """Where a frame goes now: ``send``, or :func:`no_way` while frames must be queued."""
        return no_way if self._blocked else self.send

    def watch(self, watcher: Watcher) -> None:
        """Tells somebody from now on when :attr:`way` changes."""
        if self._watchers is None:
            self._watchers = [watcher]
        else:
            self._watchers.append(watcher)

    def unwatch(self, watcher: Watcher) -> None:
        """No longer."""
        if self._watchers is not None:
            self._watchers.remove(watcher)

    def enqueue(self, frame: Frame, channel: str, on_slow: str) -> None:
        """Queues a frame that could not be sent at once.

        Args:
            frame: The shared frame.
            channel: The channel it belongs to, for the ``dropped`` message.
            on_slow: What the channel's rule says for a frame that does not fit: ``disconnect``, ``drop_oldest`` or
                ``drop_newest``. A single frame always fits an empty queue.
        """
        if self.closed:
            return
        data = frame.form(self.form)
        count = len(frame.envelopes)
        if self.backlog_bytes and self.backlog_bytes + len(data) > self._budget.limit:
            if on_slow == "disconnect":
                self.cut(errors.SLOW)
                return
            if on_slow == "drop_newest" or not self._make_room(len(data), channel):
                self._note_lost(channel, count)
                return
        self._append(_Entry(data, channel, count))
        self.pump()

    def post(self, message: bytes) -> None:
        """Sends one message to this client alone, behind everything that was sent before; it is never dropped."""
        if self.closed:
            return
        data = Frame((message,)).form(self.form)
        self._budget.posted_bytes += len(data)
        if not self.blocked:
            try:
                sent = self.send(data)
            except OSError as error:
                self.failed(data, error)
            else:
                if sent != len(data):
                    self.partial(data, sent)
            return
        if self.backlog_bytes and self.backlog_bytes + len(data) > self._budget.limit:
            self.cut(errors.SLOW)
            return
        self._append_raw(data)
        self.pump()

    @abstractmethod
    def partial(self, data: bytes, sent: int) -> None:
        """Takes over what a direct ``send`` left: ``data[sent:]``."""

    @abstractmethod
    def failed(self, data: bytes, error: OSError) -> None:
        """Takes over after a direct ``send`` raised: the socket is full for now, or the client is gone."""

    @abstractmethod
    def pump(self) -> None:
        """Moves what it can from the backlog to the client."""

    @abstractmethod
    def cut(self, reason: CloseCode) -> None:
        """Ends a client that cannot be served: forgets its backlog, and tells it why if that is still possible."""

    # ------------------------------------------------------------------------------------------------- the backlog

    @property
    def free(self) -> int:
        """How many bytes may still be queued before the client counts as too slow."""
        return max(0, self._budget.limit - self.backlog_bytes)

    @property
    def waiting(self) -> int:
        """Number of frames in the backlog."""
        return len(self._backlog) if self._backlog else 0

    def _append(self, entry: _Entry) -> None:
        if self._backlog is None:
            self._backlog = deque()
        self._backlog.append(entry)
        self._account(len(entry.data))

    def _append_raw(self, data: bytes) -> None:
        """Queues what no rule may drop, in the form in which it goes out."""
        self._append(_Entry(data, None, 1))

    def _pop(self) -> _Entry | None:
        """The next entry; its bytes stay on the account until :meth:`_account` is told that they are gone."""
        if not self._backlog:
            if self._lost:
                self._report_lost()
            if not self._backlog:
                return None
        return self._backlog.popleft()

    def _account(self, change: int) -> None:
        self.backlog_bytes += change
        self._budget.account(self, change)

    def _forget_backlog(self) -> None:
        self._backlog = None
        self._lost = None
        if self.backlog_bytes:
            self._account(-self.backlog_bytes)

    def _make_room(self, size: int, channel: str) -> bool:
        """Drops the oldest frames of a channel until ``size`` more bytes fit; if that would not do, drops none."""
        backlog = self._backlog or deque()
        missing = self.backlog_bytes + size - self._budget.limit
        freeable = seen = 0
        for entry in backlog:
            seen += 1
            if entry.channel == channel:
                freeable += len(entry.data)
                if freeable >= missing:
                    break
        else:
            return False
        kept: list[_Entry] = []
        for _ in range(seen):
            entry = backlog.popleft()
            if entry.channel == channel:
                self._note_lost(channel, entry.messages)
            else:
                kept.append(entry)
        backlog.extendleft(reversed(kept))
        self._account(-freeable)
        return True

    def _note_lost(self, channel: str, count: int) -> None:
        self._budget.dropped += count
        if self._lost is None:
            self._lost = {}
        self._lost[channel] = self._lost.get(channel, 0) + count

    def _report_lost(self) -> None:
        """Says in the stream what was dropped, once there is room again."""
        lost, self._lost = self._lost or {}, None
        for channel, count in lost.items():
            message = _json({"type": "dropped", "channel": channel, "count": count})
            self._append_raw(Frame((message,)).form(self.form))
