"""Authenticators that let the wrong ones in, or the right ones not."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from typing import Any, ClassVar

from testing.trials.marks import fails

from sethpusher_core import Credentials, Identity, Rejected, hookimpl
from sethpusher_core.testing import Presented
from sethpusher_core.testing.callers import AuthenticateBench

PEOPLE = {"token-of-ada-123456": "ada", "token-of-bob-123456": "bob"}
OLD = "token-of-yesterday"
LET_IN = [
    *(Presented({"X-Token": token}, subscriber_id=name) for token, name in PEOPLE.items()),
    Presented({"Authorization": "Team token-of-ada-123456"}, subscriber_id="ada"),
    Presented(query={"token": "token-of-bob-123456"}, subscriber_id="bob"),
    Presented(token="token-of-ada-123456", subscriber_id="ada"),
]
NOT_LET_IN = [Presented({"X-Token": "forged-token"}), Presented(query={"token": ""}), Presented(token="forged-token")]


class Right:
    """Knows two people by their tokens."""

    proves_ids = takes_tokens = True
    accepted: ClassVar[Sequence[Any]] = LET_IN
    refused: ClassVar[Sequence[Any]] = NOT_LET_IN

    @hookimpl
    def authenticate(self, credentials: Credentials) -> Any:
        return self.answer(credentials)

    def answer(self, credentials: Credentials) -> Any:
        token = self.presented(credentials)
        return None if token is None else self.known(token)

    def presented(self, credentials: Credentials) -> str | None:
        if credentials.token is not None:
            return credentials.token
        if "X-Token" in credentials.headers:
            return credentials.headers["X-Token"]
        scheme, _, token = credentials.headers.get("Authorization", "").partition(" ")
        return token if scheme == "Team" else credentials.query("token")

    def known(self, token: str) -> Identity | Rejected:
        return Identity(PEOPLE[token], proven=True) if token in PEOPLE else Rejected("wrong token")

    @classmethod
    def bench(cls) -> AuthenticateBench:
        return AuthenticateBench(cls, cls.accepted, cls.refused, [Presented({"X-Token": OLD})], cls.make_failing)

    @staticmethod
    def make_failing() -> object:
        return Failing()


class Failing(Right):
    @hookimpl
    def authenticate(self, credentials: Credentials) -> Any:
        raise ConnectionError("nobody is there")


@fails("fixtures_give_both_kinds_of_callers", among_others=True)
class NobodyIsKnown(Right):
    accepted = ()


@fails("fixtures_give_both_kinds_of_callers", among_others=True)
class CallersAreTexts(Right):
    refused = ("forged-token",)


@fails("who_is_known_is_accepted", "many_at_once_are_not_mixed_up")
class SaysSomebodyElse(Right):
    def known(self, token: str) -> Identity | Rejected:
        return Identity("somebody", proven=True) if token in PEOPLE else Rejected("wrong token")


@fails("bad_credentials_are_rejected", "expired_credentials_are_refused")
class NoneForBadOnes(Right):
    def answer(self, credentials: Credentials) -> Any:
        answer = super().answer(credentials)
        return answer if isinstance(answer, Identity) else None


@fails("bad_credentials_are_rejected")
class GivesNoReason(Right):
    def known(self, token: str) -> Identity | Rejected:
        return Identity(PEOPLE[token], proven=True) if token in PEOPLE else Rejected(" ")


@fails("nothing_presented_is_not_mine", "the_credentials_of_others_are_not_mine", "who_was_known_is_not_remembered")
class RejectsEverybodyElse(Right):
    def answer(self, credentials: Credentials) -> Any:
        return super().answer(credentials) or Rejected("who are you?")


@fails("the_credentials_of_others_are_not_mine")
class RejectsOtherSchemes(Right):
    def presented(self, credentials: Credentials) -> str | None:
        token = super().presented(credentials)
        return credentials.headers.get("Authorization") if token is None else token


@fails("the_same_over_every_way_in")
class ForConnectionsOnly(Right):
    def answer(self, credentials: Credentials) -> Any:
        return None if credentials.purpose == "http" else super().answer(credentials)


@fails("damaged_credentials_open_nothing")
class GoesByTheBeginning(Right):
    def known(self, token: str) -> Identity | Rejected:
        return super().known(next((known for known in PEOPLE if token.startswith(known)), ""))


@fails("hostile_credentials_do_no_harm")
class TakesAsciiForGranted(Right):
    def known(self, token: str) -> Identity | Rejected:
        return super().known(token.encode("ascii").decode())


@fails("hostile_credentials_do_no_harm")
class LetsTheEmptyIn(Right):
    def known(self, token: str) -> Identity | Rejected:
        return Identity("nobody", proven=True) if token == "null" else super().known(token)


@fails("who_was_known_is_not_remembered", among_others=True)
class RemembersTheAddress(Right):
    def __init__(self) -> None:
        self.seen: dict[str, Identity] = {}

    def answer(self, credentials: Credentials) -> Any:
        answer = super().answer(credentials)
        if isinstance(answer, Identity):
            self.seen[credentials.remote_ip] = answer
        return self.seen.get(credentials.remote_ip, answer)


@fails("many_at_once_are_not_mixed_up")
class MixesUp(Right):
    @hookimpl
    async def authenticate(self, credentials: Credentials) -> Any:
        self.current = credentials
        await asyncio.sleep(0)
        return self.answer(self.current)


@fails("identities_are_well_formed")
class CountsMilliseconds(Right):
    def known(self, token: str) -> Identity | Rejected:
        if token not in PEOPLE:
            return Rejected("wrong token")
        return Identity(PEOPLE[token], proven=True, expires_at=(time.time() + 60) * 1000)


@fails("identities_are_well_formed")
class InfoOfItsOwnKind(Right):
    def known(self, token: str) -> Identity | Rejected:
        if token not in PEOPLE:
            return Rejected("wrong token")
        return Identity(PEOPLE[token], proven=True, info={"plugin": self})


@fails("what_it_can_do_is_declared")
class DoesNotSayThatItProves(Right):
    proves_ids = False


@fails("what_it_can_do_is_declared")
class DoesNotSayThatItTakesTokens(Right):
    takes_tokens = False


@fails("what_it_can_do_is_declared")
class DoesNotSayThatItReadsCookies(Right):
    accepted = (*LET_IN, Presented({"Cookie": "team=token-of-ada-123456"}, subscriber_id="ada"))

    def presented(self, credentials: Credentials) -> str | None:
        token = super().presented(credentials)
        return credentials.cookies.get("team") if token is None else token


@fails("ids_are_proven")
class ProvesNothing(Right):
    def known(self, token: str) -> Identity | Rejected:
        return Identity(PEOPLE[token]) if token in PEOPLE else Rejected("wrong token")


@fails("where_there_is_a_token_nothing_else_counts")
class LooksAtHeadersFirst(Right):
    def presented(self, credentials: Credentials) -> str | None:
        return credentials.headers.get("X-Token") or super().presented(credentials)


@fails("expired_credentials_are_refused")
class KnowsOldOnes(Right):
    def known(self, token: str) -> Identity | Rejected:
        return Identity("ada", proven=True) if token == OLD else super().known(token)


@fails("secrets_are_not_shown")
class SaysWhatWasWrong(Right):
    def known(self, token: str) -> Identity | Rejected:
        return super().known(token) if token in PEOPLE else Rejected(f"nobody has the token {token}")


@fails("secrets_are_not_shown")
class LogsWhatIsRight(Right):
    def known(self, token: str) -> Identity | Rejected:
        logging.getLogger("trial").debug("looking up %s", token)
        return super().known(token)


@fails("when_it_cannot_tell_nobody_gets_in")
class CannotTell(Right):
    @staticmethod
    def make_failing() -> object:
        class Shrugging(Right):
            def answer(self, credentials: Credentials) -> Any:
                return None

        return Shrugging()
