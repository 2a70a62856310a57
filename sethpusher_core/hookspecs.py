"""The seams: everything that a plugin can replace or add, written as the manual.

A plugin is a module or a class that an entry point of the group ``sethpusher`` names. It implements a hook by a
function of the hook's name, marked with :data:`hookimpl`::

    from sethpusher_core import Identity, Rejected, hookimpl

    proves_ids = True                         # an id that a client merely claims counts no more

    @hookimpl
    def authenticate(credentials):
        token = credentials.headers.get("X-Team-Token")
        if token is None:
            return None                       # not mine: the next authenticator is asked
        if token != "open sesame":
            return Rejected("wrong token")    # mine, and bad: nobody else is asked
        return Identity("team", proven=True)

Rules that hold for every hook:

* An implementation may take fewer arguments than its hook offers, by name; hooks only ever grow new ones.
* Order: plugins in the setting ``plugin_order`` run in its order; others alphabetically by name, and
  ``@hookimpl(tryfirst=True)`` and ``trylast=True`` move those before or after all. Built-in ones run last.
* *Cold* hooks run at start-up and are plain functions. *Warm* hooks run per connection, call or message and may be
  ``async``; they are asked one at a time, and an awaitable that takes longer than the setting ``hook_timeout`` counts
  as an exception. *Hot* hooks run per publication and must be plain functions. Nothing is called per recipient.
* Wrappers (``hookwrapper``, ``wrapper``), generators, ``async def`` in a cold or hot hook, misspelt names and functions
  of a hook's name without the mark are refused when the plugin is registered.
* What an implementation raises is logged with the plugin's name. What happens then is said at each hook.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias, TypeVar

import pluggy

if TYPE_CHECKING:
    from .addresses import Address
    from .answers import Allowed, Denied, Handled, Refused, Rejected
    from .backends.base import BackendFactory
    from .connection import Connection
    from .identity import Credentials, Identity
    from .protocol import ClientMessage
    from .publication import Publication
    from .server import PushServer

__all__ = ["ENTRY_POINT_GROUP", "RegisterBackend", "RegisterCommand", "hookimpl", "hookspec"]

ENTRY_POINT_GROUP: Final = "sethpusher"
"""The group in which distributions name their plugins."""

hookspec = pluggy.HookspecMarker("sethpusher")
hookimpl = pluggy.HookimplMarker("sethpusher")
"""Marks a function of a plugin as the implementation of the hook of the same name."""

T = TypeVar("T")


class RegisterBackend(Protocol):
    """What ``register_backends`` is handed."""

    def __call__(self, name: str, factory: BackendFactory, settings: type | None = None) -> None:
        """Offers a backend."""


MaybeAwaitable: TypeAlias = T | Awaitable[T]
RegisterCommand: TypeAlias = Callable[..., None]


# ---------------------------------------------------------------------------------------------- the four main seams


@hookspec
def authenticate(credentials: Credentials) -> MaybeAwaitable[Identity | Rejected | None]:
    """Says who a caller is.

    Warm. Called once per connection (once per SockJS session, not per poll), for each HTTP call of the API, and for a
    ``connect`` or ``refresh`` message with a token; never for ``/health``, ``/ready`` and the SockJS information pages.

    Args:
        credentials: All that the caller presents: headers, cookies, query, address, transport, token.

    Returns:
        An Identity: this is who it is, nobody else is asked; its ``expires_at`` is enforced, also while connected.
        Rejected: these credentials are mine and bad, the caller is refused. None: nothing here is meant for me; when
        all say so the caller has no credentials, and the setting ``anonymous`` says what that means. A token, or a
        header Authorization, that nobody takes is bad, not missing.

    What a plugin can do it says by attributes. ``proves_ids = True``: its identities may be ``proven``; then a
    ``subscriber_id`` that a client merely claims does not count any more, whoever let it in. ``takes_tokens = True``:
    it reads ``credentials.token``, and looks at nothing else when there is one; then a client without credentials has
    ``auth_timeout`` to send a ``connect`` with a token, and only such plugins are asked about it.

    A plugin that reads cookies says so by an attribute ``reads_cookies = True``: then pages of other origins are kept
    out unless the setting ``origins`` names them.

    When it raises, times out, or gives an Identity that no caller can have (a ``subscriber_id`` that is no text, is
    empty or longer than ``max_id_length``; an ``expires_at`` that is no finite number) the caller is refused (HTTP 503,
    close code 3004), never let through.
    """


@hookspec
def persist(publications: Sequence[Publication]) -> MaybeAwaitable[None]:
    """Stores accepted publications, before they are sent.

    Warm. Called for every accepted publication, in batches of one or more, in the order in which they will enter the
    backend; the next batch waits for this one. All implementations are called, in order. A publication's ``id`` is
    stable over retries of one idempotency key: an implementation must take a known id as done. Notices (join and
    leave messages) are not publications and never come here.

    Args:
        publications: The batch, oldest first. Only those with an ``idempotency_key`` can come again.

    Returns:
        Nothing (anything but None counts as a failure): returning means that the batch is safe, to the degree that
        the plugin promises.

    When it raises or times out nothing of the batch is sent and its publishers get 503; with
    ``persist_failure = "log"`` the failure is logged and the batch is sent.
    """


@hookspec
def register_backends(register: RegisterBackend) -> None:
    """Offers backends: what joins nodes and keeps history and presence.

    Cold. Called once, also for a plugin that then stays inactive: import drivers in the factory. The setting
    ``backend`` chooses one by name.

    Args:
        register: ``register(name, factory, Settings)``. ``factory(settings)`` makes a Backend when it is chosen,
            and connects to nothing: that is for its ``start``. ``Settings`` is the plugin's declaration of settings, or
            None.

    When it raises the plugin is broken; the start is refused if its backend was chosen.
    """


@hookspec
def dispatch(connection: Connection, message: ClientMessage) -> MaybeAwaitable[Handled | None]:
    """Handles a message of a client: answers a new type, or does a known type in another way.

    Warm. Called for each well-formed client message, in order per connection: the next message of a connection waits.
    The built-in connect, subscribe, unsubscribe, ... are such a plugin and run last.

    Args:
        connection: Whose message it is; ``connection.send(...)`` reaches the client.
        message: The message: ``type``, ``id``, and its other fields by ``get``.

    Returns:
        Handled: done, and ``Handled({...})`` adds fields to the ``ack`` of a message with an ``id``. None: not mine.
        Raise RequestError to answer with an error of your choice.

    When it raises anything else or times out the client gets an error reply and keeps its connection.
    """


# ------------------------------------------------------------------------------------------------- around publishing


@hookspec
def transform(publication: Publication) -> Publication | Refused:
    """Changes or refuses a publication.

    Hot: a plain function, quick, without side effects. Called once per publication, at the node where it was
    published, before persist; each implementation gets what the one before it returned.

    Args:
        publication: What was published; ``publication.message`` is its value, ``publication.replace(...)`` makes a
            changed copy. Address and id must stay.

    Returns:
        The publication, changed or not; or Refused with a reason for the publisher.

    When it raises the publication is not sent and its publisher gets an error: a failing redaction must not leak.
    """


@hookspec
def authorize(identity: Identity, action: str, target: Address) -> MaybeAwaitable[Allowed | Denied | None]:
    """Says whether somebody may do something.

    Warm. Called before each action with an outside cause. All implementations are asked; one Denied wins; when
    nobody answers the channel's rule decides (what is not a channel: allowed while no authenticator is active).

    Args:
        identity: Who asks.
        action: ``subscribe``, ``publish``, ``presence``, ``history`` (of a channel, publish and presence also of a
            user), ``inspect`` (read the server's state) or ``administer`` (change it: disconnect a user).
        target: The channel or user in question, or the server.

    Returns:
        ALLOW, Denied(reason), or None: no opinion.

    When it raises or times out the answer is no.
    """


# --------------------------------------------------------------------------------------------------------- observers


@hookspec
def connected(connection: Connection) -> MaybeAwaitable[None]:
    """Observes that a client's ``connect`` was accepted: its subscriber_id is known.

    Warm, after the fact. What it returns is ignored; when it raises or times out that is logged and counted.

    Args:
        connection: The connection.
    """


@hookspec
def disconnected(connection: Connection, code: int) -> MaybeAwaitable[None]:
    """Observes that a connection has ended, whatever the cause, after its subscriptions are gone.

    Warm, after the fact. What it returns is ignored; when it raises or times out that is logged and counted.

    Args:
        connection: The connection; nothing sent to it arrives any more.
        code: The close code (the table in ``sethpusher_core.errors``); 1006 when the line just broke.
    """


@hookspec
def subscribed(connection: Connection, channel: str) -> MaybeAwaitable[None]:
    """Observes that a connection has joined a channel.

    Warm, after the fact. What it returns is ignored; when it raises or times out that is logged and counted.

    Args:
        connection: The connection.
        channel: The channel's name.
    """


@hookspec
def unsubscribed(connection: Connection, channel: str) -> MaybeAwaitable[None]:
    """Observes that a connection has left a channel, by its own message or because it ended.

    Warm, after the fact. What it returns is ignored; when it raises or times out that is logged and counted.

    Args:
        connection: The connection.
        channel: The channel's name.
    """


@hookspec
def health(server: PushServer) -> MaybeAwaitable[Mapping[str, Any] | None]:
    """Adds to the details of ``/health``: counters, ages, what is wrong.

    Warm. Called for each ``GET /health?details`` of a caller who may ``inspect``. All are asked; each answer stands
    under ``details`` and the plugin's name.

    Args:
        server: The server.

    Returns:
        Names and values that JSON has a form for; None: nothing to say.

    When it raises or times out that is logged and counted, and ``{"failed": ...}`` stands in its place.
    """


# ------------------------------------------------------------------------------------------------------ at start-up


@hookspec
def routes(server: PushServer) -> Sequence[Any]:
    """Adds HTTP routes.

    Cold. Called once when the server's routes are put together; they come after the server's own.

    Args:
        server: The server; its ``publish`` may be called from a handler.

    Returns:
        Tornado URL rules, such as ``[(r"/metrics", Handler, {"server": server})]``.

    When it raises the plugin is marked broken.
    """


@hookspec
def commands(register: RegisterCommand) -> None:
    """Adds sub-commands to ``seth-pusher``.

    Cold. Called once when the command line names a sub-command or ``--help`` asks for all of them.

    Args:
        register: ``register(name, run, help=...)``; ``run(arguments, settings)`` returns the exit code. ``arguments``
            is the list of words after the sub-command, ``settings`` what the command line, environment and file say.

    When it raises the plugin is marked broken.
    """


@hookspec
def startup(server: PushServer) -> MaybeAwaitable[None]:
    """Runs when the server starts, in order, after the backend and before the first connection.

    Warm. When it raises or times out the start is refused, and what was started before is shut down.

    Args:
        server: The server.
    """


@hookspec
def shutdown(server: PushServer) -> MaybeAwaitable[None]:
    """Runs when the server stops, in reverse order, after the last connection and before the backend ends.

    Warm. Runs for every plugin whose ``startup`` went well or which has none. When one raises or times out the others
    still run, and all failures are reported together.

    Args:
        server: The server.
    """
