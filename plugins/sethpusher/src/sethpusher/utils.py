"""The in-process publish and subscribe manager, and a decorator for handlers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable
from functools import wraps
from typing import TYPE_CHECKING, Any, Concatenate, Final, ParamSpec, TypeVar

from sethpusher_core import jsontext
from sethpusher_core.addresses import COMMON_CHANNEL, Address

from ._connections import connection_of
from ._work import DONE

if TYPE_CHECKING:
    from .api.views import SethHandler
    from .applications import DefaultSethApplication

__all__ = ["COMMON_CHANNEL", "BasicPubSubManager", "is_request_body_json"]

T = TypeVar("T")
H = TypeVar("H", bound="SethHandler")
P = ParamSpec("P")

NOT_JSON: Final = "Request body is not valid JSON."


class BasicPubSubManager:
    """Subscribers by channel, and messages to them.

    As the ``subscriber`` and ``publisher`` of an application it works through the application's server: who subscribes
    is a member of the channel there, and what is published reaches the members on all nodes. On its own it keeps its
    subscribers itself, within this process.
    """

    def __init__(self) -> None:
        """Has no subscribers yet."""
        self._application: DefaultSethApplication | None = None
        self._own: defaultdict[str, set[Any]] = defaultdict(set)

    def bind(self, application: DefaultSethApplication) -> None:
        """Works through the server of an application from now on; called by the application."""
        self._application = application

    @property
    def bound(self) -> bool:
        """Whether it works through an application's server."""
        return self._application is not None

    @property
    def channels(self) -> dict[str, set[Any]]:
        """The subscribers on this node by channel. Of an application's manager: as they are now, in a copy."""
        if self._application is None:
            return self._own
        return {name: set(handlers) for name, handlers in self._application.push.handlers().items()}

    def members(self, channel: str | None = None) -> dict[str, list[Any]]:
        """The subscribers on this node of one channel or of all, in the order in which they came where it is known."""
        if self._application is not None:
            return self._application.push.handlers(channel)
        names = list(self._own) if channel is None else [channel]
        return {name: list(self._own.get(name, ())) for name in names}

    def holds(self, channel: str, subscriber: Any) -> bool:
        """Whether a subscriber is in a channel on this node."""
        if self._application is None:
            return subscriber in self._own.get(channel, ())
        return connection_of(subscriber).has_joined(channel)

    def user(self, subscriber_id: str) -> Any:
        """The newest connection of a user on this node; None if there is none."""
        if self._application is not None:
            found = self._application.push.handlers_of(subscriber_id)
        else:
            here = self._own.get(COMMON_CHANNEL, ())
            found = [each for each in here if each.dispatcher.subscriber_id == subscriber_id]
        return found[-1] if found else None

    def subscribe(self, channels: str | Iterable[str], subscriber: Any) -> Awaitable[None]:
        """Lets a subscriber into one channel or several.

        Args:
            channels: One name, or several.
            subscriber: Of an application's manager a SethSocketHandler, on its own any SockJSConnection.

        Returns:
            Something that may be awaited, and need not be: then it is in.
        """
        names = [channels] if isinstance(channels, str) else list(channels)
        if self._application is not None:
            return self._application.push.let_in(names, subscriber)
        for name in names:
            self._own[name].add(subscriber)
        return DONE

    def unsubscribe(self, channel: str, subscriber: Any) -> Awaitable[None]:
        """Takes a subscriber out of a channel; who is not in it is ignored. For its result see :meth:`subscribe`."""
        if self._application is not None:
            return self._application.push.let_out(channel, subscriber)
        members = self._own.get(channel, set())
        members.discard(subscriber)
        if not members:
            self._own.pop(channel, None)
        return DONE

    def publish(self, channel: str, message: Any) -> Awaitable[None]:
        """Sends an object to the subscribers of a channel as it is, without an envelope around it.

        It is no publication: no persistence policy sees it, and no history keeps it.

        Returns:
            Something that may be awaited, and need not be: then the backend has taken it.

        Raises:
            ValueError, TypeError: The object has no form in JSON.
        """
        text = jsontext.encode(message)
        if self._application is not None:
            return self._application.begin(self._application.push.tell(channel, text))
        members = self._own.get(channel, set())
        for first in members:
            if not first.session.is_closed:
                first.broadcast(members, text.decode())
                break
        return DONE

    def send(self, address: Address, message: Any) -> Awaitable[Any]:
        """Publishes a message through the application's server, without asking the persistence policy."""
        assert self._application is not None, "a manager on its own has no server"
        return self._application.begin(self._application.push.send(address, message))


def is_request_body_json(f: Callable[Concatenate[H, P], T]) -> Callable[Concatenate[H, P], T | None]:
    """Makes a method of a SethHandler answer 400 when the request's body is not JSON; it is not called then."""

    @wraps(f)
    def checked(self: H, /, *args: P.args, **kwargs: P.kwargs) -> T | None:
        try:
            jsontext.decode(self.request.body)
        except ValueError:
            self.error(NOT_JSON, 400)
            return None
        return f(self, *args, **kwargs)

    return checked
