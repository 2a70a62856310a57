"""The load generator's command line, made from what a peer says, and its answer, read back.

The generator is in ``load/``; ``load/main.c`` says how it is called. It counts every message at every connection: an
exit code other than 0 means that something was missing, doubled or out of order, or that it could not do its work, and
there is no result then.
"""

from __future__ import annotations

import math
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, TypeGuard

import msgspec

from .peers.base import Churn, Dial, Publish, Running

__all__ = ["Failure", "Load", "command_line", "run"]

GRACE_SECONDS: Final = 30.0
"""How long after its own time limit the generator is ended."""
MUST_NOT_BE: Final = ("missing", "doubled", "disordered", "strayed", "damaged", "closed")


class Failure(Exception):
    """A run that is not a result; its text says why, in one line."""


@dataclass(frozen=True, slots=True)
class Load:
    """What the generator does in one run.

    Attributes:
        dial: How subscribers connect.
        conns: How many.
        channels: Connection i is in channel i modulo this.
        parallel: Handshakes under way at once.
        publish: How is published; None: it is not.
        messages: Publications in all.
        publishers: Connections that publish, in turn.
        window: Requests under way at once.
        size: Bytes that the payload is padded to; 0: it stays as short as it is.
        batch: Publications in one request.
        churn: What clients that come and go say; None: nobody does.
        cycles: How often each of them comes and goes.
        churners: How many do.
        replay: Messages that every connection must get by its opening alone.
        settle_ms: Milliseconds of silence before anything is measured, and again behind the openings of publishers.
        timeout_s: Seconds without progress after which the run has failed.
    """

    dial: Dial
    conns: int = 0
    channels: int = 1
    parallel: int = 1
    publish: Publish | None = None
    messages: int = 0
    publishers: int = 1
    window: int = 1
    size: int = 0
    batch: int = 1
    churn: Churn | None = None
    cycles: int = 0
    churners: int = 0
    replay: int = 0
    settle_ms: int = 300
    timeout_s: int = 30


def command_line(load: Load, server: Running, more_pids: Sequence[int] = ()) -> list[str]:
    """The generator's arguments for a load on a server.

    Args:
        load: What to do.
        server: Where.
        more_pids: Processes beyond the server's whose CPU time counts, too.
    """
    words = ["--port", server.port, "--conns", load.conns, "--channels", load.channels, "--parallel", load.parallel]
    for pid in (*server.pids, *more_pids):
        words += ["--pid", pid]
    words += _dial(load.dial)
    if load.publish is not None:
        # Over a websocket publishes a client, as the subscribers are.
        port = server.port if load.publish.mode == "websocket" else server.publish_port
        words += ["--publish-port", port, *_publish(load.publish)]
        words += ["--messages", load.messages, "--publishers", load.publishers, "--window", load.window]
        words += ["--size", load.size, "--batch", load.batch]
    elif load.churn is not None:
        churn = (load.churn.join, load.churn.leave, load.churn.joined, load.churn.left)
        words += ["--churn", *map(_escaped, churn), "--cycles", load.cycles, "--churners", load.churners]
    elif load.replay:
        words += ["--replay", load.replay]
    else:
        words += ["--connect-only"]
    return [str(word) for word in (*words, "--settle", load.settle_ms, "--timeout", load.timeout_s)]


def _dial(dial: Dial, prefix: str = "--") -> Iterator[str]:
    """The options of a connection; a publisher's have a prefix, and its mode is named with what it publishes."""
    if prefix == "--":
        yield from ("--mode", dial.mode, "--path", _escaped(dial.path), "--method", dial.method)
        for header in dial.headers:
            yield from ("--header", _escaped(header))
        if dial.opening_path:
            yield from ("--opening-path", _escaped(dial.opening_path))
    else:
        yield from (f"{prefix}dial-path", _escaped(dial.path))
    for text in dial.opening:
        yield from (f"{prefix}opening", _escaped(text))
    for name, wanted in (("greeting", dial.greeting), ("lockstep", dial.lockstep), ("binary", dial.binary)):
        if wanted:
            yield prefix + name


def _publish(publish: Publish) -> Iterator[str]:
    yield from ("--publish", publish.mode, "--publish-path", _escaped(publish.path))
    yield from ("--publish-body", _escaped(publish.body))
    for header in publish.headers:
        yield from ("--publish-header", _escaped(header))
    if publish.dial is not None:
        yield from _dial(publish.dial, "--publish-")
    if publish.head or publish.tail:
        yield from ("--batch-head", _escaped(publish.head), "--batch-tail", _escaped(publish.tail))


def _escaped(text: str) -> str:
    r"""A text as the generator reads it: it understands ``\xNN``, ``\r``, ``\n`` and ``\\``."""
    text = text.replace("\\", "\\\\").replace("\r", "\\r").replace("\n", "\\n")
    return "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in text)


def run(generator: Sequence[str], load: Load, server: Running, more_pids: Sequence[int] = ()) -> dict[str, float]:
    """Puts a load on a server, and gives what was measured: every number that the generator tells.

    Args:
        generator: The generator's program, with what stands before its arguments.
        load: What to do.
        server: Where.
        more_pids: Processes beyond the server's whose CPU time counts, too.

    Raises:
        Failure: A message was missing, doubled or out of order, a connection ended, or there was no end to it.
    """
    command = [*generator, *command_line(load, server, more_pids)]
    limit = load.timeout_s * 4 + GRACE_SECONDS
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=limit)
    except subprocess.TimeoutExpired as error:
        raise Failure(f"no end after {limit:.0f} s") from error
    if done.returncode:
        said = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise Failure("; ".join(said[-2:]))
    try:
        told = msgspec.json.decode(done.stdout, type=dict[str, object])
    except msgspec.DecodeError as error:
        raise Failure(f"the generator's answer cannot be read: {error}") from error
    figures = {name: float(value) for name, value in told.items() if _is_figure(value)}
    _check(figures)
    return figures


def _is_figure(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _check(figures: dict[str, float]) -> None:
    """Trusts no exit code alone: what must not be is looked for again."""
    wrong = [f"{figures[name]:.0f} {name}" for name in MUST_NOT_BE if figures.get(name)]
    delivered, wanted = figures.get("delivered", 0.0), figures.get("wanted", 0.0)
    if delivered != wanted:
        wrong.append(f"{delivered:.0f} of {wanted:.0f} delivered")
    if wrong:
        raise Failure(", ".join(wrong))
