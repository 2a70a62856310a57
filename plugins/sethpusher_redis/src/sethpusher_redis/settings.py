"""What the plugins can be told: where the server is, and how long to wait for it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from sethpusher_core.settings import Duration, Secret, setting

__all__ = ["DEFAULT_URL", "PersistSettings", "RedisSettings", "ServerSettings", "host_and_port"]

DEFAULT_URL: Final = "redis://localhost:6379/0"
"""Where the seed documentation has it."""

_SCHEMES: Final = ("redis", "rediss", "unix")


def _check_url(url: str) -> str | None:
    """What is wrong with a URL; never repeats it, since it may hold a password."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return "is no URL such as redis://localhost:6379/0"
    if parts.scheme not in _SCHEMES:
        return "must begin with redis://, rediss:// (TLS) or unix://"
    if parts.scheme == "unix" and not parts.path:
        return "names no socket: write one such as unix:///run/redis.sock"
    options = {name for name, _ in parse_qsl(parts.query)}
    if unknown := sorted(options - {"db"}):
        return f"has the option {unknown[0]}, but the only one is db; there are settings for the rest"
    path = parts.path.strip("/")
    if parts.scheme != "unix" and path and not path.isdigit():
        return "ends in something that is not the number of a database"
    return None


def _check_name(name: str) -> str | None:
    if re.fullmatch(r"[\w.:-]{1,64}", name, re.ASCII):
        return None
    return "must be 1 to 64 letters, digits and any of . : - _"


def host_and_port(text: str, port: int) -> tuple[str, int]:
    """Reads ``host``, ``host:port`` or ``[::1]:port``.

    Args:
        text: What to read.
        port: What holds where the text names none.

    Raises:
        ValueError: It is none of them.
    """
    parts = urlsplit(f"//{text}")
    if not parts.hostname or parts.path or parts.query or parts.username:
        raise ValueError(f"{text!r} is not HOST:PORT")
    return parts.hostname, parts.port or port


def _check_sentinels(sentinels: tuple[str, ...]) -> str | None:
    try:
        for sentinel in sentinels:
            host_and_port(sentinel, 26379)
    except ValueError:
        return "must be a list of HOST:PORT"
    return None


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """Where a server is, and how long to wait for it."""

    url: str = setting(
        required=True,
        chosen_default=DEFAULT_URL,
        check=_check_url,
        help="Where Redis or Valkey is: redis://HOST:PORT/DB, rediss:// with TLS, unix:///PATH?db=N.",
    )
    username: str | None = setting(None, help="User (ACL), if the URL names none.")
    password: Secret | None = setting(None, help="Password, if the URL has none.")
    tls_ca: str | None = setting(None, help="File of the authorities that are trusted; else the system's.")
    tls_cert: str | None = setting(None, help="File of this node's own certificate.")
    tls_key: str | None = setting(None, help="File of the key to tls_cert.")
    tls_check_hostname: bool = setting(True, help="Whether the certificate must be for the host in the URL.")
    sentinels: tuple[str, ...] = setting(
        (), check=_check_sentinels, help="Sentinels, HOST:PORT; they say where the server is, not the URL."
    )
    sentinel_master: str = setting("mymaster", help="The name by which the sentinels know the server.")
    sentinel_username: str | None = setting(None, help="User (ACL) at the sentinels.")
    sentinel_password: Secret | None = setting(None, help="Password at the sentinels.")
    connect_timeout: Duration = setting("3s", minimum="10ms", help="How long connecting may take.")
    start_wait: Duration = setting("0s", help="How long a start waits for a server that is not there yet.")
    timeout: Duration = setting("5s", minimum="10ms", help="How long the server may take to answer.")


@dataclass(frozen=True, slots=True)
class RedisSettings(ServerSettings):
    """Settings of the backend."""

    prefix: str = setting("sethpusher", check=_check_name, help="What all keys and pub/sub channels begin with.")
    canary: Duration = setting(
        "1s", minimum="10ms", help="How often a node checks that it hears itself; deaf after three that were missed."
    )
    lease: Duration = setting("30s", minimum="100ms", help="After how long the members of a dead node are gone.")


@dataclass(frozen=True, slots=True)
class PersistSettings(ServerSettings):
    """Settings of the persister."""

    stream: str = setting("sethpusher-publications", check=_check_name, help="The stream that is appended to.")
    length: int = setting(100_000, minimum=1, help="How many publications the stream keeps, about.")
    remember: Duration = setting("1h", help="How long the id of a publication is known, so that a repeat is not kept.")
