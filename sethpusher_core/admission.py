"""Who a connection is, from its handshake to its end: credentials, the wait for a token, and expiry."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from . import errors, protocol
from .errors import RequestError
from .identity import ANONYMOUS, Credentials, Identity

if TYPE_CHECKING:
    from .connection import Connection
    from .protocol import ClientMessage

__all__ = ["EXPIRY_NOTICE", "Admission"]

EXPIRY_NOTICE: Final = 30.0
"""Seconds before the end of an identity at which its client is told; at once where less is left."""

LONGEST_WAIT: Final = 60.0
"""Seconds after which the clock is looked at again: a machine may have slept, or its clock been set, and timers see
neither."""


class Admission:
    """One connection's way past the authenticators. There is none where no authenticator is active.

    Its one deadline, on the server's shared timer, is the end of the wait for a token, else the moment to tell that the
    identity expires, else that moment itself.

    Attributes:
        waiting: Whether the client has shown no credentials and may yet send a token; it may do nothing else.
    """

    __slots__ = ("_connection", "_credentials", "_expires_at", "_noticed", "_wait_ends", "waiting")

    def __init__(self, connection: Connection, credentials: Credentials) -> None:
        self.waiting = False
        self._connection = connection
        self._credentials = credentials
        self._expires_at: float | None = None
        self._noticed = False
        self._wait_ends = 0.0

    async def begin(self) -> None:
        """Asks the authenticators about the handshake; who is refused is closed."""
        server = self._connection.server
        try:
            identity = await server.access.recognize(self._credentials)
            if identity is not None:
                self._accept(identity)
            elif server.access.takes_tokens:
                if not self._connection.closed:
                    self._wait(server.settings.auth_timeout)
            else:
                self._decide()
        except RequestError as error:
            self._connection.turn_away(error)

    async def admits(self, message: ClientMessage) -> bool:
        """Whether a message may be looked at; a token in a ``connect`` is dealt with here.

        Raises:
            RequestError: It may not, for now.
        """
        connecting = message.type == protocol.CONNECT
        if connecting and message.get("token") is not None:
            return await self._present(message)
        if self.waiting:
            if not connecting:
                raise RequestError(errors.UNAUTHENTICATED, "Send connect first.")
            try:
                self._decide()
            except RequestError as error:
                self._connection.turn_away(error, message)
                return False
        return True

    async def refresh(self, message: ClientMessage) -> dict[str, Any]:
        """Renews the identity by a token; a bad one ends the connection.

        Returns:
            What the reply says.

        Raises:
            RequestError: There is no token, it is somebody else's, or no authenticator can be asked now.
        """
        if message.get("token") is None:
            raise RequestError(errors.BAD_FIELD, "Must provide token for refresh message.")
        await self._present(message)
        return self.fields()

    def fields(self) -> dict[str, Any]:
        """What a client learns of its identity."""
        fields: dict[str, Any] = {"subscriber_id": self._connection.subscriber_id}
        if self._expires_at is not None:
            fields["expires_in"] = self._left()
        return fields

    def end(self) -> None:
        """The connection has ended."""
        self._connection.server.deadlines.clear(self)

    def due(self) -> None:
        """The deadline has come; called by the shared timer."""
        connection = self._connection
        if connection.closed:
            return
        if self.waiting:
            try:
                self._decide()
            except RequestError as error:
                connection.turn_away(error)
            return
        left = self._left()
        if left > (0 if self._noticed else EXPIRY_NOTICE):  # not yet, or not any more: the clock was set back
            self._watch()
        elif left > 0:
            self._noticed = True
            connection.send({"type": "expiring", "in": left})
            self._watch()
        else:
            connection.close(errors.EXPIRED)

    async def _present(self, message: ClientMessage) -> bool:
        """Asks who the token in a message belongs to; False if it was bad and the client is turned away."""
        server, token = self._connection.server, message.get("token")
        if not isinstance(token, str) or not token:
            raise RequestError(errors.BAD_FIELD, "token must be a text.")
        if self.waiting:
            server.deadlines.clear(self)  # an answer that is under way is waited for: hook_timeout bounds it
        try:
            identity = self._continued(await server.access.authenticate(self._credentials.with_token(token)))
        except RequestError as error:
            if error.code is errors.UNAUTHENTICATED:
                self._connection.turn_away(error, message)
                return False
            if self.waiting and not self._connection.closed:
                self._wait(self._wait_ends - time.monotonic())
            raise
        self._accept(identity)
        return True

    def _continued(self, identity: Identity) -> Identity:
        """A new identity that goes on with the old one: an id stays once the connection has it.

        Raises:
            RequestError: It is somebody else's.
        """
        known = self._connection.subscriber_id
        if identity.subscriber_id is None and not self._connection.server.access.proves_ids:
            return replace(identity, subscriber_id=known)  # what it had claimed
        if known not in (None, identity.subscriber_id):
            raise RequestError(errors.ALREADY_CONNECTED, "This token belongs to another subscriber_id.")
        return identity

    def _wait(self, seconds: float) -> None:
        self.waiting = True
        self._wait_ends = time.monotonic() + seconds
        self._connection.server.deadlines.set(self, seconds)

    def _decide(self) -> None:
        """There are no credentials: the setting ``anonymous`` says what that means.

        Raises:
            RequestError: The client is refused.
        """
        self._connection.server.access.check_anonymous(self._credentials)
        self._accept(ANONYMOUS)

    def _accept(self, identity: Identity) -> None:
        connection = self._connection
        deadlines = connection.server.deadlines
        self.waiting = False
        connection.identity = identity
        self._expires_at = identity.expires_at
        self._noticed = False
        if self._expires_at is None or connection.closed:
            deadlines.clear(self)
        else:
            self._watch()

    def _watch(self) -> None:
        """Waits for what comes next of the moment to tell the client and the end of its identity."""
        seconds = self._left() - (0 if self._noticed else EXPIRY_NOTICE)
        self._connection.server.deadlines.set(self, min(seconds, LONGEST_WAIT))

    def _left(self) -> float:
        """Seconds until the identity ends."""
        assert self._expires_at is not None
        return max(0.0, round(self._expires_at - time.time(), 3))
