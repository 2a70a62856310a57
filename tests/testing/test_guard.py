"""Cases stand: what is deleted, rewritten or loosened fails, and what is skipped says why."""

from __future__ import annotations

import inspect
from collections.abc import Coroutine, Mapping
from pathlib import Path
from typing import Any

import pytest
from testing.nested import outcomes

import sethpusher_core.testing as kit
from sethpusher_core.errors import PluginError
from sethpusher_core.testing.guard import Bench

CLASSES = [getattr(kit, name) for name in kit.__all__ if name.endswith("Compliance")]
CASE = "test_first_in_and_last_out"
GUARD = "test_no_case_is_missing"
Results = tuple[Mapping[str, Mapping[str, str]], Mapping[str, str]]


@pytest.fixture(scope="module")
def run() -> Results:
    return outcomes(Path(__file__).parent / "trials" / "tampered.py")


def failed(run: Results, cls: str) -> set[str]:
    return {test for test, outcome in run[0][cls].items() if outcome == "failed"}


def test_a_right_class_passes_and_may_add_tests(run: Results) -> None:
    assert failed(run, "TestRight") == set()
    assert run[0]["TestRight"]["test_of_the_author"] == "passed"
    assert run[0]["TestRight"][GUARD] == "passed"


@pytest.mark.parametrize(
    "cls",
    [
        "TestDeleted",
        "TestRewritten",
        "TestSkipped",
        "TestNotStrict",
        "TestWithoutAReason",
        "TestOnCondition",
        "TestNotRun",
        "TestTwoMarks",
        "TestMixedIn",
        "TestGrandchild",
    ],
)
def test_a_case_cannot_be_loosened(run: Results, cls: str) -> None:
    assert failed(run, cls) == {CASE}
    text = run[1][f"{cls}::{CASE}"]
    assert "cannot be overridden or deleted" in text
    assert "xfail(strict=True, reason=" in text


def test_the_guard_is_a_case_like_any_other(run: Results) -> None:
    assert failed(run, "TestGuardRewritten") == {CASE, GUARD}


@pytest.mark.parametrize("cls", ["TestLater", "TestEscapedChild"])
def test_what_is_changed_behind_its_back_is_found_by_the_guard(run: Results, cls: str) -> None:
    assert failed(run, cls) == {GUARD}
    assert CASE in run[1][f"{cls}::{GUARD}"]


def test_an_expected_failure_runs_the_case_of_the_kit(run: Results) -> None:
    assert run[0]["TestExpected"][CASE] == "xskipped"
    assert run[0]["TestExpected"][GUARD] == "passed"
    assert failed(run, "TestExpectedButRight") == {CASE}, "strict: it passes"


def test_what_the_cases_work_with_cannot_be_replaced(run: Results) -> None:
    assert failed(run, "TestReplacesTheKit") >= {GUARD}
    assert "replaces what belongs to the kit: kit" in run[1][f"TestReplacesTheKit::{GUARD}"]


@pytest.mark.parametrize(
    ("cls", "text"),
    [
        ("TestWithoutAFixture", "needs a fixture `make_backend`"),
        ("TestPersisterWithoutAFixture", "needs a fixture `make_plugin`"),
        ("TestAuthenticatorWithoutAFixture", "needs a fixture `make_plugin`"),
        ("TestAuthenticatorWithoutCallers", "needs a fixture `accepted`"),
        ("TestAuthorizerWithoutOpinions", "needs a fixture `opinions`"),
        ("TestDispatcherWithoutExchanges", "needs a fixture `exchanges`"),
        ("TestTransformWithoutChanges", "needs a fixture `changes`"),
        ("TestPluginWithoutAName", "needs a fixture `plugin_name`"),
        ("TestAsyncFixture", "make_backend() gave no Backend but <coroutine"),
    ],
)
def test_a_fixture_that_is_not_right_is_said(run: Results, cls: str, text: str) -> None:
    others = {test: outcome for test, outcome in run[0][cls].items() if test != GUARD}
    assert set(others.values()) == {"failed"}
    assert all(text in run[1][f"{cls}::{test}"] for test in others)


def test_an_author_cannot_open_what_is_closed(run: Results) -> None:
    assert failed(run, "TestOpened") == {CASE, GUARD}


def test_what_is_skipped_says_which_capability_is_missing(run: Results) -> None:
    results, texts = run
    assert failed(run, "TestNoCapabilities") == set()
    reasons = [
        texts[f"TestNoCapabilities::{test}"]
        for test, outcome in results["TestNoCapabilities"].items()
        if outcome == "skipped"
    ]
    for reason in (
        "history: Plain does not declare this capability",
        "presence: Plain does not declare this capability",
        "census: Plain does not declare this capability",
        "two nodes: in memory",
        "break_connection: there is no such fixture",
    ):
        assert any(reason in text for text in reasons), reason


@pytest.mark.parametrize("cls", ["TestHookCaseDeleted", "TestPluginCaseDeleted"])
def test_the_cases_for_hooks_and_plugins_stand_as_well(run: Results, cls: str) -> None:
    deleted = {"TestHookCaseDeleted": "test_changes_are_as_stated", "TestPluginCaseDeleted": "test_it_is_discovered"}
    assert "cannot be overridden or deleted" in run[1][f"{cls}::{deleted[cls]}"]


def test_what_a_plugin_does_not_declare_is_skipped_by_name(run: Results) -> None:
    reasons = "\n".join(run[1][f"TestPlainAuthenticator::{test}"] for test in run[0]["TestPlainAuthenticator"])
    assert failed(run, "TestPlainAuthenticator") == set()
    for reason in (
        "proves_ids: the plugin does not declare it",
        "takes_tokens: the plugin does not declare it",
        "expired: there is no such fixture",
        "make_failing: there is no such fixture",
    ):
        assert reason in reasons


def test_a_failing_case_says_what_to_do(run: Results) -> None:
    text = run[1][f"TestWithoutAFixture::{CASE}"]
    assert "TestWithoutAFixture needs a fixture" in text
    text = run[1]["TestExpected::test_several_connections_of_one_person"]
    assert "a second tab is not a second person" in text


class Refusing(Bench):
    """What a case works with where the plugin cannot be registered."""

    def require(self, need: str) -> None:
        pass

    def run(self, coroutine: Coroutine[Any, Any, None]) -> None:
        coroutine.close()
        raise PluginError("badge", "hook authentcate: there is no such hook; did you mean authenticate?")


def test_a_plugin_that_cannot_be_used_gets_no_advice_beside_the_point() -> None:
    with pytest.raises(PluginError, match="did you mean authenticate") as caught:
        kit.AuthenticateCompliance().test_it_does_not_hold_the_loop(Refusing())
    [note] = caught.value.__notes__
    assert "mend that first" in note
    assert "If this fails" not in note


@pytest.mark.parametrize("cls", CLASSES)
def test_every_case_says_the_contract_and_what_to_do(cls: type) -> None:
    for name in dir(cls):
        if name.startswith("test_"):
            test = getattr(cls, name)
            sentence, *_, remedy = (inspect.getdoc(test) or "").split("\n\n")
            assert sentence.endswith("."), name
            assert remedy.startswith("If this fails: "), name
            assert remedy.endswith("."), name
            assert not inspect.iscoroutinefunction(test), name
