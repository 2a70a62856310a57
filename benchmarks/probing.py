"""How long a server lets a stranger wait while it fans out: a publication of somebody else's, again and again.

What is told is what a user sees: the round trip of a POST, to a channel in which nobody is, on a connection that stays
open. It is longer than the server
holds its loop by what its other work in the same turn takes, and by what the kernel needs. The asking thread has
real-time priority where the system allows it: two cores are busy with server and generator, and without it the figure
would be the thread's own wait for one of them. Beside it stands how much the server worked meanwhile, by its own CPU
clock: what it did before it turned to the stranger, without the time in which the machine let it wait, too.
"""

from __future__ import annotations

import os
import socket
import threading
from time import clock_gettime_ns, monotonic_ns
from types import TracebackType
from typing import Final, NamedTuple, Self

from .loading import Failure
from .peers.base import Publish

__all__ = ["Probe", "cpu_clock"]

PAUSE_SECONDS: Final = 0.002
ANSWER_SECONDS: Final = 20.0


class _Asked(NamedTuple):
    """A request: when it began and ended, and the CPU time of the server in between; all in nanoseconds."""

    begin: int
    end: int
    cpu: int


def cpu_clock(pid: int) -> int:
    """The clock of a process's CPU time, as Linux numbers it (``clock_getcpuclockid(3)``)."""
    return (~pid << 3) | 2


class Probe:
    """Asks while its block lasts."""

    def __init__(self, port: int, publish: Publish, pid: int) -> None:
        """Makes one that publishes what stands there, as it stands there, to the server that the process is."""
        self._server_clock = cpu_clock(pid)
        lines = (f"POST {publish.path} HTTP/1.1", f"Host: 127.0.0.1:{port}", *publish.headers)
        head = "\r\n".join((*lines, f"Content-Length: {len(publish.body)}"))
        self._request = f"{head}\r\n\r\n{publish.body}".encode()
        self._socket = socket.create_connection(("127.0.0.1", port), ANSWER_SECONDS)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._ended = threading.Event()
        self._asked: list[_Asked] = []
        self._failure: str | None = None
        self._hurried = False
        self._thread = threading.Thread(target=self._ask, name="probe", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._ended.set()
        self._thread.join(ANSWER_SECONDS)
        self._socket.close()

    def join(self, seconds: float) -> None:
        """Waits, at most so long, until it asks no more because of a failure."""
        self._thread.join(seconds)

    def figures(self, began_ns: float, ended_ns: float) -> dict[str, float]:
        """What requests took that were under way between two moments of CLOCK_MONOTONIC.

        Raises:
            Failure: One was not answered, or there was none.
        """
        if self._failure:
            raise Failure(f"the stranger's request: {self._failure}")
        asked = [one for one in self._asked if one.end >= began_ns and one.begin <= ended_ns]
        if not asked:
            raise Failure("no stranger's request fell into the fan-outs")
        times = sorted((one.end - one.begin) / 1000 for one in asked)
        return {
            "hold_p50_us": times[len(times) // 2],
            "hold_p99_us": times[int(len(times) * 0.99)],
            "hold_max_us": times[-1],
            "hold_cpu_max_us": max(one.cpu for one in asked) / 1000,
            "hold_requests": float(len(times)),
            "hold_hurried": float(self._hurried),
        }

    def _ask(self) -> None:
        try:
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
            self._hurried = True
        except OSError:
            pass
        try:
            while not self._ended.wait(PAUSE_SECONDS):
                cpu, begin = clock_gettime_ns(self._server_clock), monotonic_ns()
                self._socket.sendall(self._request)
                self._answer()
                self._asked.append(_Asked(begin, monotonic_ns(), clock_gettime_ns(self._server_clock) - cpu))
        except OSError as error:
            self._failure = str(error) or type(error).__name__

    def _answer(self) -> None:
        """Reads one response that has a Content-Length."""
        got = b""
        while b"\r\n\r\n" not in got:
            got += self._more()
        head, _, body = got.partition(b"\r\n\r\n")
        lengths = [
            line.partition(b":")[2] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")
        ]
        left = int(lengths[0]) - len(body) if lengths else 0
        while left > 0:
            left -= len(self._more())

    def _more(self) -> bytes:
        got = self._socket.recv(65536)
        if not got:
            raise OSError("the server closed the connection")
        return got
