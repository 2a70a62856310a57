"""The line on which a node speaks: one connection, on which commands are pipelined.

What is asked within one turn of the loop is written at once, without waiting for earlier answers; so the server takes
everything in the order in which it was asked. A command that was written when the connection broke has an unknown fate:
it is answered with an error and never sent again. One that was not yet written waits for the next connection. No answer
takes longer than ``timeout``.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, Final, TypeAlias

from hiredis import pack_command
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import NoScriptError, OutOfMemoryError, ReadOnlyError, RedisError, ResponseError

from sethpusher_core.backends.supervision import Supervised
from sethpusher_core.errors import BackendError, BackendUnavailable

from .connector import Connector
from .ending import until_one_ends
from .scripts import Script

__all__ = ["Command", "Line"]

MOST_WAITING: Final = 50_000
"""Commands that may wait to be written."""
MOST_BYTES: Final = 2**26
"""Bytes that they may have."""

Part: TypeAlias = "bytes | str | int"
Command: TypeAlias = tuple[Any, ...]
"""The words of a command; or a Script, its keys, and its arguments after the first, which is the server's run id."""


class _Answers:
    """The answers to what was asked in one call."""

    __slots__ = ("deadline", "future", "missing", "values")

    def __init__(self, count: int, future: asyncio.Future[list[Any]], deadline: float) -> None:
        self.values: list[Any] = [None] * count
        self.missing = count
        self.future = future
        self.deadline = deadline

    def put(self, place: int, value: object) -> None:
        self.values[place] = value
        self.missing -= 1
        if not self.missing and not self.future.done():
            self.future.set_result(self.values)


class Line:
    """Asks the server.

    Attributes:
        supervised: Its connection.
    """

    def __init__(self, connector: Connector, scripts: Iterable[Script], timeout: float) -> None:
        """Connects nowhere.

        Args:
            connector: Opens connections.
            scripts: What the server must know.
            timeout: Seconds that an answer may take.
        """
        self._connector = connector
        self._scripts = tuple(scripts)
        self._timeout = timeout
        self._waiting: deque[tuple[Command, int, _Answers, int]] = deque()
        self._waiting_bytes = 0
        self._written: deque[tuple[_Answers, int]] = deque()
        self._wake: asyncio.Event | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._closed = True
        self.supervised = Supervised(f"the line to {connector.where}", self._session)

    async def start(self, patience: float) -> None:
        """Connects; for ``patience`` see :meth:`Supervised.start`.

        Raises:
            BackendError: It cannot be connected.
        """
        self._wake = asyncio.Event()
        self._closed = False
        await self.supervised.start(patience)

    async def close(self) -> None:
        """Ends it; who waits for an answer gets an error."""
        self._closed = True
        await self.supervised.stop()
        self._fail_waiting(BackendUnavailable("the backend is closed"))
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    async def ask(self, commands: Iterable[Command], size: int = 0) -> list[Any]:
        """Asks, in order. The commands are in line before the first await.

        Args:
            commands: What to ask.
            size: How many bytes they have, about.

        Returns:
            An answer to each; one that is not given, or is an error, is a BackendError.
        """
        commands = list(commands)
        loop = asyncio.get_running_loop()
        if self._closed or self._wake is None:
            return [BackendUnavailable("the backend is not started")] * len(commands)
        if len(self._waiting) + len(commands) > MOST_WAITING or self._waiting_bytes + size > MOST_BYTES:
            return [BackendUnavailable("too much waits for the server")] * len(commands)
        if not commands:
            return []
        answers = _Answers(len(commands), loop.create_future(), loop.time() + self._timeout)
        share = size // len(commands)
        for place, command in enumerate(commands):
            self._waiting.append((command, share, answers, place))
        self._waiting_bytes += share * len(commands)
        self._wake.set()
        if self._timer is None:
            self._timer = loop.call_at(answers.deadline, self._look)
        return await answers.future

    async def ask_all(self, commands: Iterable[Command]) -> list[Any]:
        """Asks, in order.

        Raises:
            BackendError: One of the answers is not given, or is an error.
        """
        answers = await self.ask(commands)
        for answer in answers:
            if isinstance(answer, BackendError):
                raise answer
        return answers

    async def ask_one(self, *command: Any) -> Any:
        """Asks one thing; see :meth:`ask_all`."""
        [answer] = await self.ask_all([command])
        return answer

    # ------------------------------------------------------------------------------------------------------ inside

    async def _session(self, stands: Callable[[], None]) -> None:
        opened = await self._connector.open("speak")
        try:
            async with asyncio.timeout(self._timeout):
                for script in self._scripts:
                    await opened.connection.send_command("SCRIPT", "LOAD", script.text, check_health=False)
                    await opened.connection.read_response()
            stands()
            await until_one_ends(self._write(opened.connection, opened.run_id), self._read(opened.connection))
        except TimeoutError:
            raise BackendUnavailable(f"no answer within {self._timeout:g} s") from None
        except (RedisError, OSError) as error:
            raise BackendUnavailable(str(error) or type(error).__name__) from None
        finally:
            self._fail_written()
            await opened.connection.disconnect(nowait=True)

    async def _write(self, connection: AbstractConnection, run_id: bytes) -> None:
        assert self._wake is not None
        while True:
            await self._wake.wait()
            self._wake.clear()
            packed: list[bytes] = []
            while self._waiting:
                command, size, answers, place = self._waiting.popleft()
                self._waiting_bytes -= size
                if answers.future.done():  # nobody waits for it any more
                    continue
                self._written.append((answers, place))
                packed.append(_packed(command, run_id))
            if packed:
                await connection.send_packed_command(packed, check_health=False)

    async def _read(self, connection: AbstractConnection) -> None:
        while True:
            try:
                value = await connection.read_response(disconnect_on_error=False)
            except (ReadOnlyError, NoScriptError) as error:
                # A replica now, or its scripts were flushed: a new connection puts both right.
                answers, place = self._written.popleft()
                answers.put(place, BackendUnavailable(str(error)))
                raise
            except OutOfMemoryError as error:
                value = BackendUnavailable(str(error))
            except ResponseError as error:
                value = BackendError(str(error))
            answers, place = self._written.popleft()
            answers.put(place, value)

    def _fail_written(self) -> None:
        while self._written:
            answers, place = self._written.popleft()
            answers.put(place, BackendUnavailable("the connection broke before the server answered"))

    def _fail_waiting(self, error: BackendError, before: float = float("inf")) -> None:
        while self._waiting and self._waiting[0][2].deadline <= before:
            _, size, answers, place = self._waiting.popleft()
            self._waiting_bytes -= size
            answers.put(place, error)

    def _look(self) -> None:
        """Ends what has taken too long; the oldest is always the first."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        self._timer = None
        if self._written and self._written[0][0].deadline <= now:
            self.supervised.restart(f"no answer within {self._timeout:g} s")
        self._fail_waiting(BackendUnavailable("there is no connection to the server"), now)
        deadlines = [self._written[0][0].deadline] if self._written else []
        deadlines += [self._waiting[0][2].deadline] if self._waiting else []
        if deadlines:
            self._timer = loop.call_at(max(min(deadlines), now + 0.01), self._look)


def _packed(command: Command, run_id: bytes) -> bytes:
    head = command[0]
    if isinstance(head, Script):
        _, keys, arguments = command
        command = ("EVALSHA", head.sha, len(keys), *keys, run_id, *arguments)
    packed: bytes = pack_command(command)
    return packed
