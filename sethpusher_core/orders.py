"""Orders from node to node, over the address ``control``: for now, to disconnect a user."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import msgspec

from . import errors
from .addresses import CONTROL, Address
from .backends.base import Outgoing
from .errors import BackendError, RequestError
from .publication import CONTROL_KIND, notice_payload

if TYPE_CHECKING:
    from .backends.base import Backend
    from .connection import Connection
    from .hub import Local

__all__ = ["Orders"]

log = logging.getLogger("sethpusher.orders")


class Orders:
    """Sends orders to all nodes, this one included, and obeys those that come."""

    def __init__(self, connections: Mapping[str, Connection], local_of: Callable[[Address], Local | None]) -> None:
        """Makes one without a backend; :meth:`bind` names it.

        Args:
            connections: This node's connections by id.
            local_of: What this node knows of an address.
        """
        self._connections = connections
        self._local_of = local_of
        self._backend: Backend | None = None

    def bind(self, backend: Backend | None) -> None:
        """Names the backend; None: nothing can be ordered (any more)."""
        self._backend = backend

    async def disconnect(self, subscriber_id: str) -> None:
        """Orders the end of all connections of a user.

        Raises:
            RequestError: The order cannot be sent now.
        """
        if self._backend is None:
            raise RequestError(errors.UNAVAILABLE)
        order = msgspec.json.encode({"order": "disconnect", "subscriber_id": subscriber_id})
        try:
            [result] = await self._backend.publish([Outgoing(CONTROL, notice_payload(order, kind=CONTROL_KIND))])
            if isinstance(result, BackendError):
                raise result
        except Exception as error:
            unforeseen = None if isinstance(error, BackendError) else error
            log.warning("user %s is not disconnected: %s", subscriber_id, error, exc_info=unforeseen)
            raise RequestError(errors.UNAVAILABLE) from error

    def obey(self, order: bytes) -> None:
        """Does what a node has ordered."""
        fields = msgspec.json.decode(order)
        if fields.get("order") != "disconnect":
            log.error("ignored an unknown order: %.200r", fields)
            return
        local = self._local_of(Address.user(fields["subscriber_id"]))
        for member in list(local.members()) if local is not None else ():
            connection = self._connections.get(member.id)
            if connection is not None:
                connection.close(errors.FORCED)
