"""Usage: python tornado_app.py PORT. Tornado's own websockets, with the loop of its example of a chat."""

from __future__ import annotations

import asyncio
import sys

from hub import Hub
from tornado.web import Application, RequestHandler
from tornado.websocket import WebSocketClosedError, WebSocketHandler


class Subscriber(WebSocketHandler):
    """One client."""

    def initialize(self, hub: Hub[WebSocketHandler]) -> None:
        """Called by Tornado."""
        self.hub = hub

    def on_message(self, message: str | bytes) -> None:
        """Called by Tornado."""
        if answer := self.hub.said(self, message):
            self.write_message(answer)

    def on_close(self) -> None:
        """Called by Tornado."""
        self.hub.forget(self)


class Publisher(RequestHandler):
    """POST."""

    def initialize(self, hub: Hub[WebSocketHandler]) -> None:
        """Called by Tornado."""
        self.hub = hub

    def post(self) -> None:
        """Called by Tornado."""
        self.hub.posted(self.request.path, self.request.body)
        self.write({"status": 200})


def deliver(clients: set[WebSocketHandler], text: str) -> None:
    """To each in turn."""
    for client in clients:
        try:
            client.write_message(text)
        except WebSocketClosedError:
            pass  # it is closing, and on_close comes


async def main(port: int) -> None:
    """Serves until it is ended."""
    hub: Hub[WebSocketHandler] = Hub(deliver)
    routes = [("/", Subscriber, {"hub": hub}), ("/channels/.*|/batch", Publisher, {"hub": hub})]
    Application(routes, log_function=lambda handler: None).listen(port, "127.0.0.1", backlog=4096)
    await asyncio.get_running_loop().create_future()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
