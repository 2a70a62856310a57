"""What an application can be asked about its channels, and how it sends to them: in memory, or over Redis.

Everything that counts or looks up is about this node. What ``add_subscriber``, ``remove_subscriber``, ``broadcast`` and
the ``send_to_...`` methods return may be awaited, and need not be. Overrides may be plain functions or coroutines.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any
from urllib.parse import quote

from sethpusher_core import jsontext
from sethpusher_core.addresses import Address
from sethpusher_core.protocol import text_of

from ._ours import is_ours
from ._plugins import Plugins, require
from ._work import DONE, awaitable, begun, settled
from .utils import COMMON_CHANNEL, BasicPubSubManager

__all__ = ["InMemoryPubSubMixin", "PubSubMixin", "RedisPubSubMixin"]


class PubSubMixin:
    """What applications of every kind have in common.

    Attributes:
        subscriber: What ``get_subscriber`` gave; has ``subscribe(channels, subscriber)`` and
            ``unsubscribe(channel, subscriber)``.
        publisher: What ``get_publisher`` gave: ``publish(channel, message)``.
    """

    subscriber: Any
    publisher: Any

    def get_publisher(self) -> Any:
        """What messages are published by; override it."""
        raise NotImplementedError(f"{type(self).__name__} must say what publishes: override get_publisher")

    def get_subscriber(self) -> Any:
        """What keeps subscribers; override it."""
        raise NotImplementedError(f"{type(self).__name__} must say what keeps subscribers: override get_subscriber")

    def choose_backend(self, plugins: Plugins) -> str | None:
        """Adds the plugins that it needs; called once, when the application's server is put together.

        Returns:
            The backend to run on, or None for that of the settings.
        """
        return None

    # ----------------------------------------------------------------------------------------------------- questions

    def get_subscribers(self, channel: str | None = None) -> dict[str, list[str | None]]:
        """The subscriber_ids in one channel, or in each that has somebody; None for who has not said ``connect``."""
        members = self._manager.members(channel or None)
        return {name: [_id_of(subscriber) for subscriber in here] for name, here in members.items()}

    def get_subscriber_count(self, channel: str | None = None) -> int:
        """How many are in a channel; without one, the sum over all channels."""
        return sum(len(here) for here in self._manager.members(channel or None).values())

    def get_user(self, user: Any) -> Any:
        """The handler of a user who has said ``connect``, the newest of several; None if there is none here."""
        return self._manager.user(text_of(user) or "")

    @property
    def _manager(self) -> BasicPubSubManager:
        manager = self.subscriber
        if not isinstance(manager, BasicPubSubManager):
            kind = type(self).__name__
            raise NotImplementedError(f"{kind} keeps its subscribers itself: override what asks about them, too")
        return manager

    # ------------------------------------------------------------------------------------------------------- actions

    def add_subscriber(self, channel: str, subscriber: Any) -> Awaitable[Any]:
        """Lets a handler into a channel; when this returns within a client's own subscribing, it is in."""
        return awaitable(self.subscriber.subscribe([channel], subscriber))

    def remove_subscriber(self, channel: str, subscriber: Any) -> Awaitable[Any]:
        """Takes a handler out of a channel."""
        return awaitable(self.subscriber.unsubscribe(channel, subscriber))

    def broadcast(self, message: Any, channel: str | None = None) -> Awaitable[Any]:
        """Sends an object to a channel as it is, without an envelope; without a channel, to ``all``.

        Notices of who comes and goes are sent by this. It is no publication: nothing is persisted or kept.
        """
        return awaitable(self.publisher.publish(COMMON_CHANNEL if channel is None else channel, message))

    def send_to_channel(self, msg: Any, channel: str) -> Awaitable[Any]:
        """Publishes a message in a channel, without asking the persistence policy: who calls this has asked it."""
        if is_direct(self.publisher):
            return awaitable(self.publisher.send(Address.channel(channel), msg))
        return awaitable(self.publisher.publish(channel, {"message": msg, "sender_id": _sender_of(msg)}))

    def send_to_user(self, msg: Any, user: Any) -> Awaitable[Any]:
        """Sends a message to all connections of a user, without asking the persistence policy.

        Where ``get_user`` is overridden, it goes to the one connection that it gives.
        """
        if is_direct(self.publisher) and is_ours(self, "get_user"):
            return awaitable(self.publisher.send(Address.user(text_of(user) or ""), msg))
        found = self.get_user(user)
        envelope = jsontext.encode({"message": msg, "target_id": user, "sender_id": _sender_of(msg)}).decode()
        return begun(_send_to(found, envelope))


class InMemoryPubSubMixin(PubSubMixin):
    """On one node, in its memory."""

    _pub_sub: BasicPubSubManager | None = None

    @property
    def pub_sub(self) -> BasicPubSubManager:
        """The manager; made when it is first asked for."""
        if self._pub_sub is None:
            self._pub_sub = BasicPubSubManager()
        return self._pub_sub

    def get_publisher(self, **kwargs: Any) -> Any:
        """The manager."""
        return self.pub_sub

    def get_subscriber(self, **kwargs: Any) -> Any:
        """The manager."""
        return self.pub_sub

    def get_subscribers(self, channel: str | None = None) -> dict[str, list[str | None]]:
        """See :meth:`PubSubMixin.get_subscribers`."""
        return super().get_subscribers(channel)

    def get_subscriber_count(self, channel: str | None = None) -> int:
        """See :meth:`PubSubMixin.get_subscriber_count`."""
        return super().get_subscriber_count(channel)

    def get_user(self, user_id: Any) -> Any:
        """See :meth:`PubSubMixin.get_user`."""
        return super().get_user(user_id)

    @property
    def _manager(self) -> BasicPubSubManager:
        return self.pub_sub


class RedisPubSubMixin(PubSubMixin):
    """On any number of nodes, joined by Redis. Needs the distribution sethpusher-redis.

    Attributes:
        redis_host: Where Redis is.
        redis_port: Where Redis is.
        redis_password: Its password, or None.
        redis_selected_db: The number of the database, or None for the first.
    """

    redis_host = "localhost"
    redis_port = 6379
    redis_password: str | None = None
    redis_selected_db: int | None = None

    @property
    def redis_url(self) -> str:
        """The four attributes in one."""
        host = f"[{self.redis_host}]" if ":" in self.redis_host else self.redis_host
        password = "" if self.redis_password is None else f":{quote(self.redis_password, safe='')}@"
        return f"redis://{password}{host}:{self.redis_port}/{self.redis_selected_db or 0}"

    def choose_backend(self, plugins: Plugins) -> str | None:
        """See :meth:`PubSubMixin.choose_backend`. Settings that the command was given come before the attributes."""
        plugins.add_installed("redis", {"url": self.redis_url}, self._why)
        return "redis"

    def get_publisher(self, **kwargs: Any) -> Any:
        """A manager that works through the application's server, and so through Redis.

        Raises:
            SettingsError: sethpusher-redis is not installed.
        """
        require("redis", self._why)
        return BasicPubSubManager()

    def get_subscriber(self, **kwargs: Any) -> Any:
        """A manager as ``get_publisher`` gives one.

        Raises:
            SettingsError: sethpusher-redis is not installed.
        """
        require("redis", self._why)
        return BasicPubSubManager()

    @property
    def _why(self) -> str:
        return f"{type(self).__name__} joins its nodes by Redis"

    def get_subscribers(self, channel: str | None = None) -> dict[str, list[str | None]]:
        """See :meth:`PubSubMixin.get_subscribers`."""
        return super().get_subscribers(channel)

    def get_subscriber_count(self, channel: str | None = None) -> int:
        """See :meth:`PubSubMixin.get_subscriber_count`."""
        return super().get_subscriber_count(channel)

    def get_user(self, user_id: Any) -> Any:
        """See :meth:`PubSubMixin.get_user`."""
        return super().get_user(user_id)

    def add_subscriber(self, channel: str, subscriber: Any) -> Awaitable[Any]:
        """See :meth:`PubSubMixin.add_subscriber`; who is in already stays so."""
        if self.is_subscribed_to_channel(subscriber, channel):
            return DONE
        return super().add_subscriber(channel, subscriber)

    def is_subscribed_to_channel(self, subscriber: Any, channel: str) -> bool:
        """Whether a handler is in a channel on this node."""
        return self._manager.holds(channel, subscriber)


def is_direct(publisher: Any) -> bool:
    """Whether what an application sends goes straight to its server."""
    return isinstance(publisher, BasicPubSubManager) and publisher.bound and is_ours(publisher, "publish")


async def _send_to(found: Any, envelope: str) -> None:
    connection = await settled(found)
    if connection is not None:
        connection.send(envelope)


def _sender_of(message: Any) -> Any:
    return message.get("sender_id") if isinstance(message, dict) else None


def _id_of(subscriber: Any) -> str | None:
    dispatcher = getattr(subscriber, "dispatcher", None)
    id: str | None = getattr(dispatcher, "subscriber_id", None)
    return id
