"""What a client's messages mean: checking them, and handing them to the methods that do the work."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from sethpusher_core import errors
from sethpusher_core.errors import RequestError
from sethpusher_core.protocol import text_of

from ._work import DONE, awaitable

__all__ = ["DefaultMessageDispatcher", "MessageHandler", "wrong_type"]

log = logging.getLogger("sethpusher.application")


class MessageHandler(Protocol):
    """Who does what messages ask for; a SethSocketHandler is one. What the methods return may be awaited."""

    def handle_connect(self, source_msg: Mapping[str, Any], subscriber_id: Any) -> Any:
        """Makes the client known under an id."""

    def handle_subscribe(self, source_msg: Mapping[str, Any]) -> Any:
        """Lets the client into a channel."""

    def handle_unsubscribe(self, source_msg: Mapping[str, Any]) -> Any:
        """Takes the client out of a channel."""


class DefaultMessageDispatcher:
    """The dispatcher of one client.

    A new type of message is one more entry in ``messages``, made in ``__init__`` of a subclass; its method may be a
    plain function or a coroutine, and may return ``Handled({...})`` for an answer. Types that are not in ``messages``
    go to plugins and to the core.

    Attributes:
        handler: Who does the work; None before :meth:`register_handler`.
        messages: The method for each type.
        subscriber_id: Who the client has said it is; None before ``connect``.
        subscribed_to: The channels that it has asked for.
    """

    CONNECT = "connect"
    DISCONNECT = "disconnect"
    SUBSCRIBE = "subscribe"
    UNSUBSCRIBE = "unsubscribe"

    def __init__(self) -> None:
        """Knows nobody yet."""
        self.handler: Any = None
        self.subscriber_id: str | None = None
        self.subscribed_to: set[str] = set()
        self.messages: dict[str, Callable[[dict[str, Any]], Any]] = self._own_messages()

    def register_handler(self, handler: MessageHandler) -> None:
        """Names who does the work."""
        self.handler = handler

    @property
    def channels(self) -> list[str]:
        """The channels that the client has asked for; ``all``, which comes with ``connect``, is not among them."""
        return list(self.subscribed_to)

    @property
    def is_connected(self) -> bool:
        """Whether the client has said who it is."""
        return self.subscriber_id is not None

    @property
    def is_unchanged(self) -> bool:
        """Whether ``messages`` is as this class makes it."""
        return self.messages == self._own_messages()

    def validate_message(self, msg: Any) -> tuple[bool, str | None]:
        """Whether a message can be dispatched, and if not, what the client is told.

        A message whose type is merely not known here is offered to plugins and to the core before it is refused.
        """
        if not isinstance(msg, dict):
            return False, errors.BAD_MESSAGE.text
        type_ = msg.get("type")
        if not type_ or not isinstance(type_, str):
            return False, "Message must have a type."
        if type_ not in self.messages:
            return False, wrong_type(type_)
        wanted = {self.CONNECT: "subscriber_id", self.SUBSCRIBE: "channel", self.UNSUBSCRIBE: "channel"}.get(type_)
        if wanted is not None and msg.get(wanted) is None:
            return False, f"Must provide {wanted} for {type_} message."
        return True, None

    def dispatch(self, msg: dict[str, Any]) -> Any:
        """Hands a valid message to its method; what that returns may be awaited."""
        return awaitable(self.messages[msg["type"]](msg))

    def handle_connect(self, msg: dict[str, Any]) -> Any:
        """The client says who it is; the first time counts."""
        handler = self._registered()
        if self.is_connected:
            subscriber_id = text_of(msg["subscriber_id"])
            if msg.get("id") is not None and subscriber_id != self.subscriber_id:
                raise RequestError(errors.ALREADY_CONNECTED)
            log.info("%r stays connected: its second connect is ignored", self.subscriber_id)
            return DONE
        self.note(msg)
        return awaitable(handler.handle_connect(msg, msg["subscriber_id"]))

    def handle_subscribe(self, msg: dict[str, Any]) -> Any:
        """The client wants to be in a channel."""
        handler = self._registered()
        self.note(msg)
        return awaitable(handler.handle_subscribe(msg))

    def handle_unsubscribe(self, msg: dict[str, Any]) -> Any:
        """The client does not want to be in a channel any more."""
        handler = self._registered()
        self.note(msg)
        return awaitable(handler.handle_unsubscribe(msg))

    def note(self, msg: Mapping[str, Any]) -> None:
        """Writes down what a client asks for; what is wrong with it, the core says."""
        type_ = msg.get("type")
        if type_ == self.CONNECT:
            if self.subscriber_id is None:
                self.subscriber_id = text_of(msg.get("subscriber_id"))
            return
        channel = text_of(msg.get("channel"))
        if channel is not None and type_ == self.SUBSCRIBE:
            self.subscribed_to.add(channel)
        elif channel is not None and type_ == self.UNSUBSCRIBE:
            self.subscribed_to.discard(channel)

    def _own_messages(self) -> dict[str, Callable[[dict[str, Any]], Any]]:
        return {
            self.CONNECT: self.handle_connect,
            self.SUBSCRIBE: self.handle_subscribe,
            self.UNSUBSCRIBE: self.handle_unsubscribe,
        }

    def _registered(self) -> Any:
        if self.handler is None:
            raise AttributeError("nobody does the work: register_handler comes first")
        return self.handler


def wrong_type(type_: str) -> str:
    """What a client is told about a type that nobody knows, by us as by the core."""
    return f"Wrong type: {type_[:100]}."
