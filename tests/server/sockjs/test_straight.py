"""What the fan-out brings to a streaming response goes straight to its socket.

Here are the states in which it does not, and those in which that ends the response, or finds that the client is gone.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import select
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest
from server.sockjs.kit import Channel, Http, Served, Stream, new_session, serving, until
from support.loops import in_loop, turns
from support.timing import UNIT

from sethpusher_core.transports.outlet import Budget
from sethpusher_core.transports.streaming import EventSourceStream, HtmlFileStream, XhrStream

KINDS = {"xhr_streaming": XhrStream, "eventsource": EventSourceStream, "htmlfile": HtmlFileStream}
each = pytest.mark.parametrize("transport", KINDS)

LARGE = 2**23
"""More than the sockets between the two hold."""


def packet_of(*envelopes: str) -> str:
    return "a" + json.dumps(envelopes, separators=(",", ":"))


def size_of(transport: str, packet: str) -> int:
    """What a packet counts for ``response_limit``."""
    return len(KINDS[transport].chunk_of(packet.encode()))


def lies_there(stream: Http) -> bytes:
    """What has come to a client that its loop has not read yet: the loop does not turn meanwhile."""
    line = stream.writer.get_extra_info("socket")
    assert select.select([line.fileno()], [], [], UNIT)[0], "nothing comes"
    with socket.socket(fileno=os.dup(line.fileno())) as same:
        return same.recv(2**16, socket.MSG_PEEK)


def read_some(stream: Http, count: int) -> None:
    """Makes room in the sockets, though no loop turns."""
    with socket.socket(fileno=os.dup(stream.writer.get_extra_info("socket").fileno())) as same:
        while count > 0:
            data = same.recv(2**16)
            stream.reader.feed_data(data)
            count -= len(data)


def nothing_lies_there(stream: Http) -> bool:
    return not select.select([stream.writer.get_extra_info("socket").fileno()], [], [], 0)[0]


def receiver(served: Served) -> Any:
    return served.last.session._receiver


@contextlib.asynccontextmanager
async def streaming(transport: str = "xhr_streaming", **settings: Any) -> AsyncIterator[tuple[Served, Stream, Channel]]:
    """A client that streams and is in a channel."""
    async with serving(**settings) as served, Stream.open(served.port, new_session(), transport) as stream:
        assert await stream.packet() == "o"
        yield served, stream, Channel([served.last.session])


@contextlib.asynccontextmanager
async def stopped(**settings: Any) -> AsyncIterator[tuple[Served, Stream, Channel]]:
    """Likewise, and its socket has taken a part of a chunk, behind which ``[0,...]`` is over."""
    async with streaming(budget=Budget(2**25), **settings) as (served, stream, channel):
        stream.writer.transport.pause_reading()
        channel.publish(f'[0,"{"x" * LARGE}"]')
        assert 0 < served.last.session.backlog_bytes == served.router.budget.used < LARGE, "a part is with the stream"
        yield served, stream, channel


async def numbers(stream: Stream, until: int) -> list[int]:
    """Reads on, up to a number."""
    stream.writer.transport.resume_reading()
    found: list[int] = []
    while not found or found[-1] != until:
        found += [json.loads(envelope)[0] for envelope in json.loads((await stream.packet())[1:])]
    return found


# ------------------------------------------------------------------------------------------------------ straight to it


@each
@in_loop
async def test_a_frame_leaves_within_the_fan_out(transport: str) -> None:
    async with streaming(transport) as (served, stream, channel):
        channel.publish('"100 %"', '"</script>"')
        chunk = KINDS[transport].chunk_of(packet_of('"100 %"', '"</script>"').encode())
        assert lies_there(stream) == b"%x\r\n%b\r\n" % (len(chunk), chunk)
        assert await stream.packet() == packet_of('"100 %"', '"</script>"')
        served.last.send("and the queue")
        assert await stream.packet() == 'a["and the queue"]'
        channel.publish('"again"')
        assert lies_there(stream)
        assert not served.router.budget.used


@each
@in_loop
async def test_without_chunks_in_http_1_0(transport: str) -> None:
    chunk = KINDS[transport].chunk_of(packet_of('"x"').encode())
    async with (
        serving(response_limit=size_of(transport, "o") + len(chunk)) as served,
        Http.connect(served.port) as http,
    ):
        method = "POST" if transport == "xhr_streaming" else "GET"
        http.ask(method, f"{new_session()}/{transport}?c=cb", version="HTTP/1.0")
        await http.head()
        await http.reader.readuntil(KINDS[transport].chunk_of(b"o"))
        Channel([served.last.session]).publish('"x"')
        assert lies_there(http) == chunk
        assert await http.reader.read() == chunk, "and the limit ends the connection"
        assert not served.last.session.has_receiver


@in_loop
async def test_a_chunk_is_built_once_for_all_of_a_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    built: list[bytes] = []
    chunk_of = EventSourceStream.chunk_of

    def counted(packet: bytes) -> bytes:
        built.append(packet)
        return chunk_of(packet)

    monkeypatch.setattr(EventSourceStream, "chunk_of", staticmethod(counted))
    async with serving() as served, contextlib.AsyncExitStack() as stack:
        streams = [
            await stack.enter_async_context(Stream.open(served.port, new_session(), transport))
            for transport in ["eventsource", "xhr_streaming"] * 10
        ]
        assert [await stream.packet() for stream in streams] == ["o"] * 20
        channel = Channel([connection.session for connection in served.made])
        built.clear()
        channel.publish('"x"')
        channel.publish('"y"')
        assert built == [packet_of('"x"').encode(), packet_of('"y"').encode()]
        for stream in streams:
            assert [await stream.packet(), await stream.packet()] == [packet_of('"x"'), packet_of('"y"')]


@in_loop
async def test_a_frame_does_not_overtake_a_reply() -> None:
    async with streaming() as (served, stream, channel):
        channel.publish("1")
        served.last.send("2")
        channel.publish("3")
        served.last.session.heartbeat()
        channel.publish("4")
        assert [await stream.packet() for _ in range(3)] == ['a["1"]', "h", 'a["2","3","4"]']


@in_loop
async def test_nothing_comes_before_the_open_packet_nor_past_what_waited() -> None:
    async with serving() as served:
        session = new_session()
        await served.poll(session)
        channel = Channel([served.last.session])
        channel.publish("1")
        channel.publish("2")
        async with Stream.open(served.port, session, "xhr_streaming") as stream:
            assert await stream.packet() == 'a["1","2"]'
            channel.publish("3")
            assert await stream.packet() == 'a["3"]'


@in_loop
async def test_nothing_comes_behind_the_close_packet() -> None:
    async with streaming() as (served, stream, channel):
        channel.publish("1")
        served.last.close()
        channel.publish("2")
        assert [await stream.packet() for _ in range(3)] == ['a["1"]', 'c[3000,"Go away!"]', None]


# -------------------------------------------------------------------------------------------------- the response's end


@each
@pytest.mark.parametrize("spare", [0, 1])
@in_loop
async def test_the_limit_counts_to_the_byte(transport: str, spare: int) -> None:
    """With all in one turn: what ends the response, and what comes behind it, is in the fan-out."""
    envelopes = [f"{number:040}" for number in range(6)]
    limit = size_of(transport, "o") + 3 * size_of(transport, packet_of(envelopes[0])) + spare
    async with streaming(transport, response_limit=limit) as (served, stream, channel):
        for envelope in envelopes:
            channel.publish(envelope)
        first = [packet_of(envelope) for envelope in envelopes[: 3 + spare]]
        assert [await stream.packet() for _ in first] == first
        assert await stream.packet() is None
        assert (await stream.call("GET", "/echo/info")).status == 200, "the connection serves the next request"
        path = f"/echo/000/{served.last.session.id}"
        async with Stream.open(served.port, path, transport) as stream:
            assert await stream.packet() == packet_of(*envelopes[3 + spare :])
            channel.publish('"straight again"')
            assert lies_there(stream)


@in_loop
async def test_a_response_over_its_limit_ends_only_when_the_rest_is_out() -> None:
    async with stopped(response_limit=4096) as (served, stream, channel):
        channel.publish("[1]")
        assert await numbers(stream, 0) == [0]
        assert await stream.packet() is None
        async with Stream.open(served.port, f"/echo/000/{served.last.session.id}", "xhr_streaming") as stream:
            assert await stream.packet() == packet_of("[1]")


# ----------------------------------------------------------------------------------------------------- a full socket


@in_loop
async def test_a_chunk_taken_in_part_is_completed_and_what_follows_waits() -> None:
    async with stopped(response_limit=2**25) as (served, stream, channel):
        for number in range(1, 5):
            channel.publish(f"[{number}]")
        served.last.send("[5]")
        served.last.session.heartbeat()
        await turns()
        assert served.last.session.waiting == 5
        assert await numbers(stream, 5) == [0, 1, 2, 3, 4, 5]
        await until(lambda: not served.router.budget.used, "all is off the account")
        channel.publish("[6]")
        assert lies_there(stream), "straight again"


@in_loop
async def test_a_socket_that_is_just_full() -> None:
    async with streaming() as (served, stream, channel):
        response = receiver(served)
        send = response._send

        def full(data: bytes) -> int:
            raise BlockingIOError

        response._send = full
        channel.publish("1")
        response._send = send
        channel.publish("2")
        assert nothing_lies_there(stream)
        assert await stream.packet() == 'a["1","2"]'
        channel.publish("3")
        assert lies_there(stream)


@in_loop
async def test_a_heartbeat_under_way_holds_up_frames() -> None:
    async with streaming() as (served, stream, channel):
        stream.writer.transport.pause_reading()
        session = served.last.session
        receiver(served)._connection.write(b"x" * LARGE)  # something that the socket does not take
        session.heartbeat()
        read_some(stream, 2**20)
        channel.publish("[1]")  # for which there would be room now
        session.heartbeat()  # another beat, before the first one has left
        channel.publish("[1]")
        assert session.waiting == 2
        stream.writer.transport.resume_reading()
        assert len(await stream.packet()) == LARGE
        assert [await stream.packet() for _ in range(2)] == ["h", packet_of("[1]", "[1]")]


@in_loop
async def test_one_that_does_not_fit_the_node_is_cut_behind_its_chunk() -> None:
    async with streaming(budget=Budget(2**25, 2**20), response_limit=2**30) as (served, stream, channel):
        stream.writer.transport.pause_reading()
        channel.publish(f'[0,"{"x" * LARGE}"]')
        assert served.router.budget.cut == 1
        assert served.last.session.closed
        assert served.last.ended is None, "the application is not told within the fan-out"
        channel.publish("[1]")
        await until(lambda: served.last.ended == 3002, "it is told")
        assert await numbers(stream, 0) == [0]
        assert (await stream.packet())[:6] == "c[3002"
        assert await stream.packet() is None


# ------------------------------------------------------------------------------------------------- a client that goes


@pytest.mark.parametrize("more", ["", "GET /next HTTP/1.1\r\n"], ids=["quiet", "with its next request begun"])
@pytest.mark.parametrize("how", ["reset", "closed"])
@in_loop
async def test_a_client_that_vanishes_costs_the_others_nothing(how: str, more: str) -> None:
    """It is found out by the send itself, in the midst of a fan-out."""
    async with serving() as served, Stream.open(served.port, new_session(), "xhr_streaming") as other:
        line = socket.create_connection(("127.0.0.1", served.port))
        session = new_session()
        line.sendall(f"POST {session}/xhr_streaming HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n".encode())
        await until(lambda: len(served.made) == 2 and served.last.session.has_receiver, "both are here")
        line.sendall(more.encode())
        await turns()
        channel = Channel([served.made[1].session, served.made[0].session])
        if how == "reset":
            line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        line.close()
        for number in range(5):
            channel.publish(str(number))
        assert served.last.ended is None, "the application is not told within the fan-out"
        assert await other.packet() == "o"
        assert [await other.packet() for _ in range(5)] == [packet_of(str(number)) for number in range(5)]
        await until(lambda: served.last.ended == 1002, "it is told")
        assert await served.poll(session) == 'c[1002,"Connection interrupted"]'
        assert served.made[0].ended is None


@in_loop
async def test_a_client_that_vanishes_behind_a_part_of_a_chunk() -> None:
    async with streaming() as (served, _, channel):
        response = receiver(served)
        send = response._send

        def breaks(data: bytes) -> int:
            sent: int = send(data[:10])
            response._connection.stream.socket.shutdown(socket.SHUT_RDWR)
            return sent

        response._send = breaks
        channel.publish(f'"{"x" * 1000}"')
        assert served.last.ended is None, "the application is not told within the fan-out"
        await until(lambda: served.last.ended == 1002, "it is told")
        assert not served.router.budget.used


@in_loop
async def test_a_socket_that_fails_ends_the_session() -> None:
    """For a reason of which nobody would tell the loop."""
    async with streaming() as (served, stream, channel):

        def fails(data: bytes) -> int:
            raise OSError(errno.ENOBUFS, "told to")

        receiver(served)._send = fails
        channel.publish("1")
        channel.publish("2")
        assert served.last.ended is None, "the application is not told within the fan-out"
        assert await stream.ended()
        assert served.last.ended == 1002


@in_loop
async def test_one_that_is_aborted_takes_nothing_more() -> None:
    async with streaming() as (served, stream, channel):
        served.last.session.abort()
        channel.publish("1")
        assert served.last.ended == 1006
        with pytest.raises(ValueError, match="base 16"):  # the connection ends without the last chunk
            await stream.packet()


@in_loop
async def test_a_response_whose_stream_is_closed_takes_nothing_more() -> None:
    """Between the close and the turn in which Tornado tells of it."""
    async with streaming() as (served, _, channel):
        receiver(served)._connection.stream.close()
        channel.publish("1")
        assert served.last.ended is None
        await until(lambda: served.last.ended == 1002, "the application is told")
