"""The process from outside: SIGTERM and SIGINT end it in good order, whenever they come; a port in use."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from plugins_ux.installed import PATIENCE, Environment
from support.clients import Bare

NEVER_ANSWERS = """
import asyncio
from sethpusher_core.backends.memory import MemoryBackend
from sethpusher_core.hookspecs import hookimpl

class Never(MemoryBackend):
    async def start(self, sink, node_id):
        print("waiting", flush=True)
        await asyncio.Event().wait()

    async def close(self):
        print("closed", flush=True)

@hookimpl
def register_backends(register):
    register("never", lambda settings: Never(), None)
"""
SLOW_STARTUP = """
import asyncio
from sethpusher_core.hookspecs import hookimpl

@hookimpl
async def startup(server):
    print("waiting", flush=True)
    await asyncio.sleep(0.2)

@hookimpl
def shutdown(server):
    print("shut down", flush=True)
"""

SLOW_SHUTDOWN = """
import asyncio, functools
from sethpusher_core.hookspecs import hookimpl

@hookimpl
def startup(server):
    asyncio.get_running_loop().call_soon(functools.partial(print, "started", flush=True))

@hookimpl
async def shutdown(server):
    print("shutting down", flush=True)
    await asyncio.Event().wait()
"""


@pytest.fixture
def place(tmp_path: Path) -> Environment:
    return Environment(tmp_path)


@contextmanager
def program(place: Environment, *words: str) -> Iterator[subprocess.Popen[str]]:
    """A process that is surely gone afterwards."""
    process = subprocess.Popen(
        [*place.command, *words],
        env=place.variables,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        # A shell that runs this in the background has SIGINT ignored, and children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_in_good_order(place: Environment, number: signal.Signals) -> None:
    with program(place, "--port=0") as process:
        assert process.stderr is not None
        listens = re.search(r"listens on http://127\.0\.0\.1:(\d+)/", process.stderr.readline())
        assert listens is not None
        client = Bare(int(listens[1]))
        try:
            client.connect("ada")
            client.take()
            process.send_signal(number)
            assert client.closed() == (3001, "server is going away, come back")
        finally:
            client.drop()
        assert process.wait(PATIENCE) == 0
        last = process.stderr.read().splitlines()[-2:]
    assert [line.partition("sethpusher.server: ")[2] for line in last] == [
        "stopping: 1 client is told to come back",
        "stopped",
    ]


def test_a_signal_while_the_backend_does_not_answer(place: Environment) -> None:
    place.site.add(one_plugin=NEVER_ANSWERS)
    with program(place, "--port=0", "--backend=never") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "waiting\n"
        process.terminate()
        out, err = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0, err
    assert out == "closed\n"
    [line] = err.splitlines()
    assert line.endswith("sethpusher.server: stopped before it had started")


def test_a_signal_while_plugins_start(place: Environment) -> None:
    """What a plugin has begun at the start, it may end."""
    place.site.add(one_plugin=SLOW_STARTUP)
    with program(place, "--port=0") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "waiting\n"
        process.terminate()
        out, err = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0, err
    assert out == "shut down\n"
    assert err.splitlines()[-1].endswith("sethpusher.server: stopped")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_ends_it_at_once(place: Environment, number: signal.Signals) -> None:
    place.site.add(one_plugin=SLOW_SHUTDOWN)
    with program(place, "--port=0", "--hook-timeout=1h") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "started\n"
        process.send_signal(number)
        assert process.stdout.readline() == "shutting down\n"
        process.send_signal(number)
        assert process.wait(PATIENCE) == (-signal.SIGTERM if number is signal.SIGTERM else 130)


def test_a_port_in_use(place: Environment) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        done = place.run(f"--port={port}")
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.splitlines()[0] == (  # what follows is Tornado's, which leaves the socket open
        f"seth-pusher: port (command line): the server cannot listen on 127.0.0.1:{port}: Address already in use; "
        "choose another with --port or --host"
    )
