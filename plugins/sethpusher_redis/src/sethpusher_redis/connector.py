"""Where the server is: by its URL, or by what the sentinels say; and whether it will do."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from typing import Any, Final

from redis.asyncio.connection import AbstractConnection, Connection, SSLConnection, parse_url
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import MasterNotFoundError, Sentinel
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, NoPermissionError, RedisError

from sethpusher_core.errors import BackendError, BackendUnavailable

from .settings import ServerSettings, host_and_port

__all__ = ["Connector", "Opened"]

OLDEST: Final = (6, 2)
"""The first version of Redis that has what is used (LTRIM and the like are older; ZRANGE ... BYSCORE is not)."""

_NEITHER: Final = "the server is a replica, which takes nothing"


@dataclass(frozen=True, slots=True)
class Opened:
    """A connection that stands.

    Attributes:
        connection: The connection; whoever asked for it closes it.
        run_id: Names this run of the server: another one may have other data.
    """

    connection: AbstractConnection
    run_id: bytes


class Connector:
    """Opens connections to the server that is to be used now."""

    def __init__(self, settings: ServerSettings, client_name: str = "sethpusher") -> None:
        """Connects nowhere.

        Args:
            settings: Where to.
            client_name: What ``CLIENT LIST`` shows.
        """
        self._settings = settings
        self._name = client_name
        arguments: dict[str, Any] = dict(parse_url(settings.url))
        self._class: type[AbstractConnection] = arguments.pop("connection_class", Connection)
        if settings.username is not None:
            arguments.setdefault("username", settings.username)
        if settings.password is not None:
            arguments.setdefault("password", settings.password.reveal())
        if issubclass(self._class, SSLConnection):
            arguments |= {
                "ssl_ca_certs": settings.tls_ca,
                "ssl_certfile": settings.tls_cert,
                "ssl_keyfile": settings.tls_key,
                "ssl_check_hostname": settings.tls_check_hostname,
            }
        self._arguments = arguments | {"protocol": 3, "socket_timeout": None, **_one_try(settings)}

    @property
    def where(self) -> str:
        """The server, for the operator."""
        if self._settings.sentinels:
            return f"{self._settings.sentinel_master} (by its sentinels)"
        path = self._arguments.get("path")
        host = self._arguments.get("host", "localhost")
        return str(path) if path is not None else f"{host}:{self._arguments.get('port', 6379)}"

    async def open(self, purpose: str) -> Opened:
        """Connects, within ``connect_timeout``.

        Args:
            purpose: A word for ``CLIENT LIST``.

        Raises:
            BackendUnavailable: There is no server, or it cannot be used now.
            BackendError: It will not do.
        """
        limit = self._settings.connect_timeout
        connection: AbstractConnection | None = None
        try:
            async with asyncio.timeout(limit):
                arguments = {**self._arguments, "client_name": f"{self._name}-{purpose}"}
                if self._settings.sentinels:
                    arguments["host"], arguments["port"] = await self._ask_sentinels()
                connection = self._class(**arguments)
                await connection.connect()  # type: ignore[no-untyped-call] # redis-py has no types here
                opened = Opened(connection, await self._checked(connection))
                connection = None
                return opened
        except TimeoutError:
            raise BackendUnavailable(f"{self.where} does not answer within {limit:g} s") from None
        except (AuthenticationError, NoPermissionError) as error:
            raise BackendError(f"{self.where} refuses the credentials: {_line(error)}") from None
        except (RedisError, OSError, ValueError) as error:
            raise BackendUnavailable(f"cannot connect to {self.where}: {_line(error)}") from None
        finally:
            if connection is not None:
                await connection.disconnect(nowait=True)

    async def _ask_sentinels(self) -> tuple[str, int]:
        settings = self._settings
        password = settings.sentinel_password
        sentinel = Sentinel(  # type: ignore[no-untyped-call] # redis-py has no types here
            [host_and_port(one, 26379) for one in settings.sentinels],
            sentinel_kwargs={
                "username": settings.sentinel_username,
                "password": None if password is None else password.reveal(),
                "socket_timeout": settings.connect_timeout / 2,
                **_one_try(settings, share=2),
            },
        )
        try:
            host, port = await sentinel.discover_master(settings.sentinel_master)
        except MasterNotFoundError:
            names = ", ".join(settings.sentinels)
            raise BackendUnavailable(f"no sentinel of {names} knows a master {settings.sentinel_master}") from None
        finally:
            for client in sentinel.sentinels:
                await client.aclose()
        return host, port

    async def _checked(self, connection: AbstractConnection) -> bytes:
        """The run id of a server that will do."""
        facts: dict[str, str] = {}
        for section in ("server", "replication"):
            await connection.send_command("INFO", section)
            text = await connection.read_response()
            facts |= dict(re.findall(r"^(\w+):(.*?)\r?$", _text(text), re.MULTILINE))
        version = tuple(int(part) for part in re.findall(r"\d+", facts.get("redis_version", "0"))[:2])
        if version < OLDEST:
            raise BackendError(
                f"{self.where} is Redis {facts.get('redis_version')}; {OLDEST[0]}.{OLDEST[1]} or newer is needed"
            )
        if "cluster" in (facts.get("redis_mode"), facts.get("server_mode")):
            raise BackendError(f"{self.where} is a node of a cluster, which is not supported")
        if facts.get("role") != "master":
            raise BackendUnavailable(f"{self.where}: {_NEITHER}")
        return facts["run_id"].encode()


def _one_try(settings: ServerSettings, share: int = 1) -> dict[str, Any]:
    """What keeps the driver from trying again by itself: that is the supervisor's."""
    return {"socket_connect_timeout": settings.connect_timeout / share, "retry": Retry(NoBackoff(), 0)}


def _text(answer: object) -> str:
    return answer.decode("utf-8", "replace") if isinstance(answer, bytes) else str(answer)


def _line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
