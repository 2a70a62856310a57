"""The backend: what joins nodes, and the written contract that every one of them meets.

A backend carries *payloads* (bytes that only the core understands) between nodes, by *address*. It never looks inside.
The core talks to it through the few methods of :class:`Backend`, and it talks back through the :class:`Sink` that
``start`` hands it.

Contract:

* **Delivery class.** At most once without history; what was missed can be read again where ``history`` is a
  capability. A backend never delivers one payload twice to one node.
* **Own publications come back.** A node delivers only what its backend hands to the sink, its own publications
  included: one path, so one order.
* **Order.** Payloads for one address reach every node's sink in one order; calls of ``publish`` that one node makes one
  after the other keep that order per address, even while earlier calls are still being awaited.
* **Atomicity.** For one publication, its position, its place in the history and its announcement to the nodes happen
  together or not at all. A batch is not atomic: each publication has its own result.
* **Threads.** All methods are called on the event loop of the node, and ``sink`` is called there, too.
* **Units.** Times are seconds as float, sizes are bytes.

What is made for every publication is a frozen ``msgspec.Struct``: it is made in a fifth of the time that a frozen
dataclass takes (``msgspec.structs.replace`` makes a changed one).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Protocol, TypeAlias

from msgspec import Struct

from ..addresses import Address
from ..errors import BackendError

__all__ = ["Accepted", "Backend", "BackendFactory", "Outgoing", "Position", "Sink"]

BackendFactory: TypeAlias = "Callable[[Any], Backend]"
"""Makes a backend from its settings (None when it declared none). Called only when the backend is chosen."""


class Position(Struct, frozen=True):
    """Where a publication stands in its channel's stream.

    Attributes:
        epoch: Names the stream; it changes when the stream is made anew.
        offset: Grows by one with each publication; the first has 1, an empty stream stands at 0.
    """

    epoch: str
    offset: int


class Outgoing(Struct, frozen=True):
    """One payload on its way into the backend.

    Attributes:
        address: Where it goes.
        payload: What the nodes of its subscribers are handed.
        id: The publication's id; empty for what is not a publication (notices, control).
        idempotency_key: Given by the publisher to make a repeat harmless, or None.
        history: How many publications the address keeps; 0 keeps none and gives no position.
        history_age: How long they are kept, in seconds.
        history_bytes: How many bytes of payloads are kept.
        idempotency_window: For how many seconds the result is kept under ``idempotency_key``.
    """

    address: Address
    payload: bytes
    id: str = ""
    idempotency_key: str | None = None
    history: int = 0
    history_age: float = 0.0
    history_bytes: int = 0
    idempotency_window: float = 300.0


class Accepted(Struct, frozen=True):
    """The backend has taken a publication: every node that is subscribed to its address will be handed it.

    Attributes:
        position: Its position, where the address keeps history.
        repeated: Whether this is the stored result of an earlier publication with the same idempotency key, and
            nothing was announced again.
    """

    position: Position | None = None
    repeated: bool = False


class Sink(Protocol):
    """What a backend hands payloads to: the hub of the node."""

    def deliver(self, address: Address, payload: bytes, position: Position | None = None) -> None:
        """Hands over one payload; never raises, never blocks.

        What arrives for an address that the node has unsubscribed from is ignored.
        """

    def resumed(self, address: Address, position: Position | None, whole: bool) -> None:
        """Says that an address is heard again, after the node could not hear it; never raises, never blocks.

        What was missed and could be read again is handed over by :meth:`deliver` after this, in order.

        Args:
            address: The address.
            position: Where the stream goes on: what is handed over next comes right after it. None where the address
                keeps no history.
            whole: Whether nothing is missing before ``position``. Otherwise the members are told.
        """


class Backend(ABC):
    """Joins the nodes. See the module's text for the contract.

    A backend is made by its factory outside or inside a running loop, and binds to a loop in :meth:`start` only.
    """

    capabilities: ClassVar[frozenset[str]] = frozenset()
    """Names of the optional abilities that this backend has (see :mod:`.capabilities`). A channel rule that needs one
    which the chosen backend lacks refuses the start."""

    @abstractmethod
    async def start(self, sink: Sink, node_id: str) -> None:
        """Connects, and delivers to ``sink`` from now on.

        Args:
            sink: Where payloads go.
            node_id: Unique name of this node, new with each start of the process.

        Raises:
            BackendError: It cannot start; the text is one line for the operator.
        """

    @abstractmethod
    async def publish(self, batch: Sequence[Outgoing]) -> Sequence[Accepted | BackendError]:
        """Takes payloads and announces them to all nodes.

        Args:
            batch: One or more, in order.

        Returns:
            A result for each, in the same order. BackendUnavailable in a result: this one was not taken, or a
            connection broke before it was known; it may be tried again.
        """

    @abstractmethod
    async def subscribe(self, address: Address, positioned: bool = False) -> Position | None:
        """Begins to hear an address. Called once until the matching :meth:`unsubscribe`.

        Args:
            address: The address.
            positioned: Whether the address keeps history, so that there is a position to tell.

        Returns:
            When everything published from now on will be handed to the sink: the position after which that holds,
            or None where the address keeps no history.

        Raises:
            BackendError: It is not subscribed.
        """

    @abstractmethod
    async def unsubscribe(self, address: Address) -> None:
        """Stops hearing an address. Unknown addresses are ignored."""

    @abstractmethod
    async def close(self) -> None:
        """Ends all work and frees everything. May be called twice, and without :meth:`start`."""

    @property
    def trouble(self) -> str | None:
        """Why this node cannot fully speak and hear through the backend at the moment; None while all is well.

        Asked for by ``/ready`` and ``/health``; must not block.
        """
        return None
