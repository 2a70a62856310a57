"""Persistence policies: where accepted messages are kept, before they are sent."""

from __future__ import annotations

import asyncio
import logging
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from tornado.httpclient import AsyncHTTPClient

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

    from sethpusher_core.server import PushServer

__all__ = [
    "DefaultPersistencePolicy",
    "ExternalApiPersistencePolicy",
    "RedisPersistencePolicy",
    "keeps_nothing",
    "persisting",
]

log = logging.getLogger("sethpusher.persistence")

DRAIN_SECONDS: Final = 3.0
"""How long a stopping server waits for posts; less than ``hook_timeout`` mostly is."""

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
    """Posts each message to an API of your own, with Tornado's AsyncHTTPClient.

    What is posted is ``{"message": ..., "channel": ...}``, with ``user`` in the place of ``channel`` for a message to a
    user. It is sent in the background: publishing does not wait for the API. So this promises little: a message is
    posted at most once; it is lost when the API does not answer 2xx within ``timeout``, when more than ``max_waiting``
    wait, and when this process dies; messages may arrive in another order than they were published in. Losses are
    logged: the first, and how many there were when the API is back. Whoever needs every message there will want the
    plugin sethpusher-persist-http in the place of this class.

    Attributes:
        api_url: Where to post; nothing is posted while it is empty.
        timeout: Seconds that one post may take; it may wait as long before, for others that are under way.
        max_waiting: Messages that may wait for the API at once.
    """

    api_url = ""
    timeout = 10.0
    max_waiting = 1000
    _lost = 0

    def get_api_url(self, **kwargs: Any) -> Any:
        """Where a message is posted. An override may be a plain function or a coroutine; an empty text skips it.

        Args:
            kwargs: ``channel`` or ``user``, as for ``persist``.
        """
        return self.api_url

    def persist(self, data: Any, **kwargs: Any) -> Any:
        """Has a message posted; see the class for what that promises."""
        posts = self._posts
        if len(posts) >= self.max_waiting:
            self._note_loss(f"more than {self.max_waiting} messages wait for it")
            return DONE
        post = asyncio.get_running_loop().create_task(self._post(data, kwargs))
        posts.add(post)
        post.add_done_callback(posts.discard)
        return DONE

    async def begin(self, server: PushServer) -> None:
        """Says so if nothing can be posted; called when the server starts."""
        if not self.api_url and is_ours(self, "persist", "get_api_url"):
            log.warning("%s posts nothing: its api_url is empty", type(self).__name__)

    async def drain(self) -> None:
        """Gives the posts under way a little time, and gives up the rest; called when the server stops."""
        if not self._posts:
            return
        _, late = await asyncio.wait(self._posts, timeout=DRAIN_SECONDS)
        for post in late:
            post.cancel()
        if late:
            await asyncio.wait(late)
            log.error("%s: stopped with %d messages that were not posted", type(self).__name__, len(late))

    @property
    def _posts(self) -> set[asyncio.Task[None]]:
        """What is under way. Made when it is needed: a subclass's constructor need not know of it."""
        posts: set[asyncio.Task[None]] = self.__dict__.setdefault("_under_way", set())
        return posts

    async def _post(self, data: Any, target: dict[str, Any]) -> None:
        url = ""
        try:
            body = jsontext.encode({"message": data, **target})
            url = await settled(self.get_api_url(**target))
            if not url:
                return
            await AsyncHTTPClient().fetch(
                url,
                method="POST",
                headers={"Content-Type": "application/json"},
                body=body,
                connect_timeout=self.timeout,
                request_timeout=self.timeout,
            )
        except Exception as error:  # noqa: BLE001 - whatever goes wrong, the message is lost and that is said
            self._note_loss(f"{type(error).__name__}: {error}", url)
        else:
            self._note_success(url)

    def _note_loss(self, reason: str, url: str = "") -> None:
        self._lost += 1
        if self._lost == 1:
            log.error("%s: a message could not be posted to %s: %s", type(self).__name__, url or "the API", reason)

    def _note_success(self, url: str) -> None:
        lost, self._lost = self._lost, 0
        if lost:
            log.warning("%s: posting to %s works again; messages lost: %d", type(self).__name__, url, lost)


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
