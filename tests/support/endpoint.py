"""An application's API, as a real HTTP server in a thread: it takes posts, fails, stalls and dies, as a test says."""

from __future__ import annotations

import json
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from support.ports import hold_port
from support.timing import UNIT

__all__ = ["Endpoint", "Post", "Reply", "running"]


@dataclass(frozen=True, slots=True)
class Post:
    """One request that came. Names of headers are in lower case."""

    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def publications(self) -> list[dict[str, Any]]:
        found = self.json
        publications: list[dict[str, Any]] = found.get("publications", [found])
        return publications

    @property
    def ids(self) -> list[str]:
        return [publication["id"] for publication in self.publications]


@dataclass(frozen=True, slots=True)
class Reply:
    """What is answered; with ``cut`` nothing is: the connection is cut, whatever became of the post."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: bool = False


class Endpoint:
    """The API.

    Attributes:
        answer: Says what a post is answered; called in the thread of the request, and may wait.
        tried: All posts that came, in order.
        taken: Those that were answered with 2xx.
    """

    def __init__(self, answer: Callable[[Post], Reply] | None = None, tls: ssl.SSLContext | None = None) -> None:
        self._tls = tls
        self.answer: Callable[[Post], Reply] = answer or (lambda post: Reply())
        self.tried: list[Post] = []
        self.taken: list[Post] = []
        self.changed = threading.Condition()
        self._holder = hold_port()
        self.port: int = self._holder.getsockname()[1]
        self._server: ThreadingHTTPServer | None = None

    @property
    def url(self) -> str:
        return f"http{'s' if self._tls else ''}://127.0.0.1:{self.port}"

    def start(self) -> Endpoint:
        """Listens, always on the same port."""
        deadline = time.monotonic() + UNIT
        while self._server is None:
            try:
                self._server = _Server(("127.0.0.1", self.port), self._handler())
            except OSError:  # a process that is just being made still holds a copy of the socket from before
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.01)
        if self._tls is not None:
            self._server.socket = self._tls.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.005})
        self._thread.start()
        return self

    def stop(self) -> None:
        """Refuses connections from now on; what is under way ends."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._thread.join(UNIT)
            self._server = None

    def close(self) -> None:
        """Stops for good."""
        self.stop()
        self._holder.close()

    @property
    def publications(self) -> list[dict[str, Any]]:
        """All that was taken, repeats included, in order."""
        with self.changed:
            return [publication for post in self.taken for publication in post.publications]

    def wait_for(self, condition: Callable[[], bool], what: str, times: float = 1) -> None:
        """Waits until something holds of what came."""
        with self.changed:
            assert self.changed.wait_for(condition, times * UNIT), f"waited in vain for this: {what}"

    def wait_for_taken(self, count: int, times: float = 1) -> list[dict[str, Any]]:
        """Waits until so many publications were taken, and gives all."""
        self.wait_for(lambda: len(self.publications) >= count, f"{count} publications are taken", times)
        return self.publications

    def wait_for_tried(self, count: int) -> Sequence[Post]:
        """Waits until so many posts came, and gives all."""
        self.wait_for(lambda: len(self.tried) >= count, f"{count} posts come")
        return list(self.tried)

    def _handle(self, post: Post) -> Reply:
        with self.changed:
            self.tried.append(post)
            self.changed.notify_all()
        reply = self.answer(post)
        if 200 <= reply.status < 300:
            with self.changed:
                self.taken.append(post)
                self.changed.notify_all()
        return reply

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                reply = endpoint._handle(Post(self.path, headers, body))
                self.close_connection = True
                if reply.cut:
                    return
                self.send_response(reply.status)
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(reply.body)))
                self.end_headers()
                self.wfile.write(reply.body)

            def log_message(self, *arguments: Any) -> None:
                pass

        return Handler


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, *arguments: Any) -> None:
        """A client that does not wait for the answer is no news."""


@contextmanager
def running(answer: Callable[[Post], Reply] | None = None, tls: ssl.SSLContext | None = None) -> Iterator[Endpoint]:
    """An endpoint that is closed in the end."""
    endpoint = Endpoint(answer, tls)
    try:
        yield endpoint.start()
    finally:
        endpoint.close()
