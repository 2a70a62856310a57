"""Running a server as a process: sockets, signals, and the order in which things begin and end."""

from __future__ import annotations

import asyncio
import gc
import ipaddress
import logging
import os
import resource
import signal
import socket
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from tornado.netutil import bind_sockets, bind_unix_socket

from ._version import __version__
from .errors import SettingsError
from .proxies import ProxiedServer, TrustedProxies
from .server import PushServer
from .settings.core import CoreSettings

__all__ = ["http_server", "run"]

log = logging.getLogger("sethpusher.server")

BACKLOG: Final = 4096
BODY_TIMEOUT: Final = 30.0
"""Seconds that a request has to bring its body."""
IDLE_TIMEOUT: Final = 120.0
"""Seconds that an HTTP connection may wait for its next request, or take to send the headers of one."""

MAX_HEADERS: Final = 65536
"""Bytes that the headers of a request may have together."""


def run(server: PushServer) -> None:
    """Serves until SIGTERM or SIGINT, then stops in good order.

    Raises:
        SettingsError: The address cannot be listened on, or the server cannot start.
    """
    asyncio.run(_serve(server))


async def _serve(server: PushServer) -> None:
    trusted = _trusted_proxies(server.settings.trusted_proxies)
    sockets = _bind(server.settings)
    _raise_descriptor_limit()
    stop = _on_signals()
    http = http_server(server, trusted)
    try:
        await server.start()
    except BaseException:
        for listener in sockets:
            listener.close()
        raise
    http.add_sockets(sockets)
    _tame_garbage_collection()
    _say_hello(server, sockets)
    await stop.wait()
    log.info("stopping: %d connections are told to come back", len(server.connections))
    http.stop()
    if server.settings.unix_socket is not None:
        Path(server.settings.unix_socket).unlink(missing_ok=True)
    await server.stop()
    await http.close_all_connections()
    log.info("stopped")


def http_server(
    server: PushServer,
    trusted: TrustedProxies,
    *,
    body_timeout: float = BODY_TIMEOUT,
    idle_timeout: float = IDLE_TIMEOUT,
) -> ProxiedServer:
    """What listens: with every bound that a slow or greedy caller meets."""
    return ProxiedServer(
        server.application(),
        trusted=trusted,
        body_timeout=body_timeout,
        idle_connection_timeout=idle_timeout,
        max_body_size=server.settings.max_body_size,
        max_header_size=MAX_HEADERS,
    )


def _trusted_proxies(names: tuple[str, ...]) -> TrustedProxies:
    try:
        return TrustedProxies(names)
    except ValueError as error:
        hint = "write an address, a network such as 10.0.0.0/8, or unix"
        raise SettingsError(f"trusted_proxies: {error}; {hint}") from None


def _bind(settings: CoreSettings) -> list[socket.socket]:
    host, port = settings.host, settings.port
    if settings.unix_socket is not None:
        return [_bind_unix(settings.unix_socket)]
    where = f"{host or '*'}:{port}"
    try:
        return bind_sockets(port, host or None, backlog=BACKLOG)
    except socket.gaierror:
        raise SettingsError(f"host: {host!r} is no address of this machine; 127.0.0.1 or 0.0.0.0 will do") from None
    except PermissionError:
        raise SettingsError(f"cannot listen on {where}: not permitted; choose a port above 1023 with --port") from None
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise SettingsError(f"cannot listen on {where}: {reason}; choose another with --port or --host") from None


def _bind_unix(path: str) -> socket.socket:
    """Listens on a unix socket; one that a dead server left behind is replaced, a live one is not."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(path)
        except OSError:
            pass
        else:
            raise SettingsError(f"unix_socket: a server listens on {path} already; stop it or choose another path")
    try:
        return bind_unix_socket(path, mode=0o660, backlog=BACKLOG)
    except (OSError, ValueError) as error:
        raise SettingsError(f"unix_socket: cannot listen on {path}: {error}") from None


def _on_signals() -> asyncio.Event:
    """An event that SIGTERM and SIGINT set; a second signal ends the process as if nobody listened."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()

    def stopping() -> None:
        stop.set()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping)
    return stop


def _raise_descriptor_limit() -> None:
    """Takes all descriptors that the system allows: each client needs one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _tame_garbage_collection() -> None:
    """Keeps the collector from going through every connection again and again, which holds the loop.

    Connections live long and are taken apart without cycles when they end; what was made so far lives as long as the
    process.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 50, 100)


def _say_hello(server: PushServer, sockets: Iterable[socket.socket]) -> None:
    internet = [listener for listener in sockets if listener.family != socket.AF_UNIX]
    addresses = sorted({listener.getsockname()[:2] for listener in internet})
    if server.settings.unix_socket is not None:
        log.info("seth-pusher %s listens on unix:%s", __version__, server.settings.unix_socket)
    for host, port in addresses:
        log.info("seth-pusher %s listens on http://%s:%d/", __version__, f"[{host}]" if ":" in host else host, port)
    plugins = ", ".join(name for name in server.plugin_names) or "none"
    log.info("backend: %s; plugins: %s", server.backend_name, plugins)
    if server.reads_cookies and "*" in server.settings.origins:
        log.info(
            "an authenticator reads cookies, so pages of other sites may not connect: name those that may in origins"
        )
    if server.settings.debug:
        log.info("debug pages are served under /debug/")
    _say_who_may(server, in_reach=any(_reachable(host) for host, _ in addresses))


def _say_who_may(server: PushServer, *, in_reach: bool) -> None:
    """Says what callers without credentials may do."""
    if server.hooks.authenticate is not None:
        log.info("callers without credentials: anonymous = %s", server.settings.anonymous)
    elif in_reach:
        log.warning(
            "everybody who reaches this address may connect and publish: no authenticator is active "
            "(listen on 127.0.0.1, or install one: pip install sethpusher-auth-apikey)"
        )
    else:
        log.info("everybody who reaches this address may connect and publish: no authenticator is active")


def _reachable(host: str) -> bool:
    """Whether others than this machine can reach an address."""
    try:
        return not ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return True
