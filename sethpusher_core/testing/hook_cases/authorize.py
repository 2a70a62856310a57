"""Each question has its answer, whoever asks it and however often."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from ...access import ACTIONS
from ...addresses import CHANNEL
from ...errors import RequestError
from ..guard import Compliance, case
from ..hooks import FAILING
from ..opinions import ANYBODY, ANYTHING, TRUSTS_CLAIMS, AuthorizeBench, Opinion

__all__ = ["AuthorizeCases"]


class AuthorizeCases(Compliance):
    """The contract of ``authorize``."""

    @case()
    async def test_fixture_gives_opinions(self, kit: AuthorizeBench) -> None:
        """An authorizer is judged by what it should say: to some questions yes or no.

        If this fails: have the fixture ``opinions`` give a list of ``sethpusher_core.testing.Opinion``, with
        ``allowed`` True or False in at least one of them.
        """
        wrong = [one for one in kit.opinions if not isinstance(one, Opinion)]
        assert not wrong, f"opinions gives {wrong[:3]}, not Opinion"
        assert any(one.allowed is not None for one in kit.opinions), "there is no question that it has an opinion about"

    @case()
    async def test_its_opinions_are_as_stated(self, kit: AuthorizeBench) -> None:
        """ALLOW, Denied(reason), or None: no opinion.

        If this fails: compare the question in the message with what the plugin goes by.
        """
        async with kit.server() as server:
            for one in kit.opinions:
                said = await kit.answer(server, one.identity, one.action, one.target)
                assert said is one.allowed, f"it says {said} to {one}"

    @case()
    async def test_the_server_goes_by_them(self, kit: AuthorizeBench) -> None:
        """One Denied wins; when nobody answers the channel's rule decides.

        If this fails: this asks a whole server with your plugin alone. Return ALLOW or Denied itself, not True or
        False.
        """
        async with kit.server() as server:
            for one in kit.opinions:
                question = server.access.authorize(one.identity, one.action, one.target, by_client=True)
                if one.allowed is False:
                    with pytest.raises(RequestError):
                        await question
                elif one.allowed:
                    await question
                else:
                    question.close()

    @case()
    async def test_any_question_is_answered(self, kit: AuthorizeBench) -> None:
        """It is called before each action with an outside cause; when it raises the answer is no.

        If this fails: be ready for callers without an id, for the ``info`` of other authenticators, for users and the
        server as targets, and for names of any characters; return None where you have no opinion.
        """
        async with kit.server() as server:
            for action in ACTIONS:
                for identity in ANYBODY:
                    for target in ANYTHING:
                        await kit.answer(server, identity, action, target)

    @case()
    async def test_what_it_does_not_know_it_does_not_allow(self, kit: AuthorizeBench) -> None:
        """Hooks only ever grow: a later core may ask about actions and targets that do not exist yet.

        If this fails: allow the actions that you mean, by name; never "all but these".
        """
        async with kit.server() as server:
            for one in kit.opinions:
                said = await kit.answer(server, one.identity, "compliance", one.target)
                assert not said, f"it allows {one.identity} an action that nobody knows"
                unknown = one.target._replace(kind="compliance")
                said = await kit.answer(server, one.identity, one.action, unknown)
                assert not said, f"it allows {one.action} of {unknown}, which nobody knows"

    @case(TRUSTS_CLAIMS)
    async def test_a_claim_opens_nothing(self, kit: AuthorizeBench) -> None:
        """An id that a client merely claims is not proven: what is open to somebody is not open to who says so.

        If this fails: look at ``identity.proven`` (or at ``identity.plugin``, where that authenticator's word is
        enough) before you go by ``subscriber_id``. Where claims are to count, say why by ``trusts_claims``.
        """
        async with kit.server() as server:
            for one in kit.opinions:
                if one.allowed and one.identity.subscriber_id is not None:
                    claim = replace(one.identity, proven=False, plugin="", info={})
                    said = await kit.answer(server, claim, one.action, one.target)
                    assert not said, f"it allows {one.action} of {one.target} to who merely claims to be {claim}"

    @case()
    async def test_a_name_means_one_kind_of_target(self, kit: AuthorizeBench) -> None:
        """A target is a channel, a user or the server; one name may be both a channel's and a user's.

        If this fails: look at ``target.kind``, not only at ``target.name``; where the user of that name is meant as
        well, say so in ``opinions``.
        """
        stated = {(one.identity.subscriber_id, one.action, one.target) for one in kit.opinions}
        async with kit.server() as server:
            for one in kit.opinions:
                if one.allowed and one.target.kind == CHANNEL:
                    user = one.target._replace(kind="user")
                    if (one.identity.subscriber_id, one.action, user) not in stated:
                        said = await kit.answer(server, one.identity, one.action, user)
                        assert not said, f"it allows {one.action} of {user} as that of {one.target}"

    @case()
    async def test_the_answer_depends_on_the_question_alone(self, kit: AuthorizeBench) -> None:
        """Questions come at once and in any order.

        If this fails: keep what belongs to one question in local variables, not on the plugin.
        """
        questions = [*kit.opinions, *reversed(kit.opinions)] * 5
        async with kit.server() as server:
            asked = (kit.answer(server, one.identity, one.action, one.target) for one in questions)
            answers = await asyncio.gather(*asked)
        for one, said in zip(questions, answers, strict=True):
            assert said is one.allowed, f"it says {said} to {one} when it is asked many questions"

    @case(FAILING)
    async def test_when_it_cannot_tell_the_answer_is_no(self, kit: AuthorizeBench) -> None:
        """When it raises or times out the answer is no.

        If this fails: let the exception out, or return Denied, where you cannot look up what somebody may do.
        """
        async with kit.server(failing=True) as server:
            for one in kit.opinions:
                if one.allowed is not None:
                    with pytest.raises(RequestError):
                        await server.access.authorize(one.identity, one.action, one.target, by_client=True)
