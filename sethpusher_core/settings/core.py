"""The settings of the core."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from .component import Action, Component
from .declare import setting
from .rules import ChannelRule
from .values import Duration, Size

__all__ = ["CoreSettings", "core_component"]


# Those who use a setting know what it may be; they are imported only once it is given, since they load Tornado.


def _check_proxies(names: tuple[str, ...]) -> str | None:
    from ..proxies import TrustedProxies

    return _refused_by(TrustedProxies, names)


def _check_origins(origins: tuple[str, ...]) -> str | None:
    from ..transports.origins import OriginPolicy

    return _refused_by(OriginPolicy, origins)


def _check_transports(names: tuple[str, ...]) -> str | None:
    from ..transports.urls import transports_without

    return _refused_by(transports_without, names)


def _refused_by(use: Callable[[tuple[str, ...]], object], value: tuple[str, ...]) -> str | None:
    try:
        use(value)
    except ValueError as error:
        return str(error)
    return None


@dataclass(frozen=True, slots=True)
class CoreSettings:
    """What the server itself can be told. ``CoreSettings()`` holds the defaults."""

    # Where it listens, and what it says.
    host: str = setting("127.0.0.1", help="The address to listen on; 0.0.0.0 listens on all.")
    port: int = setting(8080, minimum=0, maximum=65535, help="The port to listen on; 0 takes a free one.")
    unix_socket: str | None = setting(None, help="Listen on this unix socket instead, for a proxy on this machine.")
    trusted_proxies: tuple[str, ...] = setting(
        (),
        help='Addresses or networks ("unix": of the unix socket) whose X-Forwarded-For and -Proto are believed.',
        check=_check_proxies,
    )
    origins: tuple[str, ...] = setting(
        ("*",),
        help="Whose pages may connect: *, https://example.com, https://*.example.com; empty: only our own.",
        check=_check_origins,
    )
    debug: bool = setting(False, help="Serve the pages under /debug/, and log more.")
    logging: Literal["debug", "info", "warning", "error", "none"] = setting(
        "info", help="The least level that is logged."
    )
    log_format: Literal["text", "json"] = setting("text", help="How a log line is written.")
    app: str | None = setting(None, help="An application to run instead of the plain server, as a dotted name.")
    config: str | None = setting(None, in_file=False, help="The settings file (TOML). None is read unless it is named.")

    # What is loaded.
    backend: str | None = setting(None, help="The backend; without it the one that has settings, else memory.")
    plugin_order: tuple[str, ...] = setting((), help="Plugins whose hooks run first, in this order; others by name.")
    load_plugins: tuple[str, ...] | None = setting(None, help="The only plugins to load; an empty list loads none.")
    no_plugin: tuple[str, ...] = setting((), help="Plugins to leave out; may be repeated.")
    no_plugins: bool = setting(False, help="Load no plugin at all.")
    strict_plugins: bool = setting(False, help="Refuse to start when any installed plugin has a problem.")
    trace_plugins: bool = setting(
        False, help="Log each call of a plugin's hook: hook, plugin, microseconds, outcome; for development."
    )
    anonymous: Literal["none", "connect", "all"] = setting(
        "none",
        help="What callers without credentials may do where an authenticator is active: nothing, connect and subscribe "
        "where the rules allow, or everything.",
    )
    auth_timeout: Duration = setting(
        "10s", minimum="1ms", help="How long a client without credentials may take to send a connect with a token."
    )
    hook_timeout: Duration = setting("5s", minimum="1ms", help="How long a plugin may take to answer a hook.")
    persist_failure: Literal["refuse", "log"] = setting(
        "refuse",
        help="What happens to a publication that a persist plugin failed to take: refused, or logged and sent.",
    )

    # Bounds.
    outbound_limit: Size = setting("1MiB", minimum="1KiB", help="What may wait to be sent to one connection.")
    outbound_total: Size = setting("256MiB", minimum="1KiB", help="What may wait to be sent to all connections.")
    max_message_size: Size = setting("64KiB", minimum="1B", help="The largest message taken from a client.")
    max_body_size: Size = setting("1MiB", minimum="1B", help="The largest body of an HTTP request.")
    max_channel_length: int = setting(255, minimum=1, help="The longest channel name, in characters.")
    max_id_length: int = setting(255, minimum=1, help="The longest subscriber_id, in characters.")
    max_sessions: int = setting(0, minimum=0, help="Clients at once; 0 takes what the limit of open files allows.")
    max_sessions_per_ip: int = setting(0, minimum=0, help="Clients at once from one address; 0 sets no such bound.")
    message_rate: int = setting(
        100, minimum=0, help="Messages per second that a client may send, and as many at once; 0 sets no bound."
    )
    max_subscriptions: int = setting(1000, minimum=1, help="Channels that one connection may be subscribed to.")
    announce_max_members: int = setting(
        1000, minimum=0, help="Above this many members on a node a channel's notices are paused."
    )

    history_total: Size = setting("256MiB", minimum="1KiB", help="What the memory backend keeps of all histories.")

    # Times.
    heartbeat_interval: Duration = setting("25s", minimum="1ms", help="Between SockJS heartbeats.")
    ping_interval: Duration = setting("25s", minimum="1ms", help="Between pings of a websocket.")
    ping_timeout: Duration = setting("20s", minimum="1ms", help="How long a websocket may take to answer a ping.")
    disconnect_delay: Duration = setting(
        "5s", minimum="1ms", help="How long a SockJS session lives without a receiver."
    )
    idempotency_window: Duration = setting("5m", help="How long the result of an idempotency key is kept.")
    drain: Duration = setting("0", help="Over how long a stop spreads the closing of its clients.")
    return_window: Duration = setting(
        "5s", help="Over how long clients that are told to come back are spread; each is told its own moment."
    )
    shutdown_timeout: Duration = setting("10s", help="How long a stop may take before connections are cut.")

    # Transports, and what is kept on disk.
    compression: bool = setting(
        False, help="Compress larger messages on websockets whose client offers it (permessage-deflate)."
    )
    disabled_transports: tuple[str, ...] = setting(
        (), help="Transports not offered, by their SockJS names.", check=_check_transports
    )
    sockjs_url: str = setting(
        "https://cdn.jsdelivr.net/npm/sockjs-client@1.6.1/dist/sockjs.min.js",
        help="The client that iframe transports load.",
    )
    state_dir: str | None = setting(None, help="The folder where plugins may keep files.")
    channels: tuple[ChannelRule, ...] = setting((), help="What holds in which channel; the first rule that matches.")


def core_component(version: str = "") -> Component:
    """Declare the core's settings and the flags that are none.

    Args:
        version: Named in refusals where a plugin's setting collides with one of the core.
    """
    return Component(
        "",
        CoreSettings,
        owner=f"sethpusher-core {version}".strip(),
        actions=(
            Action("help", "Show this help."),
            Action("version", "Show the version."),
            Action("list_plugins", "List the plugins, and what is wrong with any."),
            Action("show_config", "Show every setting with its source."),
            Action("json", "With --list-plugins: as JSON."),
            Action("verbose", "Show where an error came from."),
        ),
    )
