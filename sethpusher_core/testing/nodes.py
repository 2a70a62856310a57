"""Backends under test: started as nodes, each with a sink that remembers, and closed when the case is over."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final

import pytest

from ..addresses import Address
from ..backends.base import Backend
from .guard import Bench
from .loops import bounded, run, turns
from .node import Node
from .timing import moment, patience

__all__ = ["BREAK", "LEASE", "ONE_NODE", "TWO_NODES", "UNREACHABLE", "BackendBench", "Node"]

TWO_NODES: Final = "two nodes"
ONE_NODE: Final = "one node"
BREAK: Final = "break_connection"
UNREACHABLE: Final = "make_unreachable"
LEASE: Final = "lease"

Made = Callable[[], Backend]
Passing = Callable[[float], Awaitable[None] | None]
Breaking = Callable[[Backend], Awaitable[None] | None]


class BackendBench(Bench):
    """The fixture ``kit`` of the cases for backends.

    Attributes:
        outside: A backend that was made outside any event loop.
        forgets_idle_after: See :class:`~.backend.BackendCompliance`.
    """

    def __init__(
        self,
        make: Made,
        *,
        one_node: str = "",
        virtual: bool = False,
        forgets_idle_after: float | None = None,
        advance: Passing | None = None,
        break_connection: Breaking | None = None,
        make_unreachable: Made | None = None,
    ) -> None:
        self._make = make
        self._one_node = one_node
        self._virtual = virtual
        self._advance = advance
        self._break = break_connection
        self._make_unreachable = make_unreachable
        self._nodes: list[Node] = []
        self.forgets_idle_after = forgets_idle_after
        self.outside = self.made()

    # --------------------------------------------------------------------------------------------------- the bench

    def require(self, need: str) -> None:
        """See :meth:`Bench.require`: a capability, TWO_NODES, ONE_NODE, LEASE, or a fixture."""
        name = type(self.outside).__name__
        if need == TWO_NODES:
            missing = self._one_node
        elif need == ONE_NODE:
            missing = "" if self._one_node else f"{name} joins nodes"
        elif need == BREAK:
            missing = "" if self._break else "there is no such fixture"
        elif need == UNREACHABLE:
            missing = "" if self._make_unreachable else "there is no such fixture"
        elif need == LEASE:
            missing = "" if getattr(self.outside, "lease", 0) else f"memberships of {name} end with the process"
        else:
            missing = "" if need in self.outside.capabilities else f"{name} does not declare this capability"
        if missing:
            pytest.skip(f"{need}: {missing}")

    def run(self, coroutine: Coroutine[Any, Any, None]) -> None:
        """See :meth:`Bench.run`."""
        __tracebackhide__ = True
        run(self._tidy(coroutine), virtual=self._virtual)

    async def _tidy(self, case: Coroutine[Any, Any, None]) -> None:
        try:
            await bounded(case)
        finally:
            for node in self._nodes:
                # How a backend closes is a matter for the cases that are about it.
                with contextlib.suppress(Exception):
                    await node.close()

    # ------------------------------------------------------------------------------------------------------- nodes

    def made(self) -> Backend:
        """A new backend, not started."""
        return self._checked(self._make)

    def unreachable(self) -> Node:
        """A node that cannot be started."""
        assert self._make_unreachable is not None
        return self.unstarted(self._checked(self._make_unreachable))

    def _checked(self, make: Made) -> Backend:
        try:
            backend: object = make()
        except Exception as error:
            error.add_note(
                "The author's fixture raised this. A backend is made outside or inside a running event loop."
            )
            raise
        if inspect.iscoroutine(backend):
            backend.close()
        assert isinstance(backend, Backend), f"make_backend() gave no Backend but {backend!r}"
        return backend

    def unstarted(self, backend: Backend | None = None) -> Node:
        """A node that has not been started."""
        node = Node(backend or self.made(), f"node-{len(self._nodes) + 1}")
        self._nodes.append(node)
        return node

    async def node(self, *heard: Address) -> Node:
        """A new node that hears some addresses."""
        node = self.unstarted()
        await node.start()
        for address in heard:
            await node.subscribe(address)
        return node

    async def pair(self, *heard: Address) -> tuple[Node, Node]:
        """Two nodes, both of which hear some addresses."""
        return await self.node(*heard), await self.node(*heard)

    async def cut(self, node: Node) -> None:
        """Breaks a node's connection."""
        assert self._break is not None
        await _maybe(self._break(node.backend))

    # -------------------------------------------------------------------------------------------------------- time

    async def quiet(self) -> None:
        """A while in which what must not come would have come."""
        await turns()
        await asyncio.sleep(moment())

    async def pass_time(self, seconds: float) -> None:
        """Lets time pass for the backend."""
        if self._advance is None:
            assert self._virtual or seconds <= patience(), (
                f"{seconds:g} s are too long to wait for: have make_backend give one with shorter times, or give the "
                "fixture `advance`"
            )
            await asyncio.sleep(seconds)
        else:
            await _maybe(self._advance(seconds))

    async def eventually(self, holds: Callable[[], Awaitable[bool]], what: str, seconds: float = 0.0) -> None:
        """Waits until something holds, however long that may take beyond ``seconds``.

        Raises:
            AssertionError: It does not come to hold.
        """
        try:
            async with asyncio.timeout(seconds + patience()):
                while not await holds():
                    await asyncio.sleep(moment() / 2)
        except TimeoutError:
            raise AssertionError(f"within {seconds + patience():g} s it has not come to hold: {what}") from None


async def _maybe(result: Awaitable[None] | None) -> None:
    if result is not None:
        await result
