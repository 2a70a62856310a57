"""Which addresses this node hears: the bridge between local members and the backend's subscriptions.

The backend is asked for an address when its first member comes and released when its last one has gone. While the
backend is still busy with an address, newcomers wait and leavers do not: one task per address brings what is heard
in line with what is wanted, however often that changes under way.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from .addresses import Address
from .backends.base import Backend, Position
from .errors import BackendError, BackendUnavailable
from .hub import Hub, Local
from .roster import Member

if TYPE_CHECKING:
    from .settings.rules import ChannelRule

__all__ = ["Interest"]

log = logging.getLogger("sethpusher.backend")


class _Wish:
    """How many want an address, whether it is heard, and who waits for that."""

    __slots__ = ("heard", "local", "positioned", "ready", "task", "wanted")

    def __init__(self, local: Local, positioned: bool) -> None:
        self.local = local
        self.positioned = positioned
        self.wanted = 0
        self.heard = False
        self.ready: asyncio.Future[None] | None = None
        self.task: asyncio.Task[None] | None = None


class Interest:
    """Lets members in and out of addresses.

    Attributes:
        changed: Addresses whose number of members has changed since somebody last emptied this set.
    """

    def __init__(self, hub: Hub, rule_of: Callable[[Address], ChannelRule | None]) -> None:
        """Makes one without a backend; :meth:`bind` names it.

        Args:
            hub: Where members stand.
            rule_of: The rule of a channel; None for what is not a channel.
        """
        self.changed: set[Address] = set()
        self._hub = hub
        self._rule_of = rule_of
        self._backend: Backend | None = None
        self._wishes: dict[Address, _Wish] = {}

    def bind(self, backend: Backend | None) -> None:
        """Names the backend; None: nothing is heard (any more)."""
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
        local = await self.hold(address)
        try:
            if admit():
                self.join(address, member)
            return local.position
        finally:
            self.release(address)

    async def hold(self, address: Address) -> Local:
        """Has an address heard until :meth:`release`, without a member.

        Returns:
            What this node knows of the address; its ``position`` is right from now on.

        Raises:
            BackendError: The backend does not hear the address. Nothing is held then.
        """
        wish = self._wishes.get(address)
        if wish is None:
            wish = self._wishes[address] = self._wish(address)
        wish.wanted += 1
        try:
            if not wish.heard:
                await self._wait_until_heard(wish)
        except BaseException:
            self._release(address, wish)
            raise
        return wish.local

    def join(self, address: Address, member: Member) -> None:
        """Lets a member into an address that is held."""
        wish = self._wishes[address]
        wish.wanted += 1
        wish.local.join(member)
        self.changed.add(address)

    def leave(self, address: Address, member: Member, owed: bool = True) -> None:
        """Takes a member out that :meth:`enter` or :meth:`join` let in; for ``owed`` see :meth:`Local.leave`."""
        wish = self._wishes[address]
        wish.local.leave(member, owed)
        self.changed.add(address)
        self._release(address, wish)

    def release(self, address: Address) -> None:
        """Ends what :meth:`hold` began."""
        self._release(address, self._wishes[address])

    async def settled(self) -> None:
        """Waits until everything heard is what is wanted (for shutting down and for tests)."""
        while tasks := [wish.task for wish in self._wishes.values() if wish.task is not None]:
            await asyncio.wait(tasks)

    def _wish(self, address: Address) -> _Wish:
        rule = self._rule_of(address)
        local = self._hub.open(address, rule.on_slow if rule is not None else "disconnect")
        return _Wish(local, positioned=rule is not None and rule.history > 0)

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
        try:
            while wish.heard != (wish.wanted > 0):
                if not wish.wanted:
                    await self._unhear(address, wish)
                elif not await self._hear(address, wish):
                    break  # who waited was told; who comes later tries again
        finally:
            wish.task = None
            if not wish.wanted:
                self._wishes.pop(address, None)
                self._hub.forget(address)

    async def _unhear(self, address: Address, wish: _Wish) -> None:
        wish.heard = False
        if self._backend is None:
            return
        try:
            await self._backend.unsubscribe(address)
        except Exception as error:  # noqa: BLE001 - whatever it raises, somebody may already wait to hear it again
            log.warning("could not release %s: %r", address, error)

    async def _hear(self, address: Address, wish: _Wish) -> bool:
        failure: BackendError | None = None
        wish.local.position = None  # what was still heard of late says nothing of what was missed since then
        try:
            if self._backend is None:
                raise BackendUnavailable("the server is not running")
            position = await self._backend.subscribe(address, wish.positioned)
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
