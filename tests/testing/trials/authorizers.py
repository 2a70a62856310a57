"""Authorizers that say yes where they should not, or nothing at all."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, ClassVar

from testing.trials.marks import fails

from sethpusher_core import ALLOW, Address, Denied, Identity, hookimpl
from sethpusher_core.testing import Opinion
from sethpusher_core.testing.opinions import AuthorizeBench

ADA, BOB, CLAIM = Identity("ada", proven=True), Identity("bob", proven=True), Identity("ada")
HERS, NEWS = Address.channel("room-ada"), Address.channel("news")
KNOWN = ("subscribe", "publish", "presence", "history")
STATED = [
    Opinion(ADA, "subscribe", HERS, True),
    Opinion(ADA, "publish", HERS, True),
    Opinion(BOB, "subscribe", HERS, False),
    Opinion(CLAIM, "subscribe", HERS, False),
    Opinion(ADA, "subscribe", NEWS, None),
]


class Right:
    """A room is for the person in its name."""

    opinions: ClassVar[Sequence[Any]] = STATED

    @hookimpl
    def authorize(self, identity: Identity, action: str, target: Address) -> Any:
        return self.say(identity, action, target)

    def say(self, identity: Identity, action: str, target: Address) -> Any:
        if not self.concerns(target):
            return None
        return ALLOW if self.may(identity, action, target) else Denied("not their room")

    def concerns(self, target: Address) -> bool:
        return target.kind == "channel" and target.name.startswith("room-")

    def may(self, identity: Identity, action: str, target: Address) -> bool:
        return action in KNOWN and identity.proven and f"room-{identity.subscriber_id}" == target.name

    @classmethod
    def bench(cls) -> AuthorizeBench:
        return AuthorizeBench(cls, cls.opinions, cls.make_failing)

    @staticmethod
    def make_failing() -> object:
        class Failing(Right):
            def say(self, identity: Identity, action: str, target: Address) -> Any:
                raise ConnectionError("nobody is there")

        return Failing()


@fails("fixture_gives_opinions", among_others=True)
class NoOpinions(Right):
    opinions = STATED[-1:]


@fails("its_opinions_are_as_stated", "the_answer_depends_on_the_question_alone", "the_server_goes_by_them")
class DeniesEverybody(Right):
    def may(self, identity: Identity, action: str, target: Address) -> bool:
        return False


@fails("its_opinions_are_as_stated", "the_answer_depends_on_the_question_alone")
class MeddlesWithOthers(Right):
    def say(self, identity: Identity, action: str, target: Address) -> Any:
        return super().say(identity, action, target) or Denied("no room of ours")


@fails("its_opinions_are_as_stated", among_others=True)
class GivesNoReason(Right):
    def say(self, identity: Identity, action: str, target: Address) -> Any:
        return Denied("") if super().say(identity, action, target) not in (None, ALLOW) else ALLOW


@fails("the_server_goes_by_them", among_others=True)
class AnswersTrue(Right):
    def say(self, identity: Identity, action: str, target: Address) -> Any:
        verdict = super().say(identity, action, target)
        return None if verdict is None else verdict is ALLOW


@fails("any_question_is_answered")
class NeedsAName(Right):
    def say(self, identity: Identity, action: str, target: Address) -> Any:
        assert identity.subscriber_id is not None
        return super().say(identity, action, target)


@fails("any_question_is_answered")
class ReadsTheInfoOfOthers(Right):
    def say(self, identity: Identity, action: str, target: Address) -> Any:
        if identity.info:
            identity.info["rooms"]
        return super().say(identity, action, target)


@fails("what_it_does_not_know_it_does_not_allow")
class AllowsAllButAdministering(Right):
    def may(self, identity: Identity, action: str, target: Address) -> bool:
        return action != "administer" and super().may(identity, "subscribe", target)


@fails("what_it_does_not_know_it_does_not_allow", "a_name_means_one_kind_of_target")
class GoesByTheName(Right):
    def concerns(self, target: Address) -> bool:
        return target.name.startswith("room-")


@fails("a_name_means_one_kind_of_target")
class TakesUsersForRooms(Right):
    def concerns(self, target: Address) -> bool:
        return target.kind in ("channel", "user") and target.name.startswith("room-")


@fails("a_claim_opens_nothing")
class BelievesClaims(Right):
    opinions = tuple(one for one in STATED if one.identity is not CLAIM)

    def may(self, identity: Identity, action: str, target: Address) -> bool:
        return action in KNOWN and f"room-{identity.subscriber_id}" == target.name


@fails("the_answer_depends_on_the_question_alone")
class MixesUp(Right):
    @hookimpl
    async def authorize(self, identity: Identity, action: str, target: Address) -> Any:
        self.who = identity
        await asyncio.sleep(0)
        return self.say(self.who, action, target)


@fails("when_it_cannot_tell_the_answer_is_no")
class AllowsInDoubt(Right):
    @staticmethod
    def make_failing() -> object:
        class Doubting(Right):
            def say(self, identity: Identity, action: str, target: Address) -> Any:
                return ALLOW

        return Doubting()
