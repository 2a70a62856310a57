"""Persistence policies: where accepted messages are kept, before they are sent."""

from __future__ import annotations

import asyncio
import logging
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from sethpusher_core import jsontext
from sethpusher_core.addresses import Address
from sethpusher_core.errors import SettingsError
from sethpusher_core.plugins.hooks import Hooks
from sethpusher_core.publication import Publication

from ._ours import is_ours
from ._plugins import require
from ._work import DONE, settled

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from sethpusher_persist_http.sender import Sender

    from sethpusher_core.server import PushServer

__all__ = [
    "DefaultPersistencePolicy",
    "ExternalApiPersistencePolicy",
    "RedisPersistencePolicy",
    "keeps_nothing",
    "persisting",
]

log = logging.getLogger("sethpusher.persistence")

DRAIN_SECONDS: Final = 2.0
"""How long a stopping server waits for posts, and then for those under way; less than ``hook_timeout`` mostly is."""

persisting: Final[ContextVar[Publication | None]] = ContextVar("sethpusher_publication", default=None)
"""The publication for which a persistence policy is being asked."""


class DefaultPersistencePolicy:
    """Keeps nothing; override ``persist``."""

    def persist(self, data: Any, **kwargs: Any) -> Any:
        """Keeps one message. An override may be a plain function or a coroutine.

        When it raises, the message is not sent, and its publisher gets 503. A coroutine has ``hook_timeout``.

        Args:
            data: What was published: any value that JSON has a form for.
            kwargs: ``channel`` or ``user``: where it goes.
        """
        return DONE


class ExternalApiPersistencePolicy(DefaultPersistencePolicy):
    """Posts each message to an API of your own, by the sender of the distribution sethpusher-persist-http.

    What is posted is ``{"message": ..., "channel": ...}``, with ``user`` in the place of ``channel`` for a message to a
    user. It is posted in the background, until the API takes it, in order for each channel and user; publishing does
    not wait for the API. What waits is lost when this process dies, unless ``durability`` says otherwise; a server that
    stops in good order posts what it can, and says how many are lost. What the API answers with 4xx is logged, and lost
    or (with a ``durability`` on disk) a dead letter.

    Attributes:
        api_url: Where to post; nothing is posted while it is empty.
        timeout: Seconds that one post may take.
        max_waiting: Messages that may wait for the API; above it publishing is refused.
        durability: ``memory``; or ``process`` or ``power``: what waits is kept on disk, in the folder ``external-api``
            of the core's ``state_dir``, and survives the end of this process, or loss of power, too.
    """

    api_url = ""
    timeout = 10.0
    max_waiting = 100_000
    durability = "memory"
    _sender: Sender | None = None

    @property
    def why(self) -> str:
        """Why it needs the distribution, for the operator."""
        return f"{type(self).__name__} posts messages to an API"

    def get_api_url(self, **kwargs: Any) -> Any:
        """Where a message is posted. An override may be a plain function or a coroutine; an empty text skips it.

        Asked whenever something is about to be posted, so that a message that waits goes where it should go then.

        Args:
            kwargs: ``channel`` or ``user``, as for ``persist``.
        """
        return self.api_url

    def persist(self, data: Any, **kwargs: Any) -> Any:
        """Has a message posted; what is returned may be awaited, and tells when the message is kept.

        Raises:
            SettingsError: The distribution is not installed, or this policy belongs to no application.
        """
        publication = persisting.get()
        as_published = publication is not None and data is publication.message
        text = publication.data if publication is not None and as_published else jsontext.encode(data)
        address = Address.channel(kwargs["channel"]) if "user" not in kwargs else Address.user(kwargs["user"])
        body = b'{"message":%b,%b' % (text, jsontext.encode({address.kind: address.name})[1:])
        # In a task, because an override may throw away what this returns.
        task = asyncio.get_running_loop().create_task(self._keep(address, body, publication))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        return task

    async def _keep(self, address: Address, body: bytes, publication: Publication | None) -> None:
        if self._sender is None:
            require("persist_http", self.why)
            raise SettingsError(f"{self.why}; only an application that has it as its policy can use it")
        if publication is None:
            await self._sender.post(address, body, uuid4().hex)
        else:
            await self._sender.post(address, body, publication.id, keyed=publication.idempotency_key is not None)

    async def begin(self, server: PushServer) -> None:
        """Starts the sender; called when the server starts.

        Raises:
            SettingsError: There is no place to keep messages in.
        """
        if not self.api_url and is_ours(self, "persist", "get_api_url"):
            log.warning("%s posts nothing: its api_url is empty", type(self).__name__)
        folder = server.settings.state_dir
        if self.durability != "memory" and folder is None:
            raise SettingsError(f"{type(self).__name__} has durability = {self.durability!r}, which needs state_dir")
        require("persist_http", self.why)
        from sethpusher_persist_http.sender import Sender

        self._sender = Sender(
            lambda address: settled(self.get_api_url(**{address.kind: address.name})),
            timeout=self.timeout,
            max_rows=self.max_waiting,
            folder=None if self.durability == "memory" or folder is None else Path(folder) / "external-api",
            durability=self.durability,
        )
        self._sender.start()

    async def drain(self) -> None:
        """Gives what waits a little time; called when the server stops."""
        if self._under_way:
            await asyncio.wait(self._under_way)
        sender, self._sender = self._sender, None
        if sender is not None:
            await sender.stop(DRAIN_SECONDS)

    @property
    def _under_way(self) -> set[asyncio.Task[None]]:
        """What is being kept. Made when it is needed: a subclass's constructor need not know of it."""
        tasks: set[asyncio.Task[None]] = self.__dict__.setdefault("_keeping", set())
        return tasks


class RedisPersistencePolicy(DefaultPersistencePolicy):
    """Keeps messages in Redis, by the plugin ``persist_redis`` of the distribution sethpusher-redis.

    Attributes:
        store: The plugin, as the only one of a set of hooks; the application gives it when it starts.
    """

    store: Hooks | None = None

    @property
    def why(self) -> str:
        """Why it needs its plugin, for the operator."""
        return f"{type(self).__name__} keeps messages in Redis"

    _server: PushServer | None = None

    async def begin(self, server: PushServer) -> None:
        """Starts the plugin; called when the server starts."""
        self._server = server
        if self.store is not None and self.store.startup is not None:
            await self.store.startup(server)

    def persist(self, data: Any, **kwargs: Any) -> Any:
        """Keeps one message.

        Raises:
            SettingsError: The distribution is not installed, or this policy belongs to no application.
        """
        publication = persisting.get()
        if publication is None:
            publication = _publication_of(data, **kwargs)
        elif data is not publication.message:
            publication = publication.replace(data)
        return self._keep(publication)

    async def drain(self) -> None:
        """Ends the plugin; called when the server stops."""
        if self.store is not None and self.store.shutdown is not None and self._server is not None:
            await self.store.shutdown(self._server)

    def _keep(self, publication: Publication) -> Awaitable[None]:
        if self.store is None or self.store.persist is None:
            require("persist_redis", self.why)
            raise SettingsError(f"{self.why}; only an application that has it as its policy can use it")
        return self.store.persist((publication,))


def _publication_of(data: Any, *, channel: str | None = None, user: str | None = None) -> Publication:
    address = Address.channel(channel or "") if user is None else Address.user(user)
    return Publication(address, jsontext.encode(data), uuid4().hex)


def keeps_nothing(policy: Any) -> bool:
    """Whether a policy need not be asked, because there is none or it is the one that keeps nothing."""
    if policy is None:
        return True
    method = getattr(policy, "persist", None)
    return getattr(method, "__func__", None) is DefaultPersistencePolicy.persist
