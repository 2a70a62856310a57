"""Usage: python websockets_app.py PORT PUBLISH-PORT. The library websockets; HTTP, which it does not serve, by hand."""

from __future__ import annotations

import asyncio
import sys

from hub import Hub
from websockets.asyncio.server import ServerConnection, broadcast, serve

ANSWER = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 14\r\n\r\n{"status":200}'


async def main(port: int, publish_port: int) -> None:
    """Serves until it is ended."""
    hub: Hub[ServerConnection] = Hub(broadcast)

    async def subscriber(client: ServerConnection) -> None:
        try:
            async for text in client:
                if answer := hub.said(client, text):
                    await client.send(answer)
        finally:
            hub.forget(client)

    async def publisher(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """The least that HTTP can be: one POST after another, each with its length."""
        try:
            while True:
                request, *headers = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
                length = next(line.partition(":")[2] for line in headers if line.lower().startswith("content-length:"))
                hub.posted(request.split(" ")[1], await reader.readexactly(int(length)))
                writer.write(ANSWER)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async with (
        serve(subscriber, "127.0.0.1", port, compression=None, ping_interval=None, backlog=4096),
        await asyncio.start_server(publisher, "127.0.0.1", publish_port),
    ):
        await asyncio.get_running_loop().create_future()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2])))
