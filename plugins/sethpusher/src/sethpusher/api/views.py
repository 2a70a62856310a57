"""The HTTP handlers of an application: the core's, with what release 0.2.2 let subclasses replace."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any

from sethpusher_core import errors, jsontext
from sethpusher_core.addresses import CHANNEL, SERVER, Address
from sethpusher_core.api import channels, users
from sethpusher_core.api.base import ApiHandler
from sethpusher_core.api.publishing import NOT_JSON, publish_body
from sethpusher_core.errors import RequestError
from sethpusher_core.protocol import check_name

from .._begun import Begun
from .._ours import is_ours
from .._work import Work, settled
from ..mixins import is_direct

if TYPE_CHECKING:
    from sethpusher_core.server import PushServer

    from ..applications import DefaultSethApplication

__all__ = [
    "ChannelDebugHandler",
    "ChannelHandler",
    "OverallDebugHandler",
    "SethHandler",
    "UnknownHandler",
    "UserHandler",
]


class SethHandler(ApiHandler):
    """A handler whose caller is authenticated first, and whose answers are JSON objects with a ``status``.

    Methods (``get``, ``post``, ...) and ``prepare`` may be plain functions or coroutines. What a method begins through
    the application (``send_to_channel``, ``broadcast``, ...) is done before the call is answered, awaited or not; when
    it cannot be done the answer says so.
    """

    application: DefaultSethApplication
    _number: int | None = None

    def initialize(self) -> None:  # type: ignore[override]  # rules of old applications have no arguments
        """Nothing to be handed over: the application knows its server."""

    @property
    def server(self) -> PushServer:  # type: ignore[override]  # nobody sets it
        """The application's server."""
        return self.application.push

    def prepare(self) -> Awaitable[None]:  # type: ignore[override]  # an old override does not await it
        """Asks the authentication policy, and answers 401 by ``error`` when it says no.

        Returns:
            Something that may be awaited: then it is decided. An override that calls this and forgets to await it lets
            nobody pass all the same: the method runs only when it is decided. One that does not call this asks nobody.
        """
        asking = Begun(super().prepare())
        name = (self.request.method or "").lower()
        method = getattr(self, name)

        async def serve(*args: Any, **kwargs: Any) -> None:
            await asking
            if not self._finished:
                async with Work():
                    await settled(method(*args, **kwargs))

        setattr(self, name, serve)
        if asking.run():
            asking.result()
        return asking

    def json_response(self, data: dict[str, Any], code: int = 200) -> None:
        """Answers with an object.

        Args:
            data: Its members; ``status`` is added.
            code: The HTTP status.
        """
        self.set_status(code)
        self.write(jsontext.encode({**data, "status": code}) + b"\n")

    def error(self, message: str, code: int = 500) -> None:
        """Answers with an error.

        Args:
            message: What the caller reads.
            code: The HTTP status.
        """
        number = {} if self._number is None else {"code": self._number}
        self.json_response({"message": message, **number}, code)

    def answer(self, fields: dict[str, Any], status: int = 200) -> None:
        """What the core answers, by the two methods above."""
        if status < 400:
            self.json_response(fields, status)
        else:
            self._number = fields.get("code")
            self.error(fields.get("message", ""), status)


class _PublishHandler(SethHandler):
    async def publish(self, address: Address) -> None:
        """Publishes the body and answers; an application that overrides how it sends is asked to.

        Raises:
            RequestError: The body is not JSON, or the publication was not taken.
        """
        application, in_channel = self.application, address.kind == CHANNEL
        own = ("send_to_channel",) if in_channel else ("send_to_user", "get_user")
        if is_ours(application, *own) and is_direct(application.publisher):
            key = self.request.headers.get("Idempotency-Key")
            self.answer(await publish_body(self.server, self.identity, address, self.request.body, key))
            return
        await self.authorize("publish", address)
        if "Idempotency-Key" in self.request.headers:
            raise RequestError(errors.UNSUPPORTED, "Idempotency keys are not possible here.")
        try:
            message = jsontext.decode(self.request.body)
            jsontext.encode(message)  # 1e400 is JSON, but no value that could be sent
        except ValueError:
            raise RequestError(errors.BAD_MESSAGE, NOT_JSON) from None
        if in_channel:
            await settled(application.persist(message, channel=address.name))
            await settled(application.send_to_channel(msg=message, channel=address.name))
        else:
            await settled(application.persist(message, user=address.name))
            await settled(application.send_to_user(msg=message, user=address.name))
        self.answer({"status": 200})


class ChannelHandler(_PublishHandler, channels.ChannelHandler):
    """Publishes in a channel, whose name is the rule's ``channel``."""

    def get(self, *args: Any, **kwargs: Any) -> Any:
        """How many subscribers it has."""
        return self.application.begin(super().get(kwargs["channel"]))

    def post(self, *args: Any, **kwargs: Any) -> Any:
        """Publishes the body."""
        return self.application.begin(self._post(kwargs["channel"]))

    async def _post(self, channel: str) -> None:
        check_name("channel", channel, self.server.settings.max_channel_length)
        await self.publish(Address.channel(channel))


class UserHandler(_PublishHandler, users.UserHandler):
    """Sends to a user, whose subscriber_id is the rule's ``user``."""

    def get(self, *args: Any, **kwargs: Any) -> Any:
        """Whether the user is online."""
        return self.application.begin(super().get(kwargs["user"]))

    def post(self, *args: Any, **kwargs: Any) -> Any:
        """Sends the body."""
        return self.application.begin(self._post(kwargs["user"]))

    async def _post(self, user: str) -> None:
        check_name("subscriber_id", user, self.server.settings.max_id_length)
        await self.publish(Address.user(user))

    def delete(self, *args: Any, **kwargs: Any) -> Any:
        """Ends the user's connections."""
        return self.application.begin(super().delete(kwargs["user"]))


class OverallDebugHandler(SethHandler):
    """All channels: ``{"subscriber_count", "subscribers": {channel: [subscriber_id or null]}}``."""

    def get(self, *args: Any, **kwargs: Any) -> Any:
        """What the application says when it is asked."""
        return self.application.begin(self._show(None))

    async def _show(self, channel: str | None) -> None:
        await self.authorize("inspect", SERVER)
        application = self.application
        count = await settled(application.get_subscriber_count(channel=channel))
        subscribers = await settled(application.get_subscribers(channel=channel))
        self.write(jsontext.encode({"subscriber_count": count, "subscribers": subscribers}))


class ChannelDebugHandler(OverallDebugHandler):
    """One channel, in the same shape; one without subscribers has an empty list."""

    def get(self, *args: Any, **kwargs: Any) -> Any:
        """What the application says when it is asked."""
        return self.application.begin(self._show(kwargs["channel"]))


class UnknownHandler(SethHandler):
    """Answers what no rule answers."""

    def prepare(self) -> None:  # type: ignore[override]  # nothing to wait for
        """Always 404."""
        raise RequestError(errors.NOT_FOUND)
