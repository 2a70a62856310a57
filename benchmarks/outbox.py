"""What the outbox of persist_http costs: publishing with it beside publishing without it, in one run.

    python -m benchmarks.outbox [--rounds N] [--publications N] [--batch N] [--connections N] [--seconds N]

Needs a C compiler. Rounds alternate between a server without a persister, and one with the outbox in each durability;
figures are medians over the rounds, and a ratio is that of two floods of one round.

*Flood*: all publish through the batch API, as fast as they are answered, from the C load generator, which sleeps when
it has nothing to do. The API that the outbox posts to is a process on this machine that only counts and answers. A
publication that was answered and has not come there in the end is a failure, not a result.

*Singles*: one publication in each call, over HTTP, at half the rate that such calls reach at the most with the same
connections. Beside their latency stands how long the group commits took meanwhile, in that very server: a publication
waits for the commit under way and for its own; what its p99 has beyond two of theirs, and beyond what it is without an
outbox, is the hand-over between the event loop and the thread that writes.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import re
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, cast
from unittest.mock import patch

from .loading import Load, run
from .peers.base import Dial, Publish, Running
from .peers.sethpusher import SethPusher
from .processes import free_port, started
from .programs import built

SECONDS: Final = 60.0
KINDS: Final = ("none", "memory", "process", "power")
CHANNELS: Final = 10
MARK: Final = b'"accepted_at":'
"""Every publication that is posted has it once."""
SINGLES: Final = 10_000
"""By so many it is found out how many singles in a second a server takes at the most."""
PACED: Final = 64
"""Connections that singles are published over."""
SINGLE: Final = b'POST /api/channels/bench/ HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{"t":"x"}'


@dataclass(frozen=True, slots=True)
class Server:
    """A server that runs.

    Attributes:
        port: Where it listens.
        pid: Its process.
        commits: Where it writes, when it ends, how long its group commits took: see :func:`_serve`.
    """

    port: int
    pid: int
    commits: Path


def main() -> None:
    """Measures and prints; or is the API or a server, when it is told so."""
    if sys.argv[1:2] == ["--api"]:
        asyncio.run(_api(int(sys.argv[2])))
    elif sys.argv[1:2] == ["--serve"]:
        _serve(Path(sys.argv[2]), sys.argv[3:])
    else:
        _measure(_options())


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--publications", type=int, default=100_000, help="in each flood")
    parser.add_argument("--batch", type=int, default=100, help="publications in a call of a flood")
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=5.0, help="for which singles are published")
    return parser.parse_args()


def _measure(options: argparse.Namespace) -> None:
    floods: dict[str, list[dict[str, float]]] = {kind: [] for kind in KINDS}
    singles: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory(dir=".") as scratch:
        folder = Path(scratch)
        api = free_port()
        with started([sys.executable, "-m", "benchmarks.outbox", "--api", str(api)], folder, api) as process:
            for number in range(options.rounds):
                for kind in KINDS:
                    with _server(folder / f"{kind}-{number}", kind, api) as server:
                        floods[kind].append(_flood(server, kind, api, process.pid, options))
            for kind in KINDS:
                with _server(folder / f"{kind}-singles", kind, api) as server:
                    singles[kind] = _singles(server, options)
                singles[kind] |= _commits(server, singles[kind]["began"], singles[kind]["ended"])
    _report(floods, singles)


@contextmanager
def _server(folder: Path, kind: str, api: int) -> Iterator[Server]:
    folder.mkdir()
    port, commits = free_port(), folder / "commits.json"
    command = [sys.executable, "-m", "benchmarks.outbox", "--serve", str(commits), f"--port={port}"]
    command += [f"--state-dir={folder.resolve()}", "--load-plugins=persist_http", "--logging=warning"]
    if kind != "none":
        command += [f"--persist-http-api-url=http://127.0.0.1:{api}/", f"--persist-http-durability={kind}"]
    with started(command, folder, port) as process:
        yield Server(port, process.pid, commits)


def _flood(server: Server, kind: str, api: int, api_pid: int, options: argparse.Namespace) -> dict[str, float]:
    warm_up = 10 * options.batch * options.connections
    load = Load(Dial(), channels=CHANNELS, publish=SethPusher.dialect.batch, batch=options.batch, settle_ms=0)
    load = replace(load, publishers=options.connections, window=options.connections)
    count = _posted(api)
    _publish(server, replace(load, messages=warm_up))
    if kind != "none":
        count = _until_posted(api, count + warm_up)
    cpu = _cpu(api_pid)
    found = _publish(server, replace(load, messages=options.publications))
    if kind != "none":
        _until_posted(api, count + options.publications)
        found["late_ms"] = time.monotonic() * 1e3 - found["ended_ns"] / 1e6
        found["api_cpu_us"] = (_cpu(api_pid) - cpu) / options.publications
    return found


def _publish(server: Server, load: Load) -> dict[str, float]:
    # A core that spins is one that the outbox's thread and the API would not have.
    return run([str(built("load")), "--sleep"], load, Running(server.port, server.port, (server.pid,)))


def _posted(api: int) -> int:
    """How many publications have come to the API."""
    with socket.create_connection(("127.0.0.1", api), SECONDS) as connection:
        connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
        answer = b"".join(iter(lambda: connection.recv(4096), b""))
    return int(answer.rpartition(b"\r\n")[2])


def _until_posted(api: int, count: int) -> int:
    deadline = time.monotonic() + SECONDS
    while _posted(api) < count:
        if time.monotonic() > deadline:
            raise SystemExit("what was answered has not come to the API")
        time.sleep(0.005)
    return count


def _cpu(pid: int) -> float:
    """Microseconds of processor time of a process with one thread."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e3


def _singles(server: Server, options: argparse.Namespace) -> dict[str, float]:
    load = Load(Dial(), publish=Publish(path="/api/channels/bench/"), messages=SINGLES, settle_ms=0)
    rate = _publish(server, replace(load, publishers=PACED, window=PACED))["publications_per_s"] / 2
    began = time.monotonic()
    latencies = asyncio.run(_paced(server.port, rate, options.seconds))
    return {"rate": rate, "began": began, "ended": time.monotonic(), **_percentiles("publish", latencies)}


async def _paced(port: int, rate: float, seconds: float) -> list[float]:
    """Publishes at a rate, over connections that take turns; gives the seconds that each call took."""
    latencies: list[float] = []
    begin = time.monotonic() + 0.1

    async def publish(first: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for number in range(first, int(rate * seconds), PACED):
            await asyncio.sleep(begin + number / rate - time.monotonic())
            began = time.monotonic()
            writer.write(SINGLE)
            answer = await reader.readuntil(b"}")
            latencies.append(time.monotonic() - began)
            if b" 200 OK" not in answer:
                raise SystemExit(f"not taken: {answer!r}")
        writer.close()

    await asyncio.gather(*(publish(first) for first in range(PACED)))
    return latencies


def _percentiles(name: str, seconds: list[float]) -> dict[str, float]:
    seconds = sorted(seconds) or [math.nan]
    return {f"{name} p{percent}": seconds[len(seconds) * percent // 100] * 1e3 for percent in (50, 99)}


def _report(floods: dict[str, list[dict[str, float]]], singles: dict[str, dict[str, float]]) -> None:
    def middle(values: Iterable[float]) -> str:
        values = sorted(values)
        return f"{statistics.median(values):.5g} ({values[0]:.5g} .. {values[-1]:.5g})"

    ratios = {
        kind: [
            own["publications_per_s"] / bare["publications_per_s"]
            for own, bare in zip(runs, floods["none"], strict=True)
        ]
        for kind, runs in floods.items()
    }
    print("flood, in calls of many publications: medians (least .. most)")
    for kind, runs in floods.items():
        print(f"  {kind}")
        print(f"    publications per second      {middle(run['publications_per_s'] for run in runs)}")
        print(f"    of those without an outbox   {middle(round(ratio, 3) for ratio in ratios[kind])}")
        print(f"    server CPU each, us          {middle(run['server_cpu_us_per_publication'] for run in runs)}")
        print(f"    call p50, ms                 {middle(run['publish_p50_us'] / 1e3 for run in runs)}")
        print(f"    call p99, ms                 {middle(run['publish_p99_us'] / 1e3 for run in runs)}")
        if kind != "none":
            print(f"    last one posted, ms later    {middle(run['late_ms'] for run in runs)}")
            print(f"    the API's CPU each, us       {middle(run['api_cpu_us'] for run in runs)}")
    print("singles, at half of what they reach: ms")
    for kind, found in singles.items():
        print(f"  {kind:8} {found['rate']:6.0f}/s", end="")
        print("".join(f"   {name} {found[name]:6.2f}" for name in found if " p" in name))


# ------------------------------------------------------------------------------------------------- other processes


def _serve(commits: Path, arguments: list[str]) -> None:
    """The server, which writes down when each commit of publications began and how long it took."""
    from sethpusher_persist_http.groups import Group, Stored
    from sethpusher_persist_http.outbox import Outbox

    from sethpusher_core.cli import main

    times: list[tuple[float, float]] = []
    commit = Outbox.commit

    def timed(outbox: Outbox, group: Group) -> Stored:
        began = time.monotonic()
        stored = commit(outbox, group)
        if group.batches:
            times.append((began, time.monotonic() - began))
        return stored

    sys.argv[1:] = arguments
    try:
        with patch.object(Outbox, "commit", timed):
            main()
    finally:
        commits.write_text(json.dumps(times))


def _commits(server: Server, began: float, ended: float) -> dict[str, float]:
    """How long the commits between two moments took, of a server that has ended."""
    times = [took for at, took in json.loads(server.commits.read_text()) if began <= at <= ended]
    return _percentiles("commit", times)


class _Api(asyncio.Protocol):
    """Takes posts, counts, and answers a GET with how many publications have come; one request for each connection."""

    count = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._chunks: list[bytes] = []
        self._missing: int | None = None

    def data_received(self, data: bytes) -> None:
        self._chunks.append(data)
        if self._missing is None:
            head, end, _ = b"".join(self._chunks).partition(b"\r\n\r\n")
            if not end:
                return
            found = re.search(rb"(?i)content-length: (\d+)", head)
            self._missing = len(head) + 4 + (int(found[1]) if found else 0)
            data = b"".join(self._chunks)
        self._missing -= len(data)
        if self._missing <= 0:
            _Api.count += b"".join(self._chunks).count(MARK)
            text = b"%d" % _Api.count
            self._transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(text), text))
            self._transport.close()


async def _api(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(_Api, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    main()
