"""What goes in comes out, changed or refused; and nothing else happens."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

import pytest

from ... import jsontext
from ...addresses import Address
from ...answers import Refused
from ...errors import RequestError
from ...hookspecs import hookimpl
from ...publication import Publication
from ..changes import REFUSED, Change, TransformBench
from ..guard import Compliance, case
from ..hooks import FAILING
from ..loops import within
from ..samples import ADA, AWKWARD_NAMES, NEWS, published

__all__ = ["TransformCases"]

DEEP: Final = 100
TEXTS: Final = (
    b"null",
    b"false",
    b"0",
    b"-0.0",
    b"1e300",
    b"9007199254740993",
    b'""',
    b"[]",
    b"{}",
    b"[[null]]\n",
    b'{"": {"": ""}}',
    b'{"a": 1, "a": 2}',
    b'"\\u0000"',
    b'"\\ud800"',
    b'{"\\ud800": "\\udfff"}',
    '"Grüße, 世界 👋🏽 \\u2028 \' \\" \\\\ / <script> % $1"'.encode(),
    b"[" * DEEP + b"]" * DEEP,
    b'{"message": {"message": "m"}, "sender_id": [7], "id": "not the publication\'s"}',
)
"""What JSON can say."""
SENDERS: Final = (None, "ada", "", 7, False, {"name": "Ada"}, ["a"])


class Kept:
    """A persister that keeps what it is given."""

    def __init__(self) -> None:
        self.publications: list[Publication] = []

    @hookimpl
    def persist(self, publications: Sequence[Publication]) -> None:
        """See :func:`sethpusher_core.hookspecs.persist`."""
        self.publications += publications


class TransformCases(Compliance):
    """The contract of ``transform``."""

    @case()
    async def test_fixture_gives_changes(self, kit: TransformBench) -> None:
        """A transform is judged by what it makes of publications.

        If this fails: have the fixture ``changes`` give a list of ``sethpusher_core.testing.Change`` that is not empty.
        """
        assert kit.changes, "changes gives nothing"
        wrong = [one for one in kit.changes if not isinstance(one, Change)]
        assert not wrong, f"changes gives {wrong[:3]}, not Change"

    @case()
    async def test_changes_are_as_stated(self, kit: TransformBench) -> None:
        """It returns the publication, changed or not; or Refused with a reason for the publisher.

        If this fails: compare what comes out with ``after``; ``publication.replace(message)`` makes a changed copy.
        """
        async with kit.server() as server:
            for one in kit.changes:
                after = kit.outcome(server, published(one.before, one.address))
                if one.after is REFUSED or isinstance(after, Refused):
                    assert isinstance(after, Refused), f"{one.before!r} is not refused"
                    assert one.after is REFUSED, f"{one.before!r} is refused: {after.reason}"
                else:
                    assert _text(after.message) == _text(one.after), f"{one.before!r} became {after.message!r}"

    @case()
    async def test_what_it_was_given_stays(self, kit: TransformBench) -> None:
        """Without side effects: the publication that comes in is not changed itself.

        If this fails: build a new value instead of changing ``publication.message`` in place; others hold it, too.
        """
        async with kit.server() as server:
            for one in kit.changes:
                before = published(one.before, one.address)
                value, text = before.message, before.data
                kit.outcome(server, before)
                assert before.data == text, "its JSON text has changed"
                assert _text(value) == _text(jsontext.decode(text)), f"its value was {one.before!r} and is {value!r}"

    @case()
    async def test_the_same_comes_to_the_same(self, kit: TransformBench) -> None:
        """Without side effects: what becomes of a publication depends on it alone.

        If this fails: keep no counts, no history and no dice in a transform.
        """
        async with kit.server() as server:
            for one in kit.changes:
                publication = published(one.before, one.address)
                first = kit.outcome(server, publication)
                for _ in range(5):
                    again = kit.outcome(server, publication)
                    assert again == first, f"{one.before!r} became {first!r}, and then {again!r}"

    @case()
    async def test_any_message_is_dealt_with(self, kit: TransformBench) -> None:
        """A message is any JSON value; when it raises, the publication is not sent.

        If this fails: look at what ``publication.message`` is before you use it as an object; leave what you do not
        know as it is. Escaped surrogates and deep nesting are JSON, too.
        """
        async with kit.server() as server:
            for text in TEXTS:
                _is_json(kit.outcome(server, published(data=text)), text)
            large = json.dumps({"text": "é" * 100_000, "list": list(range(10_000))}).encode()
            _is_json(kit.outcome(server, published(data=large)), large[:20])

    @case()
    async def test_any_publication_is_dealt_with(self, kit: TransformBench) -> None:
        """Publications are for channels and users of any name, from any sender: over HTTP any JSON value.

        If this fails: be ready for ``channel``, ``user`` and ``sender_id`` to be None, and for any characters in
        names.
        """
        before = kit.changes[0].before
        async with kit.server() as server:
            for name in AWKWARD_NAMES:
                for address in (Address.channel(name), Address.user(name)):
                    kit.outcome(server, published(before, address))
            for sender in SENDERS:
                kit.outcome(server, published(before, sender=sender))
            kit.outcome(server, published(before, ADA, key="key"))

    @case()
    async def test_persisters_get_what_comes_out(self, kit: TransformBench) -> None:
        """It is called before persist; what is refused is neither stored nor sent, and its publisher is told.

        If this fails: this runs a whole server with your plugin and a persister. Look in the log for what the hook
        raised.
        """
        kept = Kept()
        async with kit.server(beside=[kept]) as server:
            for one in kit.changes:
                publication = server.publication(one.address, jsontext.encode(one.before), b"null")
                if one.after is REFUSED:
                    with pytest.raises(RequestError):
                        await within(server.publish_one(one.address, publication.data, b"null"), "publish")
                else:
                    await within(server.publish_one(one.address, publication.data, b"null"), "publish")
        expected = [_text(one.after) for one in kit.changes if one.after is not REFUSED]
        assert [_text(one.message) for one in kept.publications] == expected

    @case(FAILING)
    async def test_when_it_fails_nothing_leaks(self, kit: TransformBench) -> None:
        """When it raises the publication is not sent: a failing redaction must not leak.

        If this fails: let the exception out, or return Refused; never the publication as it was.
        """
        kept = Kept()
        async with kit.server(failing=True, beside=[kept]) as server:
            for one in kit.changes:
                with pytest.raises(RequestError):
                    await within(server.publish(NEWS.name, one.before), "publish")
        assert kept.publications == []


def _text(value: Any) -> str:
    """Texts tell values apart that Python calls equal, such as 0 and false."""
    return json.dumps(value, sort_keys=True)


def _is_json(after: Publication | Refused, text: bytes) -> None:
    if isinstance(after, Refused):
        return
    for what, data in (("data", after.data), ("sender", after.sender)):
        try:
            jsontext.decode(data)
        except ValueError as error:
            raise AssertionError(f"of {text!r} became a publication whose {what} is no JSON: {error}") from None
