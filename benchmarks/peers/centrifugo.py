"""Centrifugo: a push server in Go, with a protocol of its own over websocket."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import which
from typing import Any, Final

from ..processes import free_port, started
from .base import Churn, Dial, Dialect, Peer, Publish, Running
from .installed import cache, in_cache

__all__ = ["Centrifugo"]

MODULE: Final = "github.com/centrifugal/centrifugo/v6"
KEY: Final = "bench"
API: Final = (f"X-API-Key: {KEY}",)
CONNECT: Final = '{"id":1,"connect":{}}'
MESSAGE: Final = '{"channel":"bench%c","data":{"t":"%p"}}'
KEPT: Final = '{"channel":"kept:kept","data":{"t":"%p"}}'
CONFIGURATION: Final[dict[str, Any]] = {
    "client": {
        "insecure": True,  # whoever connects may do everything, as with the others
        "ping_interval": "1h",
        "history_max_publication_limit": 1000,
    },
    "channel": {
        "namespaces": [{"name": "kept", "history_size": 1000, "history_ttl": "1h"}],
    },
    "http_api": {"key": KEY},
    "uni_sse": {"enabled": True},
    "log": {"level": "warn"},
    "usage_stats": {"disabled": True},
}
VARIABLES: Final = {"GOMAXPROCS": "1"}


def _batch(message: str) -> Publish:
    return Publish(path="/api/batch", body=f'{{"publish":{message}}}', headers=API, head='{"commands":[', tail="]}")


def _connected(request: str) -> Dial:
    """A bidirectional websocket that asks for one thing."""
    return Dial("/connection/websocket", opening=(CONNECT, f'{{"id":2,{request}}}'), lockstep=True)


class Centrifugo(Peer):
    """Commands and replies are JSON, several to a frame if need be; a back end publishes over HTTP with a key."""

    name = "centrifugo"
    title = "Centrifugo: JSON over websocket"
    install = f"GOBIN={in_cache('bin')} go install {MODULE}@v6.9.1"
    clusters = True
    dialect = Dialect(
        subscriber=_connected('"subscribe":{"channel":"bench%c"}'),
        publish=Publish(path="/api/publish", body=MESSAGE, headers=API),
        batch=_batch(MESSAGE),
        client_publish=Publish(
            "websocket",
            body=f'{{"id":3,"publish":{MESSAGE}}}',
            dial=Dial("/connection/websocket", opening=(CONNECT,)),
        ),
        streaming=Dial('/connection/uni_sse?cf_connect={"subs":{"bench%c":{}}}', "stream"),
        churn=Churn(
            join='{"id":4,"subscribe":{"channel":"bench%c"}}',
            leave='{"id":5,"unsubscribe":{"channel":"bench%c"}}',
            joined='"id":4',
            left='"id":5',
        ),
        # Recovery wants the epoch of the channel, which only who was subscribed before knows.
        replay=_connected('"history":{"channel":"kept:kept","limit":1000,"since":{"offset":0,"epoch":""}}'),
        kept_publish=Publish(path="/api/publish", body=KEPT, headers=API),
        kept_batch=_batch(KEPT),
    )

    def missing(self) -> str | None:
        """The program, where it was not built, and Go, where that cannot be done either."""
        if _program().exists():
            return None
        return "centrifugo" if which("go") else "centrifugo, and Go, which builds it"

    def version(self) -> str:
        """The module's, which only Go can read from a program that was installed so, and that of Go."""
        if which("go") is None:
            return "not known: Go is not here, which reads it from the program"
        told = subprocess.run(["go", "version", "-m", _program()], capture_output=True, text=True, check=True).stdout
        module = next(line.split() for line in told.splitlines() if line.split()[0] == "mod")
        return f"{module[2].lstrip('v')} ({told.splitlines()[0].rpartition(' ')[2]})"

    def settings(self) -> str:
        """The configuration file and the variables."""
        variables = " ".join(f"{name}={value}" for name, value in VARIABLES.items())
        return f"# {variables} (one worker)\n{json.dumps(CONFIGURATION, indent=1)}"

    @contextmanager
    def running(self, folder: Path) -> Iterator[Running]:
        """Starts one node."""
        with _node(folder, {}) as node:
            yield node

    @contextmanager
    def cluster(self, folder: Path, redis_port: int) -> Iterator[tuple[Running, Running]]:
        """Starts two nodes over Redis."""
        engine = {"engine": {"type": "redis", "redis": {"address": f"redis://127.0.0.1:{redis_port}"}}}
        for name in ("one", "other"):
            (folder / name).mkdir()
        with _node(folder / "one", engine) as one, _node(folder / "other", engine) as other:
            yield one, other


def _program() -> Path:
    return cache() / "bin" / "centrifugo"


@contextmanager
def _node(folder: Path, more: dict[str, Any]) -> Iterator[Running]:
    file, port = folder / "config.json", free_port()
    listening = {"http_server": {"address": "127.0.0.1", "port": port}}
    file.write_text(json.dumps({**CONFIGURATION, **listening, **more}))
    with started([_program(), "-c", file], folder, port, environment=os.environ | VARIABLES) as process:
        yield Running(port, port, (process.pid,))
