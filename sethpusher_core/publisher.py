"""The one door: every publication, whoever made it, goes through here to the backend.

    publish ─> transform (hook) ─> persist (hook, in batches) ─> backend

With a persister, publications that come while a batch is being persisted form the next batch, so that one fsync or
round trip serves many; batches are persisted one after the other and enter the backend in that order.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from . import errors
from .answers import Refused
from .backends.base import Accepted, Backend, Outgoing, Position
from .backends.capabilities import as_history
from .batching import Batch, Line
from .errors import BackendError, HookError, RequestError
from .plugins.steps import FailureLog
from .publication import Publication

if TYPE_CHECKING:
    from .addresses import Address
    from .plugins.hooks import Hooks
    from .settings.rules import ChannelRule

__all__ = ["Published", "Publisher"]

log = logging.getLogger("sethpusher.publish")

BATCH_LIMIT: Final = 1000
"""Publications that one call of persist gets at the most."""


class Published(NamedTuple):
    """A publication that the backend has taken.

    Attributes:
        id: Its id.
        position: Its position, in a channel that keeps history.
    """

    id: str
    position: Position | None


Result = Published | RequestError


class Publisher:
    """Takes publications, runs the hooks over them and hands them to the backend.

    Attributes:
        accepted: Publications that the backend has taken, repeats among them.
        refused: Those that a transform would not have.
        failed: Those that were lost to a failure of a plugin or of the backend; their publishers were told so.
    """

    def __init__(
        self,
        hooks: Hooks,
        rule_of: Callable[[Address], ChannelRule | None],
        persist_failure: str,
        idempotency_window: float = 300.0,
    ) -> None:
        """Makes a publisher; :meth:`bind` gives it a backend.

        Args:
            hooks: The compiled hooks.
            rule_of: The rule of a channel; None for what is not a channel.
            persist_failure: ``refuse`` or ``log``: what follows when persist fails.
            idempotency_window: Seconds for which the result of a publication with an idempotency key is kept.
        """
        self.accepted = 0
        self.refused = 0
        self.failed = 0
        self._hooks = hooks
        self._rule_of = rule_of
        self._go_on = persist_failure == "log"
        self._failures = FailureLog(logger=log)  # a full disk fails every batch, and would fill the next one by its log
        self._window = idempotency_window
        self._backend: Backend | None = None
        self._waiting: Line[Result] = Line()
        self._worker: asyncio.Task[None] | None = None
        self._sending: set[asyncio.Task[None]] = set()
        self._keyed: dict[tuple[Address, str], asyncio.Future[Result]] = {}
        self._under_way = 0
        self._idle: asyncio.Event | None = None

    def bind(self, backend: Backend | None) -> None:
        """Names the backend; None: nothing can be published (any more)."""
        self._backend = backend

    async def publish(self, publications: Sequence[Publication]) -> list[Result]:
        """Publishes, in order.

        Returns:
            For each publication what became of it. A RequestError says to its publisher why it was not sent; with
            ``UNAVAILABLE`` a retry may succeed.
        """
        if self._hooks.transform is None and self._hooks.persist is None:
            return await self._send(publications)
        if any(publication.idempotency_key is not None for publication in publications):
            return await self._publish_once(publications)
        if self._hooks.transform is None and publications:
            return await self._persist(tuple(publications))
        return await self._publish_through_hooks(publications)

    async def _publish_once(self, publications: Sequence[Publication]) -> list[Result]:
        """Publishes where some carry an idempotency key: of those under way with one key, only the first goes on."""
        loop = asyncio.get_running_loop()
        results: list[asyncio.Future[Result]] = []
        firsts: list[tuple[Publication, asyncio.Future[Result]]] = []
        for publication in publications:
            key = publication.idempotency_key
            future = None if key is None else self._keyed.get((publication.address, key))
            if future is None:
                future = loop.create_future()
                firsts.append((publication, future))
                if key is not None:
                    self._keyed[publication.address, key] = future
            results.append(future)
        if firsts:  # in a task: a publisher that goes away must not leave the others waiting
            task = loop.create_task(self._publish_firsts(firsts))
            self._sending.add(task)
            task.add_done_callback(self._sending.discard)
        return [await asyncio.shield(future) for future in results]

    async def _publish_firsts(self, firsts: list[tuple[Publication, asyncio.Future[Result]]]) -> None:
        results: Sequence[Result] = [RequestError(errors.UNAVAILABLE)] * len(firsts)
        try:
            results = await self._publish_through_hooks([publication for publication, _ in firsts])
        except Exception:
            log.exception("publishing failed for %d publications", len(firsts))
        finally:
            for (publication, future), result in zip(firsts, results, strict=True):
                if publication.idempotency_key is not None:
                    del self._keyed[publication.address, publication.idempotency_key]
                _resolve(future, result)

    async def _publish_through_hooks(self, publications: Sequence[Publication]) -> list[Result]:
        transform = self._hooks.transform
        results: list[Result | None] = [None] * len(publications)
        accepted: list[Publication] = []
        places: list[int] = []
        for place, publication in enumerate(publications):
            known = None if publication.idempotency_key is None else await self._known(publication)
            changed = known or (publication if transform is None else self._transformed(publication))
            if not isinstance(changed, Publication):
                results[place] = changed
            else:
                accepted.append(changed)
                places.append(place)
        if accepted:
            sent = await (self._send(accepted) if self._hooks.persist is None else self._persist(accepted))
            for place, result in zip(places, sent, strict=True):
                results[place] = result
        return [result for result in results if result is not None]

    async def drain(self) -> None:
        """Waits until everything accepted is in the backend."""
        while True:
            if pending := {*self._sending, *([self._worker] if self._worker else [])}:
                await asyncio.wait(pending)
            elif self._under_way:
                self._idle = asyncio.Event()
                await self._idle.wait()
            else:
                return

    async def _known(self, publication: Publication) -> Result | None:
        """The result of an earlier publication with the same key: nothing is transformed or persisted twice."""
        backend, key = as_history(self._backend), publication.idempotency_key
        if key is None or backend is None:
            return None
        try:
            result = await backend.result_of(publication.address, key)
        except BackendError as error:
            log.warning("not published, %s: %s", publication.address, error)
            self.failed += 1
            return RequestError(errors.UNAVAILABLE)
        return None if result is None else Published(publication.id, result.position)

    def _transformed(self, publication: Publication) -> Publication | RequestError:
        changed = self._transform(publication)
        if isinstance(changed, RequestError):
            if changed.code is errors.REFUSED:
                self.refused += 1
            else:
                self.failed += 1
        return changed

    def _transform(self, publication: Publication) -> Publication | RequestError:
        assert self._hooks.transform is not None
        try:
            changed = self._hooks.transform(publication)
        except HookError as error:
            log.error("not published, %s: %s", publication.address, error, exc_info=error.__cause__)
            return RequestError(errors.INTERNAL, f"plugin {error.plugin} failed on this message")
        if isinstance(changed, Refused):
            return RequestError(errors.REFUSED, changed.reason)
        if changed.address != publication.address or changed.id != publication.id:
            # Who may publish where has been asked already, and a repeat must keep its id.
            log.error("not published, %s: a transform has changed its address or id", publication.address)
            return RequestError(errors.INTERNAL)
        data: object = changed.data  # a plugin's types are nobody's word
        if not isinstance(data, bytes):
            log.error("not published, %s: a transform has made data that is not JSON text", publication.address)
            return RequestError(errors.INTERNAL)
        return changed

    async def _persist(self, publications: Sequence[Publication]) -> list[Result]:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[list[Result]] = loop.create_future()
        self._waiting.put(publications, future)
        if self._worker is None:
            self._worker = loop.create_task(self._work())
        # A publisher that goes away does not take back what it published.
        return await asyncio.shield(future)

    async def _work(self) -> None:
        try:
            while self._waiting:
                await self._work_on(self._waiting.take(BATCH_LIMIT))
        finally:
            self._worker = None

    async def _work_on(self, batch: Batch[Result]) -> None:
        count = len(batch.publications)
        persist = self._hooks.persist
        try:
            if persist is not None:
                await persist(tuple(batch.publications))
        except HookError as error:
            self._failures.report(error, f"persist failed for {count} publications: ")
            if not self._go_on:
                self.failed += count
                batch.settle([RequestError(errors.UNAVAILABLE)] * count)
                return
        # The backend's answer is not awaited here: the next batch is persisted meanwhile. Tasks start in the order
        # in which they are made, so the backend gets the batches in order.
        task = asyncio.get_running_loop().create_task(self._send_for(batch))
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def _send_for(self, batch: Batch[Result]) -> None:
        batch.settle(await self._send(batch.publications))

    async def _send(self, publications: Sequence[Publication]) -> list[Result]:
        if self._backend is None:
            self.failed += len(publications)
            return [RequestError(errors.UNAVAILABLE, "The server is not running.") for _ in publications]
        self._under_way += 1
        try:
            answers = await self._backend.publish([self._outgoing(publication) for publication in publications])
            results = [_result(publication, answer) for publication, answer in zip(publications, answers, strict=True)]
            failed = sum([isinstance(result, RequestError) for result in results])
            self.failed += failed
            self.accepted += len(results) - failed
            return results
        except Exception as error:
            self.failed += len(publications)
            log.error("the backend failed on %d publications: %r", len(publications), error, exc_info=error)
            return [RequestError(errors.UNAVAILABLE) for _ in publications]
        finally:
            self._under_way -= 1
            if self._idle is not None and not self._under_way:
                self._idle.set()

    def _outgoing(self, publication: Publication) -> Outgoing:
        rule = self._rule_of(publication.address)
        return Outgoing(
            publication.address,
            publication.payload(),
            publication.id,
            publication.idempotency_key,
            rule.history if rule else 0,
            rule.history_age if rule else 0.0,
            rule.history_bytes if rule else 0,
            self._window,
        )


def _result(publication: Publication, answer: Accepted | BackendError) -> Result:
    if isinstance(answer, Accepted):
        return Published(publication.id, answer.position)
    log.warning("not published, %s: %s", publication.address, answer)
    return RequestError(errors.UNAVAILABLE)


def _resolve(future: asyncio.Future[Result], result: Result) -> None:
    if not future.done():
        future.set_result(result)
