"""What the outbox of persist_http costs: publishing with it beside publishing without it, in one run.

    python -m benchmarks.outbox [--batches N] [--size N] [--connections N] [--rounds N]

Rounds alternate between a server without persister, and one with the outbox in each durability; figures are medians
over the rounds. All publish through the batch API, as fast as they are answered, from some connections of one process;
the API that the outbox posts to is another process on this machine. It counts: a publication that was answered 200 and
has not come in the end is a failure, not a result. Latencies are those of a whole call, so of a batch.

Beside them stands the group commit alone: as many rows as a batch has, put into an outbox on the same disk, one commit
after the other, by a process that does nothing else.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

SECONDS: Final = 60.0
WARM_UP: Final = 5
"""Calls of each connection that are made before, and not measured."""
KINDS: Final = ("none", "memory", "process", "power")


def main() -> None:
    """Measures and prints; or is the API, when it is told so."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batches", type=int, default=400, help="calls per round")
    parser.add_argument("--size", type=int, default=100, help="publications in a call")
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--api", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.api:
        asyncio.run(_api())
        return
    figures: dict[str, list[dict[str, float]]] = {kind: [] for kind in KINDS}
    with _process([sys.executable, __file__, "--api"], "stdout") as api:
        for _ in range(options.rounds):
            for kind in KINDS:
                with tempfile.TemporaryDirectory(dir=".") as folder:
                    figures[kind].append(_round(kind, Path(folder), api, options))
        with tempfile.TemporaryDirectory(dir=".") as folder:
            commits = _commits(Path(folder), options)
    _report(figures, commits)


def _round(kind: str, folder: Path, api: int, options: argparse.Namespace) -> dict[str, float]:
    command = [sys.executable, "-m", "sethpusher_core", "--port=0", f"--state-dir={folder.resolve()}"]
    command += ["--load-plugins=persist_http"]
    if kind != "none":
        command += [f"--persist-http-api-url=http://127.0.0.1:{api}/", f"--persist-http-durability={kind}"]
    with _process(command, "stderr") as port:
        begun = asyncio.run(_posted(api))
        return asyncio.run(_load(port, api if kind != "none" else None, begun, options))


async def _load(port: int, api: int | None, begun: int, options: argparse.Namespace) -> dict[str, float]:
    publications = [{"channel": f"bench.{number % 10}", "message": {"n": number}} for number in range(options.size)]
    body = json.dumps({"publications": publications}).encode()
    request = b"POST /api/batch/ HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
    left, latencies = WARM_UP * options.connections, []

    async def publish() -> None:
        nonlocal left
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 22)
        while left > 0:
            left -= 1
            began = time.perf_counter()
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            found = re.search(rb"(?i)content-length: (\d+)", head)
            answer = await reader.readexactly(int(found[1])) if found else b""
            latencies.append(time.perf_counter() - began)
            if answer.count(b'"status":200') != options.size + 1:
                raise SystemExit(f"not taken: {head!r} {answer[:200]!r}")
        writer.close()

    await asyncio.gather(*(publish() for _ in range(options.connections)))
    if api is not None:
        begun += WARM_UP * options.connections * options.size
        await _until_posted(api, begun)
    left, latencies = options.batches, []
    began = time.perf_counter()
    await asyncio.gather(*(publish() for _ in range(options.connections)))
    published = time.perf_counter()
    total = options.batches * options.size
    figures = {
        "rate": total / (published - began),
        "p50": statistics.median(latencies),
        "p99": sorted(latencies)[int(len(latencies) * 0.99)],
    }
    if api is not None:
        behind = total - (await _posted(api) - begun)
        await _until_posted(api, begun + total)
        figures["behind"] = behind / total
        figures["posted"] = total / (time.perf_counter() - began)
    return figures


async def _until_posted(api: int, count: int) -> None:
    deadline = time.perf_counter() + SECONDS
    while await _posted(api) < count:
        if time.perf_counter() > deadline:
            raise SystemExit("what was answered 200 has not come to the API")
        await asyncio.sleep(0.01)


def _commits(folder: Path, options: argparse.Namespace) -> dict[str, list[float]]:
    from sethpusher_persist_http.files import OutboxFiles
    from sethpusher_persist_http.groups import Bounds, Group
    from sethpusher_persist_http.letters import NewLetter
    from sethpusher_persist_http.outbox import Outbox

    body = (
        b'{"id":"94c2abe4b448-1","channel":"bench.1","message":{"n":1},"sender_id":null,"accepted_at":1795667704.935}'
    )
    times: dict[str, list[float]] = {}
    for kind, synchronous in (("process", "NORMAL"), ("power", "FULL")):
        files = OutboxFiles(folder / kind)
        files.acquire()
        outbox = Outbox(files, Bounds(), synchronous=synchronous)
        batch = [NewLetter(f"94c2abe4b448-{n:x}", 1, '{"channel":"bench.1"}', body, False) for n in range(options.size)]
        times[kind] = []
        for _ in range(200):
            began = time.perf_counter()
            outbox.commit(Group([batch]))
            times[kind].append(time.perf_counter() - began)
        outbox.close()
        files.release()
    return times


def _report(figures: dict[str, list[dict[str, float]]], commits: dict[str, list[float]]) -> None:
    def median(kind: str, name: str) -> float:
        return statistics.median(round[name] for round in figures[kind])

    base = median("none", "rate")
    print("outbox     publications/s  ratio   p50 ms   p99 ms   not posted at the end   posted/s, to the last")
    for kind in KINDS:
        rate = median(kind, "rate")
        line = f"{kind:10} {rate:14.0f} {rate / base:6.2f}"
        line += f" {median(kind, 'p50') * 1e3:8.1f} {median(kind, 'p99') * 1e3:8.1f}"
        if kind != "none":
            line += f" {median(kind, 'behind'):20.1%} {median(kind, 'posted'):20.0f}"
        print(line)
    for kind, times in commits.items():
        print(
            f"a commit alone, {kind:8} p50 {statistics.median(times) * 1e3:5.1f} ms, "
            f"p99 {sorted(times)[int(len(times) * 0.99)] * 1e3:5.1f} ms"
        )


@contextmanager
def _process(command: list[str], stream: str) -> Iterator[int]:
    """A process that says in its first lines on which port it listens."""
    pipes: dict[str, Any] = {"stdout": subprocess.DEVNULL, stream: subprocess.PIPE, "text": True}
    process = subprocess.Popen(command, **pipes)
    try:
        lines = getattr(process, stream)
        port = next(int(found[1]) for line in lines if (found := re.search(r"http://127\.0\.0\.1:(\d+)/", line)))
        yield port
    finally:
        process.terminate()
        process.communicate(timeout=SECONDS)


async def _posted(api: int) -> int:
    reader, writer = await asyncio.open_connection("127.0.0.1", api)
    writer.write(b"GET / HTTP/1.0\r\n\r\n")
    answer = await reader.read()
    writer.close()
    return int(answer.rpartition(b"\r\n")[2])


async def _api() -> None:
    """Takes posts, and answers a GET with how many publications have come."""
    count = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal count
        head = await reader.readuntil(b"\r\n\r\n")
        found = re.search(rb"(?i)content-length: (\d+)", head)
        body = await reader.readexactly(int(found[1])) if found else b""
        count += body.count(b'"accepted_at":')
        text = b"%d" % count
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%b" % (len(text), text))
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, limit=1 << 24)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    main()
