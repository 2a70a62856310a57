"""The way in: requests, client messages, and a publication up to the backend."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from pytest_benchmark.fixture import BenchmarkFixture
from tornado.httputil import HTTPHeaders, RequestStartLine

from sethpusher_core import jsontext
from sethpusher_core.addresses import Address
from sethpusher_core.api.exchange import PostEndpoint
from sethpusher_core.api.routes import post_endpoints
from sethpusher_core.backends.base import Position
from sethpusher_core.front.head import read_head
from sethpusher_core.identity import ANONYMOUS
from sethpusher_core.protocol import ClientMessage
from sethpusher_core.publication import Publication, read_payload, with_position
from sethpusher_core.server import PushServer
from sethpusher_core.settings.core import CoreSettings
from sethpusher_core.settings.rules import ChannelRule
from sethpusher_core.transports.packets import read_messages
from sethpusher_core.transports.wire import Wire

NEWS = Address.channel("news")
SMALL = b'{"t":"@1234567890123456789@"}'
LARGE = b'{"t":"%b"}' % (b"x" * 4096)
POST = (
    b"POST /api/channels/news/ HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nAccept: */*\r\nUser-Agent: bench\r\n"
    b"Authorization: Bearer abc\r\nContent-Type: application/json\r\nContent-Length: 29\r\n\r\n"
)


class Served:
    """A server on a loop of its own, which runs while something is awaited."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        rules = (*(ChannelRule(f"other{number}.*") for number in range(20)), ChannelRule("kept", history=100))
        self.push = PushServer(CoreSettings(channels=rules))
        self.run(self.push.start())

    def run(self, work: Any) -> Any:
        return self.loop.run_until_complete(work)

    def close(self) -> None:
        self.run(self.push.stop())
        self.loop.close()


@pytest.fixture
def served() -> Iterator[Served]:
    served = Served()
    yield served
    served.close()


@pytest.mark.parametrize("text", [SMALL, LARGE], ids=["small", "4KiB"])
def test_check_published_json(benchmark: BenchmarkFixture, text: bytes) -> None:
    assert benchmark(jsontext.sender_of, text) == b"null"


def test_payload_there_and_back(benchmark: BenchmarkFixture) -> None:
    publication = Publication(NEWS, SMALL, "1")
    assert benchmark(lambda: read_payload(publication.payload())).kind == b"P"


def test_position_in_an_envelope(benchmark: BenchmarkFixture) -> None:
    position = Position("5f0e8f0a6a1c", 123_456)
    assert benchmark(with_position, b'{"message":1}', position).endswith(b"}")


def test_head_of_a_request(benchmark: BenchmarkFixture) -> None:
    head = benchmark(read_head, POST + SMALL)
    assert head is not None
    assert head.length == len(SMALL)


class Answered:
    """The connection of one request."""

    context = None

    def __init__(self) -> None:
        self.status = 0

    def write_headers(self, start_line: Any, headers: HTTPHeaders, chunk: bytes) -> None:
        self.status = start_line.code

    def finish(self) -> None:
        """See Tornado."""


@pytest.mark.parametrize("channel", ["news", "kept"])
def test_http_publish(benchmark: BenchmarkFixture, served: Served, channel: str) -> None:
    """From the head to the answer, without sockets; a thousand in a row."""
    [endpoint] = [one for one in post_endpoints(served.push) if one.path.fullmatch("/api/channels/news/")]
    headers = HTTPHeaders({"Host": "a"})
    start_line = RequestStartLine("POST", f"/api/channels/{channel}/", "HTTP/1.1")

    async def publish_1000(endpoint: PostEndpoint) -> int:
        connection: Any = Answered()
        for _ in range(1000):
            exchange: Any = endpoint.start_request(None, connection)
            exchange.headers_received(start_line, headers)
            exchange.data_received(SMALL)
            exchange.finish()
        return int(connection.status)

    assert benchmark(lambda: served.run(publish_1000(endpoint))) == 200


@pytest.mark.parametrize("channel", ["news", "kept"])
def test_publish_a_batch_of_100(benchmark: BenchmarkFixture, served: Served, channel: str) -> None:
    push, address = served.push, Address.channel(channel)

    async def publish() -> list[Any]:
        return await push.publish_many([push.publication(address, SMALL, b"null") for _ in range(100)])

    assert len(benchmark(lambda: served.run(publish()))) == 100


def test_authorize_where_nobody_asks(benchmark: BenchmarkFixture, served: Served) -> None:
    access = served.push.access

    async def ask_1000() -> None:
        for _ in range(1000):
            await access.authorize(ANONYMOUS, "publish", NEWS)

    benchmark(lambda: served.run(ask_1000()))


def test_rule_of_a_channel_seen_before(benchmark: BenchmarkFixture, served: Served) -> None:
    assert benchmark(served.push.rule_of, Address.channel("kept")).history == 100


def test_sockjs_text_to_message(benchmark: BenchmarkFixture) -> None:
    text = '["{\\"type\\": \\"subscribe\\", \\"channel\\": \\"news\\", \\"id\\": 1}"]'
    message = benchmark(lambda: ClientMessage.decode(read_messages(text)[0]))
    assert message.fields["type"] == "subscribe"


def test_websocket_frame_to_text(benchmark: BenchmarkFixture) -> None:
    text = b'{"type": "subscribe", "channel": "news", "id": 1}'
    data = bytes((0x81, 0x80 | len(text), 0, 0, 0, 0)) + text
    wire = Wire(65536)

    def read() -> list[str | bytes]:
        wire.receive_data(data)
        return list(wire.messages())

    assert benchmark(read) == [text.decode()]
