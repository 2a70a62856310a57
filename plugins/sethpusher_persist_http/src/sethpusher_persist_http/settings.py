"""What the plugin can be told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from sethpusher_core.settings import Duration, Secret, Size, setting

from .urls import url_flaw

__all__ = ["HttpPersistSettings"]


def _headers_flaw(headers: Mapping[str, Secret]) -> str | None:
    for name, value in headers.items():
        text = value.reveal()
        if not name.isascii() or not name.replace("-", "").replace("_", "").isalnum():
            return f"{name!r} is no name of a header"
        if not text.isascii() or not text.isprintable():
            return f"the value of {name} must be printable ASCII"
        if name.lower() in ("content-length", "host", "transfer-encoding"):
            return f"{name} is not yours to set"
    return None


@dataclass(frozen=True, slots=True)
class HttpPersistSettings:
    """What the plugin can be told; ``api_url`` makes it active."""

    # Where to, and what.
    api_url: str = setting(
        required=True,
        check=url_flaw,
        help="Where publications are posted; {channel}, {user}, {kind} and {name} stand for theirs, percent-encoded.",
    )
    user_url: str | None = setting(
        None, check=url_flaw, help="Where messages to users are posted; without it, to api_url."
    )
    channels: tuple[str, ...] = setting(("*",), help="The channels that are posted; * as in channel rules.")
    exclude: tuple[str, ...] = setting((), help="Channels left out of them.")
    users: bool = setting(True, help="Whether messages to users are posted.")
    body: Literal["batch", "single"] = setting(
        "batch", help='What one post holds: {"publications": [...]}, or one publication and nothing around it.'
    )
    headers: Mapping[str, Secret] = setting({}, check=_headers_flaw, help="Headers of every post: Authorization, ...")
    secrets: tuple[Secret, ...] = setting(
        (), help="What posts are signed with; each gives a signature, so that one can take the place of another."
    )
    ca_file: str | None = setting(None, help="Certificates to trust (PEM), in the place of the system's.")

    # What is kept, and how much of it.
    durability: Literal["power", "process", "memory"] = setting(
        "power",
        help="What an accepted publication survives: loss of power (each group of publications waits for the disk), "
        "the end of this process however it comes but not of the machine, or neither (nothing is written to disk).",
    )
    on_corrupt: Literal["refuse", "set_aside"] = setting(
        "refuse",
        help="What follows when the outbox file is damaged: no start and no publishing until somebody has looked, or "
        "the file is renamed and a new one begun.",
    )
    max_rows: int = setting(1_000_000, minimum=1, help="Publications that the outbox holds, dead letters included.")
    max_size: Size = setting("1GiB", minimum="1KiB", help="What they may take together.")
    max_age: Duration = setting("0", help="How old the oldest may become; 0 sets no such bound.")
    on_full: Literal["refuse", "drop_oldest"] = setting(
        "refuse", help="What follows at a bound: publishing is refused (503), or the oldest are dropped, unposted."
    )
    remember: Duration = setting("1d", help="How long ids of publications with an idempotency key are known.")

    # How it is posted.
    batch_size: int = setting(2000, minimum=1, maximum=10_000, help="Publications in one post at the most.")
    batch_bytes: Size = setting("512KiB", minimum="1KiB", help="What they may take; a larger one is posted alone.")
    batch_delay: Duration = setting("100ms", help="How long a publication waits for others to share its post.")
    parallel: int = setting(
        2, minimum=1, maximum=1000, help="Posts under way at once; those of one channel never are. 1 keeps one order."
    )
    connect_timeout: Duration = setting("10s", minimum="10ms", help="How long a connection may take to be made.")
    timeout: Duration = setting("30s", minimum="10ms", help="How long a post may take in all.")
    retry_first: Duration = setting("500ms", minimum="1ms", help="About how long after a failure it is tried again.")
    retry_max: Duration = setting("60s", minimum="1ms", help="How long it waits at the most; it doubles till then.")
    circuit_failures: int = setting(
        5, minimum=1, help="Failures in a row after which one post at a time finds out whether the API is back."
    )
