"""Orders from node to node, over the address ``control``: for now, to disconnect a user."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING

import msgspec

from . import errors
from .addresses import CONTROL
from .backends.base import Outgoing
from .errors import BackendError, RequestError
from .publication import CONTROL_KIND, notice_payload

if TYPE_CHECKING:
    from .backends.base import Backend
    from .connection import Connection

__all__ = ["Orders"]

log = logging.getLogger("sethpusher.orders")


class Orders:
    """Sends orders to all nodes, this one included, and obeys those that come."""

    def __init__(self, connections: Mapping[str, Connection]) -> None:
        """Makes one without a backend; :meth:`bind` names it.

        Args:
            connections: This node's connections by id.
        """
        self._connections = connections
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
        who = fields["subscriber_id"]
        # Not only those that are in the user's address: an authenticator may know somebody who never said connect.
        for connection in [one for one in self._connections.values() if one.subscriber_id == who]:
            connection.close(errors.FORCED)
