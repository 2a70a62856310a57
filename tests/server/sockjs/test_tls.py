"""TLS: frames cannot go past the stream to the socket; what is promised holds all the same."""

from __future__ import annotations

import asyncio
import json
import shutil
import ssl
import subprocess
from pathlib import Path

import pytest
from server.sockjs.kit import Channel, Http, Stream, WebSocket, new_session, serving, until
from support.loops import in_loop

from sethpusher_core.transports.outlet import Budget

Contexts = tuple[ssl.SSLContext, ssl.SSLContext]


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Contexts:
    """Contexts for the server and its clients, by a certificate of their own."""
    if shutil.which("openssl") is None:
        pytest.skip("no openssl here to make a certificate with")
    folder: Path = tmp_path_factory.mktemp("tls")
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    what = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2"]
    subprocess.run([*command, *what, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(certificate, key)
    return server, ssl.create_default_context(cafile=str(certificate))


@in_loop
async def test_websockets_over_tls(tls: Contexts) -> None:
    async with serving(tls=tls[0]) as served:
        async with WebSocket.connect(served, tls=tls[1]) as framed:
            await framed.opened()
            assert served.last.session.blocked, "nothing may go past the stream"
            framed.text('["a"]')
            assert await framed.receive() == 'a["a"]'
            served.last.close()
            assert await framed.receive() == 'c[3000,"Go away!"]'
            assert await framed.closed() == (3000, "Go away!")
        async with WebSocket.connect(served, "/echo/websocket", tls=tls[1]) as bare:
            bare.raw(b"\x81\x01x")  # not masked
            assert (await bare.closed())[0] == 1002


@in_loop
async def test_order_over_tls(tls: Contexts) -> None:
    async with (
        serving(tls=tls[0], budget=Budget(2**26)) as served,
        WebSocket.connect(served, "/echo/websocket", tls=tls[1]) as ws,
    ):
        channel = Channel([served.last.session])
        ws.writer.transport.pause_reading()
        count = 0
        while served.router.budget.used < 2**21:
            channel.publish(f'{{"n":{count},"p":"{"x" * (count * 37 % 30_000)}"}}')
            served.last.send(f'{{"n":{count + 1}}}')
            count += 2
            if not count % 50:
                await asyncio.sleep(0)
        ws.writer.transport.resume_reading()
        numbers = []
        while len(numbers) < count:
            text = await ws.receive()
            assert isinstance(text, str)
            numbers.append(json.loads(text)["n"])
        assert numbers == list(range(count))
        await until(lambda: served.router.budget.used == 0, "all is off the account")
        assert served.last.session.blocked


@in_loop
async def test_a_reader_that_stops_is_cut_over_tls(tls: Contexts) -> None:
    async with (
        serving(tls=tls[0], budget=Budget(2**18)) as served,
        WebSocket.connect(served, "/echo/websocket", tls=tls[1]) as ws,
    ):
        channel = Channel([served.last.session])
        ws.writer.transport.pause_reading()
        for _ in range(2000):
            channel.publish('"' + "x" * 20_000 + '"')
            await asyncio.sleep(0)
            if served.last.ended:
                break
        assert served.last.ended == 3002


@in_loop
async def test_http_transports_over_tls(tls: Contexts) -> None:
    async with serving(tls=tls[0]) as served:
        session = new_session()
        async with Stream.open(served.port, session, "xhr_streaming", tls=tls[1]) as stream:
            assert await stream.packet() == "o"
            async with Http.connect(served.port, tls=tls[1]) as http:
                assert (await http.call("POST", f"{session}/xhr_send", '["a"]')).status == 204
                assert (await http.call("POST", f"{session}/xhr")).text.startswith("c[2010,")
            assert await stream.packet() == 'a["a"]'
            Channel([served.last.session]).publish('"b"')
            assert await stream.packet() == 'a["\\"b\\""]'
        await until(lambda: served.last.ended == 1002, "the application is told")
