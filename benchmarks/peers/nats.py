"""The NATS server: a message broker in Go that speaks its text protocol over TCP and in websocket frames."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import which
from typing import Final

from ..processes import free_port, started
from .base import Churn, Dial, Dialect, Peer, Publish, Running

__all__ = ["Nats"]

CONNECT: Final = 'CONNECT {"verbose":false,"pedantic":false,"lang":"c","version":"1"}\r\n'
CONFIGURATION: Final = """host: 127.0.0.1
port: {publish_port}
websocket {{ host: 127.0.0.1, port: {port}, no_tls: true, compression: false }}
jetstream {{ store_dir: "{folder}" }}
ping_interval: "1h"
max_connections: 19000
"""
VARIABLES: Final = {"GOMAXPROCS": "1"}
STREAM: Final = {"name": "KEPT", "subjects": ["kept"], "storage": "memory", "max_msgs": 1000, "discard": "old"}
"""What keeps ``kept``, in JetStream."""
REPLAY: Final = {
    "stream_name": "KEPT",
    "config": {"deliver_subject": "to.%6", "deliver_policy": "all", "ack_policy": "none", "replay_policy": "instant"},
}
ANSWER_SECONDS: Final = 10.0


def _published(subject: str, content: object) -> str:
    """A publication of JSON, of which ``%6`` is the only thing that is still to be put in."""
    text = json.dumps(content, separators=(",", ":"))
    return f"PUB {subject} {len(text.replace('%6', 'NNNNNN'))}\r\n{text}\r\n"


def _websocket(*opening: str) -> Dial:
    return Dial(opening=(CONNECT, *opening), greeting=True, binary=True)


def _raw(subject: str) -> Publish:
    """A back end, on the port for clients without websocket; unanswered, as is usual with NATS."""
    dial = Dial(mode="raw", opening=(CONNECT,), greeting=True)
    return Publish("raw", body=f"PUB {subject} %l\r\n%p\r\n", dial=dial)


class Nats(Peer):
    """Subjects for channels; the payload is delivered as it was published, without an envelope."""

    name = "nats"
    title = "NATS server: its own protocol over websocket"
    install = "apt-get install nats-server"
    dialect = Dialect(
        subscriber=_websocket("SUB bench%c 1\r\n"),
        publish=_raw("bench%c"),
        client_publish=Publish("websocket", body="PUB bench%c %l\r\n%p\r\n", dial=_websocket()),
        churn=Churn("SUB bench%c 2\r\nPING\r\n", "UNSUB 2\r\nPING\r\n", joined="PONG\r\n", left="PONG\r\n"),
        replay=_websocket("SUB to.%6 1\r\n", _published("$JS.API.CONSUMER.CREATE.KEPT", REPLAY)),
        kept_publish=_raw("kept"),
    )

    def missing(self) -> str | None:
        """The program, where it is not there."""
        return None if _program() else "nats-server"

    def version(self) -> str:
        """The server's."""
        told = subprocess.run([_program() or "nats-server", "--version"], capture_output=True, text=True, check=True)
        return told.stdout.strip().rpartition("v")[2]

    def settings(self) -> str:
        """The configuration file and the variables."""
        variables = " ".join(f"{name}={value}" for name, value in VARIABLES.items())
        file = CONFIGURATION.format(port="PORT", publish_port="PORT", folder="FOLDER")
        return f"# {variables} (one worker); publishers send the bare payload over TCP, and are not answered\n{file}"

    @contextmanager
    def running(self, folder: Path) -> Iterator[Running]:
        """Starts it, and has it keep ``kept``."""
        file, port, publish_port = folder / "nats.conf", free_port(), free_port()
        file.write_text(CONFIGURATION.format(port=port, publish_port=publish_port, folder=folder))
        command: list[str | Path] = [_program() or "nats-server", "-c", file]
        with started(command, folder, port, publish_port, environment=os.environ | VARIABLES) as process:
            _keep(publish_port)
            yield Running(port, publish_port, (process.pid,))


def _program() -> str | None:
    return which("nats-server") or which("nats-server", path="/usr/sbin")


def _keep(port: int) -> None:
    """Asks JetStream for the stream.

    Raises:
        RuntimeError: It refuses.
    """
    request = _published(f"$JS.API.STREAM.CREATE.{STREAM['name']} answer", STREAM)
    with socket.create_connection(("127.0.0.1", port), ANSWER_SECONDS) as client:
        client.sendall(f"{CONNECT}SUB answer 1\r\n{request}PING\r\n".encode())
        told = b""
        while b"io.nats.jetstream.api.v1.stream_create_response" not in told:
            part = client.recv(65536)
            if not part or b"-ERR" in part:
                raise RuntimeError(f"JetStream does not answer: {told + part!r}")
            told += part
        if b'"error"' in told:
            raise RuntimeError(f"JetStream refuses: {told!r}")
