"""A session that is fetched by one transport after the other, while all is published: nothing is lost or doubled.

Small sockets, small responses and a client that now and then does not read bring every state of a response, in any
order. Packets leave by two ways, straight to the socket and through the queue, and must not overtake each other.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
from dataclasses import dataclass, field
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from server.sockjs.kit import Channel, Served, Stream, new_session, serving, until
from support.loops import in_loop, turns

from sethpusher_core.transports.outlet import Budget

pytestmark = pytest.mark.usefixtures("doors")

BUFFER: Final = 4096
"""Bytes that the server's sockets hold, at least."""

FETCH: Final = st.sampled_from(["xhr", "xhr_streaming", "eventsource", "htmlfile"])
SIZE: Final = st.sampled_from([1, 1, 1, 100, 1000, 30_000, 200_000])
STEP: Final = st.one_of(
    st.tuples(st.just("publish"), st.integers(1, 5), SIZE),
    st.tuples(st.just("flow"), st.integers(1, 10), SIZE),
    st.tuples(st.just("flow"), st.integers(1, 10), SIZE),
    st.tuples(st.just("say"), st.integers(1, 2), SIZE),
    st.tuples(st.just("turn"), st.integers(1, 8), st.just(0)),
    st.tuples(st.sampled_from(["meet", "meet", "beat", "stop", "go"]), st.just(0), st.just(0)),
)


@dataclass
class Client:
    """Fetches, by one transport after the other.

    Attributes:
        reads: Cleared while it does not.
        got: The numbers that have come.
    """

    served: Served
    path: str
    transports: list[str]
    reads: asyncio.Event = field(default_factory=asyncio.Event)
    got: list[int] = field(default_factory=list)

    async def fetch(self) -> None:
        """Until the session is closed."""
        place = 0
        while True:
            transport = self.transports[place % len(self.transports)]
            place += 1
            if transport == "xhr":
                if self._take(await self.served.poll(self.path)):
                    return
            elif await self._stream(transport):
                return

    async def _stream(self, transport: str) -> bool:
        async with Stream.open(self.served.port, self.path, transport) as stream:
            over = False
            while True:
                if not self.reads.is_set():
                    stream.writer.transport.pause_reading()
                    await self.reads.wait()
                    stream.writer.transport.resume_reading()
                packet = await stream.packet()
                if packet is None:
                    return over
                assert not over
                over = self._take(packet)

    def _take(self, packet: str) -> bool:
        if packet[0] == "a":
            self.got += [json.loads(message)[0] for message in json.loads(packet[1:])]
        else:
            assert packet in ("h", 'c[3000,"Go away!"]'), packet
        return packet[0] == "c"


async def conversation(transports: list[str], limit: int, steps: list[tuple[str, int, int]]) -> None:
    async with serving(response_limit=limit, budget=Budget(2**26), heartbeat_delay=3600.0) as served:
        for listener in served.http._sockets.values():
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER)  # those that it accepts have it, too
        path = new_session()
        assert await served.poll(path) == "o"
        session: Any = served.last.session
        channel = Channel([session])
        client = Client(served, path, transports)
        client.reads.set()
        fetching = asyncio.create_task(client.fetch())
        count = 0
        for act, times, size in steps:
            if act in ("meet", "flow") and client.reads.is_set():
                await until(lambda: session.has_receiver and not session.backlog_bytes, "the client has come back")
            for _ in range(times if act in ("publish", "flow", "say") else 0):
                message = f'[{count},"{"x" * size}"]'
                served.last.send(message) if act == "say" else channel.publish(message)
                count += 1
                await turns(act == "flow")
            if act == "turn":
                await turns(times)
            elif act == "beat":
                session._stuck = False  # it gives up only whom it meets twice
                session.heartbeat()
            elif act == "stop":
                client.reads.clear()
            elif act == "go":
                client.reads.set()
        client.reads.set()
        session.close()
        await fetching
        assert client.got == list(range(count))


BOUNDS: Final = settings(deadline=None, suppress_health_check=list(HealthCheck))
GIVEN: Final = given(
    transports=st.lists(FETCH, min_size=1, max_size=4),
    limit=st.sampled_from([1, 200, 5000, 2**17]),
    steps=st.lists(STEP, min_size=15, max_size=60),
)


@settings(BOUNDS, max_examples=60, derandomize=True)
@GIVEN
@in_loop
async def test_nothing_is_lost_or_doubled_and_all_is_in_order(
    transports: list[str], limit: int, steps: list[tuple[str, int, int]]
) -> None:
    await conversation(transports, limit, steps)


@pytest.mark.slow
@settings(BOUNDS, max_examples=int(os.environ.get("SETHPUSHER_DELIVERY_EXAMPLES", "") or 200), database=None)
@GIVEN
@in_loop
async def test_nothing_is_lost_or_doubled_and_all_is_in_order_for_long(
    transports: list[str], limit: int, steps: list[tuple[str, int, int]]
) -> None:
    """``SETHPUSHER_DELIVERY_EXAMPLES`` says how long."""
    await conversation(transports, limit, steps)
