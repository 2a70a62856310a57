"""A broken authenticator never means that nobody authenticates."""

from __future__ import annotations

import pytest

from sethpusher_core.plugins.records import Status

HEAD = "from sethpusher_core.hookspecs import hookimpl\n"
SILENT = "import no_such_driver\n"


def broken(site):
    loader = site.start(strict_settings=False, activate=False)
    found = [record.name for record in loader.broken_auth]
    warned = [record.name for record in loader.records if (record.remedy or "").endswith("which then keeps nobody out")]
    assert warned == found, "the advice to switch it off says what that means, for authenticators only"
    return found


@pytest.mark.parametrize(
    "how",
    [
        {"points": "auth_team = p", "p": SILENT},
        {"points": "authz = p", "p": SILENT},
        {"points": "team-jwt = p", "p": SILENT},
        {"distribution": "team-authorizer", "points": "team = p", "p": SILENT},
        {"fields": "Summary: Authenticates by cookie\n", "points": "team = p", "p": SILENT},
        {"fields": "Keywords: push,login\n", "points": "team = p", "p": SILENT},
        {"fields": "Classifier: X\nClassifier: Topic :: System :: Systems Administration :: Authentication/Directory\n",
         "points": "team = p", "p": SILENT},
        # nothing but the text of its module tells
        {"points": "team = p", "p": f"{SILENT}{HEAD}@hookimpl\ndef authenticate(credentials): pass"},
        {"points": "team = pack.sub.gate",
         "pack.__init__": "1 / 0", "pack.sub.__init__": "", "pack.sub.gate": "authorize = 1"},
        {"points": "team = p:Gate", "p": f"{SILENT}class Gate:\n    def authorize(self): pass"},
        # it was imported, and refused
        {"points": "team = p", "p": f"{HEAD}@hookimpl\ndef authenticate(credential): pass"},
        # its hook is misspelt: the error says what was meant
        {"points": "team = p", "p": f"{HEAD}@hookimpl\ndef authentciate(credentials): pass"},
        # it was not even imported
        {"points": "team = p", "p": "authorize = 1", "requires": ["sethpusher-core>=2"]},
    ],
)  # fmt: skip
def test_named(site, how):
    site.add(**{"distribution": "some-dist", **how})
    assert len(broken(site)) == 1


@pytest.mark.parametrize(
    "how",
    [
        {"points": "author_stats = p", "p": SILENT},
        {"points": "redis = p", "p": SILENT},
        {"points": "team = not_there", "p": ""},
        {"points": "team = pack.gone", "pack.__init__": ""},
        # it was imported, so its hooks are known
        {
            "points": "auth_log = p",
            "p": f"{HEAD}@hookimpl\ndef subscribed(channel): pass\n@hookimpl\ndef register_backends(register): 1 / 0",
        },
    ],
)
def test_not_named(site, how):
    site.add(**{"distribution": "some-dist", "fields": "Summary: Written by its author\n", **how})
    assert broken(site) == []
    assert [record.status for record in site.loader.records if not record.builtin] == [Status.BROKEN]


def test_one_that_cannot_be_made(site):
    site.add(
        points="gate = p:Gate",
        p=f"{HEAD}class Gate:\n    def __init__(self): 1 / 0\n    @hookimpl\n    def authorize(self): pass",
    )
    assert [record.name for record in site.start().broken_auth] == ["gate"]


def test_one_whose_name_is_taken(site):
    site.add("a-dist", points="auth = p", p=SILENT)
    site.add("b-dist", points="auth = q", q=SILENT)
    assert broken(site) == ["auth", "auth"]


def test_one_that_is_switched_off_is_the_operators_will(site):
    site.add(points="auth_team = p", p=SILENT)
    assert site.start(block=("auth-team",)).broken_auth == ()


def test_a_sound_one_is_not_named(site):
    site.add(points="auth_team = p", p=f"{HEAD}@hookimpl\ndef authenticate(credentials): pass")
    assert site.start().broken_auth == ()
