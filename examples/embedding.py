"""A push server inside an existing Tornado application.

    python examples/embedding.py

The application keeps its own routes; the push server's are added to them. Building both at import is fine: nothing is
bound to an event loop before ``await push.start()``.
"""

from __future__ import annotations

import asyncio
import sys

from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application, RequestHandler

from sethpusher_core import PushServer

push = PushServer()


class OrderHandler(RequestHandler):
    """A page of the application that tells everybody who watches."""

    async def post(self, number: str) -> None:
        """Says that an order has been shipped."""
        await push.publish("orders", {"order": number, "state": "shipped"})
        self.write({"shipped": number})


application = Application([(r"/orders/(\d+)/ship", OrderHandler), *push.routes()])


async def main(port: int = 8888) -> None:
    """Serves until cancelled, then lets the push server say goodbye."""
    await push.start()
    [listening] = bind_sockets(port, "127.0.0.1")
    listener = HTTPServer(application)
    listener.add_socket(listening)
    print(f"http://127.0.0.1:{listening.getsockname()[1]}/", flush=True)
    try:
        await asyncio.Event().wait()
    finally:
        listener.stop()
        await push.stop()


if __name__ == "__main__":
    try:
        asyncio.run(main(*map(int, sys.argv[1:2])))
    except KeyboardInterrupt:
        pass
