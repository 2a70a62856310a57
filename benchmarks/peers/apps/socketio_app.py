"""Usage: python socketio_app.py PORT [REDIS-URL]. python-socketio on aiohttp, which it takes itself when not told."""

from __future__ import annotations

import json
import sys
from typing import Any

import socketio
from aiohttp import web


def main(port: int, redis_url: str | None = None) -> None:
    """Serves until it is ended."""
    manager = socketio.AsyncRedisManager(redis_url) if redis_url else None
    # The load generator answers no pings, so there are none.
    server = socketio.AsyncServer(
        async_mode="aiohttp",
        client_manager=manager,
        transports=["websocket"],
        ping_interval=3600,
        http_compression=False,
    )

    async def publish(channel: str, message: Any) -> None:
        envelope = {"message": message, "sender_id": None, "channel": channel}
        await server.emit("message", envelope, room=channel)

    async def posted(request: web.Request) -> web.Response:
        content = json.loads(await request.read())
        if request.path == "/batch":
            for one in content["publications"]:
                await publish(one["channel"], one["message"])
        else:
            await publish(request.match_info["channel"], content)
        return web.json_response({"status": 200})

    @server.event  # type: ignore[untyped-decorator]
    async def subscribe(client: str, channel: str) -> str:
        await server.enter_room(client, channel)
        return "in"

    @server.event  # type: ignore[untyped-decorator]
    async def unsubscribe(client: str, channel: str) -> str:
        await server.leave_room(client, channel)
        return "out"

    @server.on("publish")  # type: ignore[untyped-decorator]
    async def client_publish(_: str, channel: str, message: Any) -> None:
        await publish(channel, message)

    application = web.Application()
    server.attach(application)
    application.router.add_post("/channels/{channel}", posted)
    application.router.add_post("/batch", posted)
    web.run_app(application, host="127.0.0.1", port=port, backlog=4096, access_log=None, print=None)


if __name__ == "__main__":
    main(int(sys.argv[1]), *sys.argv[2:])
