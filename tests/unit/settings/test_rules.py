from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sethpusher_core.settings import DEFAULT_RULE, ChannelRule, ChannelRules, Resolved
from sethpusher_core.settings.rules import matches

Read = Callable[..., Resolved]


def naive(pattern: str, channel: str) -> bool:
    """Say it again, without any cleverness."""
    if not pattern:
        return not channel
    if pattern[0] == "*":
        return any(naive(pattern[1:], channel[at:]) for at in range(len(channel) + 1))
    return bool(channel) and pattern[0] == channel[0] and naive(pattern[1:], channel[1:])


@given(st.text("ab*", max_size=8), st.text("ab*", max_size=10))
def test_matching_is_what_the_naive_way_says(pattern: str, channel: str) -> None:
    assert matches(pattern, channel) == naive(pattern, channel)


@pytest.mark.parametrize(
    ("pattern", "channel", "matched"),
    [
        ("news", "news", True),
        ("news", "news.a", False),
        ("news.*", "news.sport", True),
        ("news.*", "news.sport/today.x", True),
        ("news.*", "news.", True),
        ("news.*", "news", False),
        ("news.*", "newsxa", False),
        ("*", "", True),
        ("*", "a\nb", True),
        ("*.private", "a.b.private", True),
        ("a*a", "a", False),
        ("a*a", "aa", True),
        ("a*b*c", "a-c-b-c", True),
        ("[ab]?.+", "[ab]?.+", True),
        ("[ab]", "a", False),
        ("a?c", "abc", False),
        ("**", "x", True),
    ],
)
def test_a_star_is_any_text_and_all_else_is_literal(pattern: str, channel: str, matched: bool) -> None:
    assert matches(pattern, channel) is matched


def test_a_hostile_pattern_costs_no_time() -> None:
    begun = time.perf_counter()
    assert not matches("*a" * 100 + "b", "a" * 10_000)
    assert time.perf_counter() - begun < 0.5


def test_the_first_match_holds() -> None:
    rules = ChannelRules([ChannelRule(match="a.*", history=1), ChannelRule(match="a.b", history=2)])
    assert rules.rule_for("a.b").history == 1
    assert rules.rule_for("b") is DEFAULT_RULE
    assert ChannelRules([], default=rules.rules[0]).rule_for("x").history == 1


def test_what_holds_without_rules_is_what_release_022_did() -> None:
    rule = ChannelRules().rule_for("all")
    assert rule.announce is True
    assert (rule.history, rule.history_age, rule.presence) == (0, 600.0, False)
    assert (rule.subscribe, rule.publish, rule.presence_read, rule.history_read) == (
        "anyone",
        "nobody",
        "anyone",
        "anyone",
    )
    assert rule.on_slow == "disconnect"


@given(st.lists(st.text("ab*.", min_size=1, max_size=4), max_size=5), st.lists(st.text("ab.", max_size=5), max_size=30))
def test_remembering_changes_nothing(patterns: list[str], channels: list[str]) -> None:
    rules = [ChannelRule(match=pattern, history=index) for index, pattern in enumerate(patterns)]
    remembering, forgetful = ChannelRules(rules, remembered=2), ChannelRules(rules, remembered=0)
    for channel in channels * 2:
        explained = remembering.explain(channel)
        assert remembering.rule_for(channel) is forgetful.rule_for(channel) is explained.rule


def test_what_is_remembered_is_bounded() -> None:
    rules = ChannelRules([ChannelRule(match="a*")], remembered=100)
    for number in range(10_000):
        rules.rule_for(f"a{number}")
    assert rules._find.cache_info().currsize == 100


def test_explanations() -> None:
    rules = ChannelRules([ChannelRule(match="a"), ChannelRule(match="b*"), ChannelRule(match="*z")])
    first, second, third = (rules.explain(name) for name in ("a", "bz", "xz"))
    assert (first.index, second.index, third.index) == (0, 1, 2)
    assert first.text == "'a' goes by channels[0], match = \"a\": the first that matches"
    assert second.text == "'bz' goes by channels[1], match = \"b*\": the first that matches, after 1 that does not"
    assert third.text.endswith(", after 2 that do not")
    assert rules.explain("q").index is None
    assert rules.explain("q").text == "'q' goes by the built-in default: none of 3 rules matches"
    assert ChannelRules().explain("q").text == "'q' goes by the built-in default: there are no rules"


def test_rules_that_can_never_hold_are_found() -> None:
    rules = ChannelRules(
        [ChannelRule(match=m) for m in ("news.*", "news.sport.*", "other", "news.*", "other*", "other")]
    )
    assert rules.unreachable() == ((1, 0), (3, 0), (5, 2))


@given(st.lists(st.text("ab*", min_size=1, max_size=4), min_size=2, max_size=4), st.text("ab", max_size=6))
def test_a_rule_said_to_be_unreachable_is(patterns: list[str], channel: str) -> None:
    rules = ChannelRules([ChannelRule(match=pattern) for pattern in patterns])
    assert rules.explain(channel).index not in {index for index, _ in rules.unreachable()}


def test_rules_come_from_the_file(read: Read) -> None:
    resolved = read(toml='[[channels]]\nmatch = "news.*"\nhistory = 100\nhistory_age = "1h"\non_slow = "drop_oldest"')
    rule = ChannelRules(resolved.of("").channels).rule_for("news.x")
    assert (rule.history, rule.history_age, rule.on_slow, rule.announce) == (100, 3600.0, "drop_oldest", True)
