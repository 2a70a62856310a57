"""Who is known gets in, who is not does not, and nothing that a caller presents does harm."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final

import msgspec
import pytest

from ...answers import Rejected
from ...errors import HookError, RequestError
from ...identity import Identity
from ..callers import EXPIRED, NOTHING, AuthenticateBench, Presented, everything_logged
from ..guard import Compliance, case
from ..hooks import FAILING

__all__ = ["AuthenticateCases"]

LONGEST_ID: Final = 255
LONG_FROM_NOW: Final = 100 * 366 * 86400.0
PURPOSES: Final = ("connection", "http")
SPOILT: Final[tuple[Callable[[str], str], ...]] = (
    lambda value: value[:-1],
    lambda value: f"{value}x",
    lambda value: chr(ord(value[0]) ^ 1) + value[1:] if value else "x",
)
HOSTILE: Final = (
    "",
    " ",
    "\0",
    "\xe4\xff",
    "null",
    "{}",
    "[]",
    "0",
    "..",
    "a.b.c",
    ".",
    "=",
    ":",
    "Basic",
    "Bearer ",
    "%00",
    "' OR ''='",
    "../../etc/passwd",
    "A" * 10_000,
    "." * 1_000,
    "eyJhbGciOiJub25lIn0.e30.",
)
"""What a header may hold, too: characters up to U+00FF."""
UNICODE: Final = ("世界", "\ud800", "👋" * 1_000)
"""What only a query or a token can hold; the second is what JSON's ``"\\\\ud800"`` stands for."""


class AuthenticateCases(Compliance):
    """The contract of ``authenticate``."""

    @case()
    async def test_fixtures_give_both_kinds_of_callers(self, kit: AuthenticateBench) -> None:
        """An authenticator is judged by callers whom it knows, and callers whose credentials are bad.

        If this fails: have the fixtures ``accepted`` and ``refused`` give lists of
        ``sethpusher_core.testing.Presented``, neither of them empty.
        """
        for name, callers in (("accepted", kit.accepted), ("refused", kit.refused)):
            assert callers, f"{name} gives no callers"
            wrong = [one for one in callers if not isinstance(one, Presented)]
            assert not wrong, f"{name} gives {wrong[:3]}, not Presented"
        assert NOTHING not in kit.accepted, "who presents nothing is not known"

    @case()
    async def test_who_is_known_is_accepted(self, kit: AuthenticateBench) -> None:
        """An Identity says who it is.

        If this fails: return ``Identity(subscriber_id, ...)`` for good credentials, with the id that is theirs.
        """
        async with kit.server() as server:
            for one in kit.accepted:
                identity = await kit.known(server, one)
                assert identity.subscriber_id == one.subscriber_id

    @case()
    async def test_bad_credentials_are_rejected(self, kit: AuthenticateBench) -> None:
        """Rejected: these credentials are mine and bad, the caller is refused. None would mean that they are missing.

        If this fails: return ``Rejected(reason)``, not None, for credentials that are yours and wrong: where
        ``anonymous`` lets callers without credentials in, None lets these in, too.
        """
        async with kit.server() as server:
            for one in kit.refused:
                answer = await kit.answer(server, one)
                assert isinstance(answer, Rejected), f"{answer!r} is not Rejected"
                assert isinstance(answer.reason, str), f"the reason is {answer.reason!r}"
                assert answer.reason.strip(), "it gives no reason for the log"

    @case()
    async def test_nothing_presented_is_not_mine(self, kit: AuthenticateBench) -> None:
        """None: nothing here is meant for me; then other authenticators are asked, and ``anonymous`` decides.

        If this fails: return None where none of your credentials are presented.
        """
        async with kit.server() as server:
            for purpose in PURPOSES:
                assert await kit.answer(server, NOTHING, purpose) is None

    @case()
    async def test_the_credentials_of_others_are_not_mine(self, kit: AuthenticateBench) -> None:
        """None: nothing here is meant for me. Several authenticators share one server.

        If this fails: look for your own scheme, header or argument, and return None where only others are.
        """
        others = (
            Presented(headers={"Authorization": "Compliance abc"}),
            Presented(headers={"Cookie": "theme=dark", "X-Compliance": "abc"}),
            Presented(query={"compliance": "abc"}),
        )
        async with kit.server() as server:
            for one in others:
                assert await kit.answer(server, one) is None

    @case()
    async def test_the_same_over_every_way_in(self, kit: AuthenticateBench) -> None:
        """It is called for connections and for each HTTP call of the API; both present the same.

        If this fails: do not go by ``credentials.purpose``, ``transport``, ``method`` or path to know somebody.
        """
        async with kit.server() as server:
            for purpose in PURPOSES:
                for one in kit.accepted:
                    if one.token is None:
                        await kit.known(server, one, purpose)
                for one in kit.refused:
                    await kit.outside(server, one, purpose)

    @case()
    async def test_damaged_credentials_open_nothing(self, kit: AuthenticateBench) -> None:
        """What is almost right is wrong: a character less, more or another one.

        If this fails: compare whole values; refuse what cannot be decoded. ``accepted`` may give nothing but what is
        needed: a header that does not matter may be damaged without harm.
        """
        async with kit.server() as server:
            for one in kit.accepted:
                for spoil in SPOILT:
                    for damaged in one.changed(spoil):
                        await kit.outside(server, damaged)

    @case()
    async def test_hostile_credentials_do_no_harm(self, kit: AuthenticateBench) -> None:
        """Whatever is presented, the answer is Rejected or None; when it raises the caller gets 503.

        If this fails: catch what decoding raises (ValueError, UnicodeError, KeyError, ...) and return Rejected.
        """
        async with kit.server() as server:
            for one in (*kit.accepted, *kit.refused):
                for text in HOSTILE:
                    for hostile in one.changed(lambda _, text=text: text):  # type: ignore[misc]
                        await kit.outside(server, hostile)
                    for name in one.headers:
                        await kit.outside(server, Presented(headers={name: text}))
                for text in UNICODE:
                    for hostile in Presented(query=one.query, token=one.token).changed(lambda _, text=text: text):  # type: ignore[misc]
                        await kit.outside(server, hostile)

    @case()
    async def test_who_was_known_is_not_remembered(self, kit: AuthenticateBench) -> None:
        """Each connection and call presents its own credentials; many callers share one address.

        If this fails: do not keep what you found by ``remote_ip`` or on the plugin; go by the credentials alone.
        """
        async with kit.server() as server:
            for one in kit.accepted:
                await kit.known(server, one)
                assert await kit.answer(server, NOTHING) is None
                for bad in kit.refused:
                    await kit.outside(server, bad)

    @case()
    async def test_many_at_once_are_not_mixed_up(self, kit: AuthenticateBench) -> None:
        """Callers are asked about at once: each gets its own answer.

        If this fails: keep what belongs to one call in local variables, not on the plugin.
        """
        callers = [*kit.accepted, *kit.refused, NOTHING] * 10
        async with kit.server() as server:
            answers = await asyncio.gather(*(kit.answer(server, one) for one in callers))
        for one, answer in zip(callers, answers, strict=True):
            if one in kit.accepted:
                assert isinstance(answer, Identity), f"{answer!r} to one of `accepted`"
                assert answer.subscriber_id == one.subscriber_id
            else:
                assert not isinstance(answer, Identity), f"{answer!r} to one who is not among `accepted`"

    @case()
    async def test_identities_are_well_formed(self, kit: AuthenticateBench) -> None:
        """``subscriber_id`` is text of 1 to 255 characters, ``expires_at`` Unix time in seconds, ``info`` JSON-like.

        If this fails: convert ids to text; give ``expires_at`` in seconds, not milliseconds, and not as a span.
        """
        async with kit.server() as server:
            for one in kit.accepted:
                identity = await kit.known(server, one)
                id: object = identity.subscriber_id
                assert id is None or (isinstance(id, str) and 0 < len(id) <= LONGEST_ID), f"subscriber_id is {id!r}"
                assert not (identity.proven and id is None), "proven, but nobody"
                end = identity.expires_at
                now = time.time()
                assert end is None or now < end < now + LONG_FROM_NOW, f"expires_at is {end}, now is {now:.0f}"
                msgspec.json.encode(dict(identity.info))

    @case()
    async def test_what_it_can_do_is_declared(self, kit: AuthenticateBench) -> None:
        """What a plugin can do it says by attributes: ``proves_ids``, ``takes_tokens``, ``reads_cookies``.

        If this fails: set the attribute that the message names to True on the plugin. Without it tokens are never
        shown to it, claimed ids count beside proven ones, and pages of strangers may use a visitor's cookies.
        """
        async with kit.server() as server:
            identities = [await kit.known(server, one) for one in kit.accepted]
        if any(identity.proven for identity in identities):
            assert kit.declares("proves_ids"), "its identities are proven, but proves_ids is not True"
        if any(one.token is not None for one in kit.accepted):
            assert kit.declares("takes_tokens"), "it knows tokens, but takes_tokens is not True"
        if any(name.lower() == "cookie" for one in kit.accepted for name in one.headers):
            assert kit.declares("reads_cookies"), "it knows cookies, but reads_cookies is not True"

    @case("proves_ids")
    async def test_ids_are_proven(self, kit: AuthenticateBench) -> None:
        """``proves_ids``: its identities may be proven; an id that is not proven does not count any more.

        If this fails: return ``Identity(id, proven=True)`` where the credentials belong to this one person; if they
        never do, take ``proves_ids`` away.
        """
        async with kit.server() as server:
            named = [one for one in kit.accepted if one.subscriber_id is not None]
            assert named, "`accepted` gives nobody with a subscriber_id"
            for one in named:
                assert (await kit.known(server, one)).proven, f"{one.subscriber_id} is not proven"

    @case("takes_tokens")
    async def test_where_there_is_a_token_nothing_else_counts(self, kit: AuthenticateBench) -> None:
        """``takes_tokens``: it reads ``credentials.token``, and looks at nothing else when there is one.

        If this fails: begin with ``credentials.token``; where it is not None, answer by it alone.
        """
        tokens = [one.token for one in kit.accepted if one.token is not None]
        assert tokens, "`accepted` gives nobody with a token"
        async with kit.server() as server:
            for one in kit.accepted:
                await kit.outside(server, Presented(one.headers, one.query, token=f"{tokens[0][:-1]}"))

    @case(EXPIRED)
    async def test_expired_credentials_are_refused(self, kit: AuthenticateBench) -> None:
        """``expires_at`` is enforced: who comes later is refused.

        If this fails: return Rejected for credentials whose time is over, or an Identity whose ``expires_at`` is that
        time; never None.
        """
        async with kit.server(anonymous="all") as server:
            for one in kit.expired:
                with pytest.raises(RequestError):
                    await server.access.authenticate(one.credentials())

    @case()
    async def test_secrets_are_not_shown(self, kit: AuthenticateBench) -> None:
        """What callers present stands in no log, and in no answer: reasons go to the log, ``info`` to other plugins.

        If this fails: say what is wrong with credentials without repeating them. Headers and arguments that are no
        secrets are named in ``Presented(public=...)``.
        """
        callers = [*kit.accepted, *kit.refused, *kit.expired]
        with everything_logged() as lines:
            async with kit.server() as server:
                for one in callers:
                    lines.append(repr(await kit.answer(server, one)))
        for secret in {secret for one in callers for secret in one.secrets()}:
            found = [line for line in lines if secret in line]
            assert not found, f"{secret!r} is in: {found[0]}"

    @case(FAILING)
    async def test_when_it_cannot_tell_nobody_gets_in(self, kit: AuthenticateBench) -> None:
        """When it raises or times out the caller is refused, never let through.

        If this fails: let the exception out, or return Rejected, where you cannot look credentials up; None would
        mean that there are none, and ``anonymous`` may let such callers in.
        """
        async with kit.server(failing=True) as server:
            for one in kit.accepted:
                try:
                    answer = await kit.answer(server, one)
                except HookError:
                    continue
                assert isinstance(answer, Rejected), f"it answered {answer!r}"
