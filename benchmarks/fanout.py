"""What a delivery costs: this server beside the floor, a bare C loop of send(), in one run.

    python benchmarks/fanout.py [--subscribers N] [--messages N] [--rounds N] [--publishers N] [--batch N]

Needs a C compiler. Rounds alternate between the two servers; the figures are medians over the rounds, and what counts
is their ratio: CPU time is the operating system's accounting of the server process alone. Announce is off, the clients
are SockJS websockets of one channel, and every delivery is counted: a run that misses one is a failure, not a result.

With ``--batch`` each round also publishes through ``POST /api/batch/``, so many in one call, to a channel in which
nobody is, with and without history; what a publication costs then stands beside a delivery of the floor.
"""

from __future__ import annotations

import argparse
import json
import re
import socket
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep
from typing import Any, Final

HERE: Final = Path(__file__).parent
START_SECONDS: Final = 20.0
SETTINGS: Final = """
[[channels]]
match = "kept"
announce = false
history = 100

[[channels]]
match = "*"
announce = false
"""
BATCHES: Final = {"bench": "publication in a batch", "kept": "the same where history is kept"}
BATCH_REQUESTS: Final = 200
"""Calls per round and channel."""
# fanload reads backslashes in --sub itself, so those of JSON are doubled.
SUBSCRIBE: Final = json.dumps([json.dumps({"type": "subscribe", "channel": "bench"})]).replace("\\", "\\\\")


def main() -> None:
    """Measures and prints."""
    options = _options()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        for program, source in (("floor", HERE / "load/floor.c"), ("fanload", HERE / "fanload.c")):
            subprocess.run(["cc", "-O2", "-o", folder / program, source], check=True)
        settings = folder / "bench.toml"
        settings.write_text(SETTINGS)
        server = [sys.executable, "-m", "sethpusher_core", "--no-plugins", f"--config={settings}", "--logging=warning"]
        rounds: dict[str, list[dict[str, Any]]] = {"floor": [], "seth-pusher": []}
        batches: dict[str, list[dict[str, Any]]] = {channel: [] for channel in BATCHES}
        for _ in range(options.rounds):
            with running([str(folder / "floor")], "{}") as (port, pid):
                rounds["floor"].append(_load(folder, options, 1, port, pid, ["--path", "/"]))
            with running(server, "--port={}") as (port, pid):
                sub = ["--path", "/connect/0/%6/websocket", "--sub", SUBSCRIBE]
                rounds["seth-pusher"].append(_load(folder, options, options.publishers, port, pid, sub))
            if options.batch:
                with running(server, "--port={}") as (port, pid):
                    for channel, runs in batches.items():
                        runs.append(_load_in_batches(folder, options.batch, channel, port, pid))
    _report(rounds)
    if options.batch:
        _report_batches(rounds["floor"], batches)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--subscribers", type=int, default=1000)
    parser.add_argument("--messages", type=int, default=300, help="per round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--publishers", type=int, default=1, help="busy at once; the floor always has one")
    parser.add_argument(
        "--batch", type=int, default=0, help="publications in one call of /api/batch/; 0: no such calls"
    )
    return parser.parse_args()


@contextmanager
def running(command: list[str], port_form: str) -> Iterator[tuple[int, int]]:
    """Starts a server on a free port and ends it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen([*command, port_form.format(port)])
    try:
        _wait_until_open(process, port)
        yield port, process.pid
    finally:
        process.terminate()
        process.wait(START_SECONDS)


def _wait_until_open(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = monotonic() + START_SECONDS
    while monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            sleep(0.02)
        else:
            return
    raise SystemExit(f"{process.args!r} did not start")


def _load(
    folder: Path, options: argparse.Namespace, publishers: int, port: int, pid: int, how: list[str]
) -> dict[str, Any]:
    command = [
        *(str(folder / "fanload"), "--port", str(port), "--pid", str(pid), "--pubhttp", "/api/channels/bench/"),
        *("--conns", str(options.subscribers), "--msgs", str(options.messages)),
        *("--pubs", str(publishers), "--window", str(publishers)),
    ]
    return run_load([*command, *how])


def _load_in_batches(folder: Path, batch: int, channel: str, port: int, pid: int) -> dict[str, Any]:
    body = f'{{"channel":"{channel}","message":{{"t":"%p"}}}}'
    return run_load(
        [
            *(str(folder / "fanload"), "--port", str(port), "--pid", str(pid), "--pubhttp", "/api/batch/"),
            *("--conns", "0", "--msgs", str(batch * BATCH_REQUESTS), "--batch", str(batch), "--settle", "50"),
            *("--batchhead", '{"publications":[', "--batchtail", "]}", "--body", body),
        ]
    )


def run_load(command: list[str]) -> dict[str, Any]:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"not a result: {done.stderr.strip() or done.stdout.strip()}")
    # C writes nan where Python's JSON wants NaN.
    result: dict[str, Any] = json.loads(re.sub(r"-?\bnan\b", "NaN", done.stdout))
    return result


def _report(rounds: dict[str, list[dict[str, Any]]]) -> None:
    rows = (
        ("server CPU per delivery, us", "server_cpu_us_per_delivery"),
        ("deliveries per second", "deliveries_per_s"),
        ("latency p50, us", "p50_us"),
        ("latency p99, us", "p99_us"),
        ("server CPU per connect, us", "conn_cpu_us"),
        ("memory per connection, KiB", "kb_per_conn"),
    )
    print(f"{'median (least .. most)':32}{'floor':>30}{'seth-pusher':>30}{'ratio':>8}")
    for title, key in rows:
        cells = []
        for name in rounds:
            values = [run[key] for run in rounds[name]]
            cells.append((statistics.median(values), f"({min(values):.5g} .. {max(values):.5g})"))
        (floor, floor_spread), (own, own_spread) = cells
        ratio = f"{own / floor:8.2f}" if floor > 0 else ""
        print(f"{title:32}{f'{floor:.5g} {floor_spread}':>30}{f'{own:.5g} {own_spread}':>30}{ratio}")


def _report_batches(floor: list[dict[str, Any]], batches: dict[str, list[dict[str, Any]]]) -> None:
    delivery = statistics.median(run["server_cpu_us_per_delivery"] for run in floor)
    for channel, title in BATCHES.items():
        values = [run["server_cpu_us_per_publication"] for run in batches[channel]]
        own = statistics.median(values)
        spread = f"{own:.5g} ({min(values):.5g} .. {max(values):.5g})"
        print(f"{title + ', us':32}{'(a delivery) ' + format(delivery, '.5g'):>30}{spread:>30}{own / delivery:8.2f}")


if __name__ == "__main__":
    main()
