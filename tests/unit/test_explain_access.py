"""``seth-pusher explain access``: what is said, and the exit code."""

from __future__ import annotations

import asyncio

import pytest

from sethpusher_core.access import Access
from sethpusher_core.addresses import Address
from sethpusher_core.answers import ALLOW, Denied
from sethpusher_core.cli import main
from sethpusher_core.hookspecs import hookimpl
from sethpusher_core.identity import ANONYMOUS, Identity
from sethpusher_core.plugins.hooks import Hooks
from sethpusher_core.plugins.registry import PluginRegistry
from sethpusher_core.settings.rules import ChannelRule, ChannelRules

RULES = '[[channels]]\nmatch = "news"\nsubscribe = "identified"\npublish = "nobody"\n'


class Door:
    @hookimpl
    def authenticate(self):
        return None

    @hookimpl
    def authorize(self, identity, target):
        if target.name == "open":
            return ALLOW
        return Denied("it is secret") if target.name == "secret" else None


@pytest.mark.parametrize(
    ("words", "code", "lines"),
    [
        (["--user=ada", "--channel=news", "--action=subscribe"], 0, ["allowed: ", 'yes rule match = "news"']),
        (["--channel", "news", "--action", "subscribe"], 1, ["denied: ", "no  rule", "subscribe = identified"]),
        (["--claims=ada", "--channel=news", "--action=publish"], 1, ["(claimed, not proven)", "publish = nobody"]),
        (["--user=ada", "--channel=news", "--action=publish", "--http"], 0, ["allowed: ", "HTTP"]),
        (["--user=ada", "--to=bob", "--action=publish"], 1, ["denied: "]),
        (["--user=ada", "--action=administer"], 1, ["denied: administer"]),
    ],
)
def test_the_answer_and_its_exit_code(tmp_path, capsys, words, code, lines):
    (tmp_path / "seth.toml").write_text(RULES)
    assert main([f"--config={tmp_path}/seth.toml", "--no-plugins", "explain", "access", *words]) == code
    shown = capsys.readouterr().out
    for line in lines:
        assert line in shown


@pytest.mark.parametrize(
    "words",
    [
        ["access"],
        ["access", "--action=dance"],
        ["access", "--action=publish", "--colour=red"],
        ["access", "--action=publish", "--user"],
        ["access", "--action=publish", "--user=a", "--claims=b"],
        ["access", "--action=publish", "--channel=a", "--to=b"],
        ["access", "--action=publish", "--info={}"],
        ["access", "--action=publish", "--by=nobody"],
        ["something"],
    ],
)
def test_what_is_not_understood_is_a_usage_error(capsys, words):
    assert main(["--no-plugins", "explain", *words]) == 2
    assert capsys.readouterr().err.startswith("seth-pusher: explain ")


def explained(identity, channel, anonymous="none", action="subscribe", **options):
    registry = PluginRegistry.of([Door()])
    access = Access(Hooks.compile(registry), ChannelRules([ChannelRule("*")]), anonymous, registry.plugins)
    return asyncio.run(access.explain(identity, action, Address.channel(channel), **options))


def test_which_plugin_decided_what():
    ada = Identity("ada", proven=True)
    allowed, reasons = explained(ada, "secret")
    assert (allowed, [(reason.allowed, reason.by, reason.text) for reason in reasons]) == (
        False,
        [(False, "plugin Door", "it is secret")],
    )
    assert explained(ada, "open")[0]
    allowed, reasons = explained(ada, "other")
    assert allowed
    assert [reason.by for reason in reasons] == ["plugin Door", 'rule match = "*"']


def test_callers_without_credentials_go_by_the_setting():
    assert [explained(ANONYMOUS, "other", setting)[0] for setting in ("none", "connect", "all")] == [False, True, True]
    assert [explained(ANONYMOUS, "other", setting, by_client=False)[0] for setting in ("connect", "all")] == [
        False,
        True,
    ]
    assert "anonymous = none" in explained(ANONYMOUS, "other")[1][0].by
    assert not explained(ANONYMOUS, "other", "connect", "publish")[0]
