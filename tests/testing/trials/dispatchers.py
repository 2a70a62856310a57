"""Dispatchers that answer wrongly, or keep others from being answered."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, ClassVar

from testing.trials.marks import fails

from sethpusher_core import ClientMessage, Connection, Handled, RequestError, hookimpl
from sethpusher_core.errors import BAD_FIELD, LIMIT
from sethpusher_core.testing import Exchange
from sethpusher_core.testing.talks import DispatchBench

STATED = [
    Exchange({"type": "shout", "text": "hi"}, {"text": "HI"}),
    Exchange({"type": "shout", "text": "psst"}, {"text": "PSST"}),
    Exchange({"type": "shout", "text": "x" * 101}, error=LIMIT),
]


class Right:
    """Answers a text in capitals."""

    exchanges: ClassVar[Sequence[Any]] = STATED

    @hookimpl
    async def dispatch(self, connection: Connection, message: ClientMessage) -> Any:
        return await self.handled(connection, message) if self.is_mine(message) else None

    def is_mine(self, message: ClientMessage) -> bool:
        return message.type == "shout"

    async def handled(self, connection: Connection, message: ClientMessage) -> Any:
        return Handled({"text": self.text(message).upper()})

    def text(self, message: ClientMessage) -> str:
        text = message.get("text")
        if not isinstance(text, str):
            raise RequestError(BAD_FIELD, "text must be a text.")
        if len(text) > 100:
            raise RequestError(LIMIT, "At most 100 characters.")
        return text

    @classmethod
    def bench(cls) -> DispatchBench:
        return DispatchBench(cls, cls.exchanges)


@fails("fixture_gives_exchanges", among_others=True)
class NoExchanges(Right):
    exchanges = ()


@fails("fixture_gives_exchanges", among_others=True)
class MessagesWithIds(Right):
    exchanges = (Exchange({"type": "shout", "text": "hi", "id": 1}, {"text": "HI"}),)


@fails("messages_are_answered_as_stated", "clients_are_not_mixed_up", "who_leaves_meanwhile_does_no_harm")
class Whispers(Right):
    async def handled(self, connection: Connection, message: ClientMessage) -> Any:
        return Handled({"text": self.text(message).lower()})


@fails("messages_are_answered_as_stated", among_others=True)
class AnswersWithWhatIsNoJson(Right):
    async def handled(self, connection: Connection, message: ClientMessage) -> Any:
        return Handled({"text": {self.text(message)}, "by": self})


@fails("other_messages_are_not_mine", "unknown_types_stay_unknown")
class TakesAll(Right):
    async def handled(self, connection: Connection, message: ClientMessage) -> Any:
        return await super().handled(connection, message) if message.type == "shout" else Handled()

    def is_mine(self, message: ClientMessage) -> bool:
        return message.type not in ("connect", "ping")


@fails("unknown_types_stay_unknown")
class IgnoresCase(Right):
    def is_mine(self, message: ClientMessage) -> bool:
        return message.type.strip().lower() == "shout"


@fails("odd_fields_do_no_harm")
class TakesTextsForGranted(Right):
    def text(self, message: ClientMessage) -> str:
        if not message.fields.get("text"):
            raise RequestError(BAD_FIELD, "text must be a text.")
        text: str = message.get("text")
        if len(text) > 100:
            raise RequestError(LIMIT, "At most 100 characters.")
        return text


@fails("who_has_not_said_connect_is_answered")
class NeedsAName(Right):
    async def handled(self, connection: Connection, message: ClientMessage) -> Any:
        assert connection.subscriber_id is not None
        return await super().handled(connection, message)


@fails("without_an_id_it_is_done_all_the_same")
class AnswersAnyway(Right):
    async def handled(self, connection: Connection, message: ClientMessage) -> Any:
        handled = await super().handled(connection, message)
        if message.id is None:
            connection.send({"type": "ack"})
        return handled


@fails("replies_come_in_order_one_for_each")
class AnswersTwice(Right):
    async def handled(self, connection: Connection, message: ClientMessage) -> Any:
        handled = await super().handled(connection, message)
        if isinstance(message.id, int):
            connection.send({"type": "ack", "id": message.id})
        return handled


@fails("clients_are_not_mixed_up", "who_leaves_meanwhile_does_no_harm")
class MixesUp(Right):
    async def handled(self, connection: Connection, message: ClientMessage) -> Any:
        self.last = self.text(message)
        await asyncio.sleep(0.001)
        return Handled({"text": self.last.upper()})


@fails("who_leaves_meanwhile_does_no_harm")
class KeepsTheLock(Right):
    def __init__(self) -> None:
        self.lock = asyncio.Lock()

    async def handled(self, connection: Connection, message: ClientMessage) -> Any:
        text = self.text(message)
        await self.lock.acquire()
        if connection.closed:
            raise ConnectionError("it has gone")
        self.lock.release()
        return Handled({"text": text.upper()})
