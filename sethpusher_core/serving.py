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
from .front.server import http_server
from .proxies import TrustedProxies
from .server import PushServer
from .settings.core import CoreSettings

__all__ = ["run"]

log = logging.getLogger("sethpusher.server")

BACKLOG: Final = 4096


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
        started = await _start(server, stop)
    except BaseException:
        _close(sockets)
        raise
    if not started:
        _close(sockets)
        log.info("stopped before it had started")
        return
    http.add_sockets(sockets)
    _tame_garbage_collection()
    _say_hello(server, sockets)
    await stop.wait()
    clients = len(server.connections)
    log.info("stopping: %d %s told to come back", clients, "client is" if clients == 1 else "clients are")
    http.stop()
    if server.settings.unix_socket is not None:
        Path(server.settings.unix_socket).unlink(missing_ok=True)
    await server.stop()
    await http.close_all_connections()
    log.info("stopped")


async def _start(server: PushServer, stop: asyncio.Event) -> bool:
    """Starts it; False if a signal came while the backend, for which there is no bound, had not answered yet."""
    starting, stopping = asyncio.create_task(server.start()), asyncio.create_task(stop.wait())
    await asyncio.wait((starting, stopping), return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if not starting.done() and server.waits_for_backend:
        starting.cancel()
        await asyncio.wait((starting,), timeout=server.settings.shutdown_timeout)
        return False
    await starting
    return True


def _close(sockets: Iterable[socket.socket]) -> None:
    for listener in sockets:
        listener.close()


def _trusted_proxies(names: tuple[str, ...]) -> TrustedProxies:
    try:
        return TrustedProxies(names)
    except ValueError as error:
        raise SettingsError(str(error), key="trusted_proxies") from None


def _bind(settings: CoreSettings) -> list[socket.socket]:
    host, port = settings.host, settings.port
    if settings.unix_socket is not None:
        return [_bind_unix(settings.unix_socket)]
    where = f"{host or '*'}:{port}"
    try:
        return bind_sockets(port, host or None, backlog=BACKLOG)
    except socket.gaierror:
        why = f"{host!r} is no address of this machine; 127.0.0.1 or 0.0.0.0 will do"
        raise SettingsError(why, key="host") from None
    except PermissionError:
        why = f"the server may not listen on {where}; choose a port above 1023 with --port"
        raise SettingsError(why, key="port") from None
    except OSError as error:
        why = f"the server cannot listen on {where}: {_reason(error)}; choose another with --port or --host"
        raise SettingsError(why, key="port") from None


def _bind_unix(path: str) -> socket.socket:
    """Listens on a unix socket; one that a dead server left behind is replaced, a live one is not."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(path)
        except OSError:
            pass
        else:
            raise SettingsError(
                f"a server listens on {path} already; stop it or choose another path", key="unix_socket"
            )
    try:
        return bind_unix_socket(path, mode=0o660, backlog=BACKLOG)
    except (OSError, ValueError) as error:
        why = f"the server cannot listen on {path}: {_reason(error)}; choose another path"
        raise SettingsError(why, key="unix_socket") from None


def _reason(error: OSError | ValueError) -> str:
    number = getattr(error, "errno", None)
    return os.strerror(number) if number else str(error)


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
    process. The youngest generation is looked through after 5,000 objects: 20,000 take 8 ms in a storm.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(5_000, 200, 100)


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
