"""Which addresses this node hears: the bridge between local members and the backend's subscriptions.

The backend is asked for an address when its first member comes and released when its last one has gone. While the
backend is still busy with an address, newcomers wait and leavers do not: one task per address brings what is heard
in line with what is wanted, however often that changes under way.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from .addresses import Address
from .backends.base import Backend, Position
from .errors import BackendError
from .hub import Hub, Local, Member

__all__ = ["Interest"]

log = logging.getLogger("sethpusher.backend")


class _Wish:
    """How many want an address, whether it is heard, and who waits for that."""

    __slots__ = ("heard", "local", "ready", "task", "wanted")

    def __init__(self, local: Local) -> None:
        self.local = local
        self.wanted = 0
        self.heard = False
        self.ready: asyncio.Future[None] | None = None
        self.task: asyncio.Task[None] | None = None


class Interest:
    """Lets members in and out of addresses."""

    def __init__(self, hub: Hub, on_slow: Callable[[Address], str]) -> None:
        """Makes one without a backend; :meth:`bind` names it.

        Args:
            hub: Where members stand.
            on_slow: What the rule of an address says of slow clients.
        """
        self._hub = hub
        self._on_slow = on_slow
        self._backend: Backend | None = None
        self._wishes: dict[Address, _Wish] = {}

    def bind(self, backend: Backend) -> None:
        """Names the backend."""
        self._backend = backend

    async def enter(self, address: Address, member: Member, admit: Callable[[], bool]) -> Position | None:
        """Lets a member in, once the address is heard.

        Nothing runs between the member's joining and the return: what the caller sends to the member next, before it
        awaits anything, comes before every later frame of the address.

        Args:
            address: The address.
            member: The member.
            admit: Asked at the last moment; the member stays out if it says no (its connection has gone).

        Returns:
            The position after which the member misses nothing; None where no history is kept.

        Raises:
            BackendError: The backend does not hear the address.
        """
        wish = self._wishes.get(address)
        if wish is None:
            wish = self._wishes[address] = _Wish(self._hub.open(address, self._on_slow(address)))
        wish.wanted += 1
        try:
            if not wish.heard:
                await self._wait_until_heard(wish)
        except BaseException:
            self._release(address, wish)
            raise
        if admit():
            wish.local.join(member)
        else:
            self._release(address, wish)
        return wish.local.position

    def leave(self, address: Address, member: Member) -> None:
        """Takes a member out that :meth:`enter` let in."""
        wish = self._wishes[address]
        wish.local.leave(member)
        self._release(address, wish)

    async def settled(self) -> None:
        """Waits until everything heard is what is wanted (for shutting down and for tests)."""
        while tasks := [wish.task for wish in self._wishes.values() if wish.task is not None]:
            await asyncio.wait(tasks)

    def _release(self, address: Address, wish: _Wish) -> None:
        wish.wanted -= 1
        if wish.wanted == 0:
            self._settle_soon(address, wish)

    async def _wait_until_heard(self, wish: _Wish) -> None:
        if wish.ready is None:
            wish.ready = asyncio.get_running_loop().create_future()
        self._settle_soon(wish.local.address, wish)
        await asyncio.shield(wish.ready)

    def _settle_soon(self, address: Address, wish: _Wish) -> None:
        if wish.task is None:
            wish.task = asyncio.get_running_loop().create_task(self._settle(address, wish))

    async def _settle(self, address: Address, wish: _Wish) -> None:
        backend = self._backend
        assert backend is not None, "Interest.bind comes before the first member"
        try:
            while wish.heard != (wish.wanted > 0):
                if not wish.wanted:
                    wish.heard = False
                    await backend.unsubscribe(address)
                elif not await self._hear(backend, address, wish):
                    break  # who waited was told; who comes later tries again
        except Exception as error:  # noqa: BLE001 - whatever a backend raises, its address must be settled
            log.warning("could not release %s: %r", address, error)
        finally:
            wish.task = None
            if not wish.wanted:
                self._wishes.pop(address, None)
                self._hub.forget(address)

    async def _hear(self, backend: Backend, address: Address, wish: _Wish) -> bool:
        failure: BackendError | None = None
        try:
            position = await backend.subscribe(address)
        except BackendError as error:
            failure = error
        except Exception as error:
            log.exception("the backend failed to subscribe to %s", address)
            failure = BackendError(f"could not subscribe to {address}: {error!r}")
        else:
            wish.heard = True
            if wish.local.position is None:
                wish.local.position = position
        ready, wish.ready = wish.ready, None
        if ready is not None and not ready.done():
            if failure is None:
                ready.set_result(None)
            else:
                ready.set_exception(failure)
                ready.exception()  # those who waited may have gone
        return failure is None
