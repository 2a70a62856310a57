"""A plugin's messages are answered, everybody else's are left alone, and no message does harm."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from ... import errors
from ..guard import Compliance, case
from ..loops import within
from ..talks import DispatchBench, Exchange, Talk

__all__ = ["DispatchCases"]

MANY: Final = 20
BUILT_IN: Final[tuple[tuple[Mapping[str, Any], str], ...]] = (
    ({"type": "ping"}, "id"),
    ({"type": "connect", "subscriber_id": "ada"}, "id"),
    ({"type": "subscribe", "channel": "sport"}, "channel"),
    ({"type": "publish", "channel": "sport", "message": "hello"}, "publication_id"),
    ({"type": "unsubscribe", "channel": "sport"}, "channel"),
)
"""Messages, and a field that their replies have."""
JUNK: Final[tuple[Any, ...]] = (
    None,
    False,
    0,
    -1,
    1.5,
    2**70,
    "",
    " ",
    "\0",
    "世界",
    "\ud800",
    "a" * 10_000,
    [],
    [[]],
    {},
    {"": {}},
)


class DispatchCases(Compliance):
    """The contract of ``dispatch``."""

    @case()
    async def test_fixture_gives_exchanges(self, kit: DispatchBench) -> None:
        """A dispatcher is judged by the messages that it handles.

        If this fails: have the fixture ``exchanges`` give a list of ``sethpusher_core.testing.Exchange`` that is not
        empty; each message is an object with a ``type``, without an ``id``.
        """
        assert kit.exchanges, "exchanges gives nothing"
        for one in kit.exchanges:
            assert isinstance(one, Exchange), f"exchanges gives {one!r}, not Exchange"
            type_ = one.message.get("type")
            assert isinstance(type_, str), f"{one.message!r} has no type"
            assert "id" not in one.message, f"{one.message!r} has an id: the kit gives it one"
            json.dumps(one.message)

    @case()
    async def test_messages_are_answered_as_stated(self, kit: DispatchBench) -> None:
        """Handled: done, and ``Handled({...})`` adds fields to the ``ack`` of a message with an ``id``.

        If this fails: return ``Handled({...})`` with the fields of ``reply``; raise RequestError to answer with an
        error of your choice. What has no form in JSON cannot be sent.
        """
        async with kit.talk() as talk, talk() as ada:
            for one in kit.exchanges:
                await _answered(ada, one)
            await ada.alive()

    @case()
    async def test_other_messages_are_not_mine(self, kit: DispatchBench) -> None:
        """None: not mine. The built-in messages are handled by plugins that run last.

        If this fails: return None for every ``message.type`` that is not yours.
        """
        async with kit.talk() as talk, talk() as ada:
            for message, field in BUILT_IN:
                if message["type"] not in kit.types:
                    reply = await ada.ask(message)
                    assert reply["type"] == "ack", f"{message} is answered with {reply}"
                    assert field in reply, f"{message} is answered with {reply}, which has no {field}"

    @case()
    async def test_unknown_types_stay_unknown(self, kit: DispatchBench) -> None:
        """A type is matched exactly; what nobody handles is answered with an error.

        If this fails: compare ``message.type`` with ``==``; do not change its case or strip it.
        """
        async with kit.talk() as talk, talk() as ada:
            looks_like = {variant for type_ in kit.types for variant in (type_.swapcase(), f" {type_}", f"{type_}\n")}
            for type_ in {"compliance", *looks_like} - kit.types:
                reply = await ada.ask({"type": type_})
                assert reply["type"] == "error", f"{type_!r} is answered with {reply}"
                assert reply["code"] == errors.UNKNOWN_TYPE.code, f"{type_!r} is answered with {reply}"

    @case()
    async def test_odd_fields_do_no_harm(self, kit: DispatchBench) -> None:
        """Fields are as the client sent them: missing, of any type, of any length.

        If this fails: check each field (``message.text(name, limit)`` and the like do), and raise
        ``RequestError(errors.BAD_FIELD, ...)``; anything else that is raised is an internal error.
        """
        async with kit.talk() as talk, talk() as ada:
            for one in kit.exchanges:
                for message in _spoilt(one.message):
                    reply = await ada.ask(message)
                    assert reply.get("code") != errors.INTERNAL.code, f"{_short(message)} is answered with {reply}"
            await ada.alive()

    @case()
    async def test_who_has_not_said_connect_is_answered(self, kit: DispatchBench) -> None:
        """A message may come before ``connect``: then ``connection.subscriber_id`` is None, and no channel joined.

        If this fails: check ``connection.subscriber_id`` before you use it, and raise RequestError where you need one.
        """
        async with kit.talk() as talk, talk(None) as somebody:
            for one in kit.exchanges:
                reply = await somebody.ask(one.message)
                assert reply.get("code") != errors.INTERNAL.code, f"{one.message} is answered with {reply}"

    @case()
    async def test_without_an_id_it_is_done_all_the_same(self, kit: DispatchBench) -> None:
        """Any message may come without an ``id``; then there is no reply, but to errors.

        If this fails: do the same work whether ``message.id`` is None or not, or raise RequestError where the reply is
        all that matters; do not send an ``ack`` yourself.
        """
        async with kit.talk() as talk, talk() as ada:
            for one in kit.exchanges:
                await ada.say(one.message)
                await ada.say({"type": "ping", "id": "after"})
                for came in await _until(ada, "after"):
                    assert came.get("type") != "ack", f"{one.message} has no id, and is answered with {came}"
                    assert came.get("code") != errors.INTERNAL.code, f"{one.message} is answered with {came}"

    @case()
    async def test_replies_come_in_order_one_for_each(self, kit: DispatchBench) -> None:
        """It is called in order per connection, the next message waits, and exactly one reply answers each.

        If this fails: await what a message needs before you return; do not answer from a task of your own.
        """
        messages = [kit.exchanges[number % len(kit.exchanges)].message for number in range(MANY)]
        async with kit.talk() as talk, talk() as ada:
            for number, message in enumerate(messages):
                await ada.say({**message, "id": number})
            await ada.say({"type": "ping", "id": "after"})
            replied = [came["id"] for came in await _until(ada, "after") if "id" in came]
        assert replied == list(range(MANY)), f"replies came to {replied}"

    @case()
    async def test_clients_are_not_mixed_up(self, kit: DispatchBench) -> None:
        """Messages of many connections are handled at once.

        If this fails: keep what belongs to one connection by ``connection.id``, or in local variables.
        """

        async def chatter(client: Talk, first: int) -> None:
            for number in range(first, first + MANY):
                await _answered(client, kit.exchanges[number % len(kit.exchanges)])

        async with kit.talk() as talk, talk() as one, talk() as two, talk() as three:
            await asyncio.gather(chatter(one, 0), chatter(two, 1), chatter(three, 2))

    @case()
    async def test_who_leaves_meanwhile_does_no_harm(self, kit: DispatchBench) -> None:
        """A client may go away while its message is handled; what is sent to it then is dropped.

        If this fails: expect ``connection.closed`` to become true at any ``await``, and keep nothing for connections
        that are gone.
        """
        async with kit.talk() as talk, talk() as witness:
            for one in kit.exchanges:
                async with talk() as leaver:
                    for _ in range(MANY):
                        await leaver.say({**one.message, "id": 1})
                    leaver.line.transport.abort()
            await witness.alive()
            for one in kit.exchanges:
                await _answered(witness, one)


async def _answered(client: Talk, one: Exchange) -> None:
    reply = await client.ask(one.message)
    if one.error is not None:
        assert reply["type"] == "error", f"{one.message} is answered with {reply}, not with error {one.error.code}"
        assert reply["code"] == one.error.code, f"{one.message} is answered with {reply}, not with {one.error.code}"
        return
    assert reply["type"] == "ack", f"{one.message} is answered with {reply}"
    for name, value in (one.reply or {}).items():
        assert name in reply, f"{one.message} is answered with {reply}, which has no {name}"
        assert reply[name] == value, f"{one.message} is answered with {reply}: {name} is not {value!r}"


async def _until(client: Talk, id: str) -> list[Any]:
    """All that comes before a reply."""
    came: list[Any] = []
    while True:
        message = json.loads(await within(client.line.recv(), f"the reply to {id}"))
        if message.get("id") == id:
            return came
        came.append(message)


def _spoilt(message: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The message with one field missing, or another value in its place, or with more than it should have."""
    for name in message:
        if name != "type":
            yield {key: value for key, value in message.items() if key != name}
            for junk in JUNK:
                yield {**message, name: junk}
    for junk in JUNK:
        yield {**message, "compliance": junk}


def _short(message: Mapping[str, Any]) -> str:
    return f"{message!r:.200}"
