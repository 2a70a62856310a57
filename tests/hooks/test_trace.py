"""--trace-plugins: one line per call, and nothing at all where it is off."""

from __future__ import annotations

import asyncio
import logging
import re

import pytest

from sethpusher_core import ALLOW, Address, Denied, Handled, Identity, Publication, Refused, Rejected, errors
from sethpusher_core.errors import HookError, RequestError
from sethpusher_core.plugins.hooks import Hooks

LINE = re.compile(r"(\w+) (\w+) (\d+) us: (.*)")
PUBLICATION = Publication(Address.channel("news"), b'"secret words"', "id-1")


@pytest.fixture
def lines(caplog):
    """What was traced: (hook, plugin, microseconds, outcome)."""
    caplog.set_level(logging.INFO, logger="sethpusher.trace")

    def lines():
        matches = [LINE.fullmatch(message) for name, _, message in caplog.record_tuples if name == "sethpusher.trace"]
        assert all(matches)
        return [(match[1], match[2], int(match[3]), match[4]) for match in matches]

    return lines


def outcomes(lines):
    return [(hook, plugin, outcome) for hook, plugin, _, outcome in lines()]


def compiled(*plugins, timeout=5.0):
    return Hooks.compile(plugins, timeout=timeout, trace=True)


def test_each_call_leaves_a_line(run, plugin, lines):
    def authenticate(credentials):
        return None

    async def later(credentials):
        await asyncio.sleep(0.01)
        return Identity("ada", proven=True)

    later.__name__ = "authenticate"
    hooks = compiled(plugin("a", authenticate), plugin("b", later))
    assert run(hooks.authenticate("who")) == Identity("ada", proven=True)
    assert outcomes(lines) == [("authenticate", "a", "None"), ("authenticate", "b", "Identity")]
    [first, second] = [microseconds for _, _, microseconds, _ in lines()]
    assert first < 10_000 <= second, "waiting is in it"


@pytest.mark.parametrize(
    ("hook", "answer", "outcome"),
    [
        ("authenticate", Rejected("wrong token"), "Rejected: wrong token"),
        ("authorize", ALLOW, "ALLOW"),
        ("authorize", Denied("not theirs"), "Denied: not theirs"),
        ("dispatch", Handled({"pin": "1234"}), "Handled"),
        ("connected", None, "None"),
    ],
)
def test_an_outcome_shows_reasons_and_no_values(run, plugin, lines, hook, answer, outcome):
    def implementation():
        return answer

    implementation.__name__ = hook
    chain = getattr(compiled(plugin("one", implementation)), hook)
    run(chain(*range(len_of(hook))))
    assert outcomes(lines) == [(hook, "one", outcome)]


def len_of(hook):
    return {"authenticate": 1, "authorize": 3, "dispatch": 2, "connected": 1}[hook]


@pytest.mark.parametrize(
    ("change", "outcome"),
    [
        (lambda one: one, "unchanged"),
        (lambda one: one.replace("***"), "Publication"),
        (lambda one: Refused("no secrets"), "Refused: no secrets"),
    ],
)
def test_what_a_transform_made_of_it(plugin, lines, change, outcome):
    def transform(publication):
        return change(publication)

    compiled(plugin("mask", transform)).transform(PUBLICATION)
    assert outcomes(lines) == [("transform", "mask", outcome)]


def test_what_is_raised_is_the_outcome_and_stays_what_it_was(run, plugin, lines):
    async def persist(publications):
        await asyncio.sleep(0)
        raise ConnectionError("nobody is there")

    def dispatch(connection, message):
        raise RequestError(errors.BAD_FIELD, "no such seat")

    hooks = compiled(plugin("store", persist), plugin("seats", dispatch))
    with pytest.raises(HookError, match=r"store.*persist.*ConnectionError: nobody is there"):
        run(hooks.persist((PUBLICATION,)))
    with pytest.raises(RequestError, match="no such seat"):
        run(hooks.dispatch("connection", "message"))
    assert outcomes(lines) == [
        ("persist", "store", "raised ConnectionError: nobody is there"),
        ("dispatch", "seats", "raised RequestError: bad_field: no such seat"),
    ]


def test_what_takes_too_long_is_given_up(run, plugin, lines):
    async def persist(publications):
        await asyncio.Event().wait()

    with pytest.raises(HookError, match="timed out"):
        run(compiled(plugin("slow", persist), timeout=0.01).persist((PUBLICATION,)))
    assert outcomes(lines) == [("persist", "slow", "given up (it took too long, or its caller went away)")]


def test_an_awaitable_where_none_may_be_is_refused_all_the_same(plugin, lines):
    def transform(publication):
        return answer(publication)

    async def answer(publication):
        return publication

    with pytest.raises(HookError, match="an awaitable"):
        compiled(plugin("late", transform)).transform(PUBLICATION)
    assert outcomes(lines) == [("transform", "late", "coroutine")]


def test_where_it_is_off_the_chain_holds_the_plugins_own_function(run, plugin, lines):
    def authenticate(credentials):
        return None

    one = plugin("one", authenticate)
    hooks = Hooks.compile([one])
    assert [step.function for step in hooks.authenticate.steps] == [authenticate]
    run(hooks.authenticate("who"))
    assert lines() == []
