"""Distributions that are not quite what a plugin is."""

from __future__ import annotations

from typing import Any, ClassVar

from testing.trials.marks import fails

IN_PROCESS = frozenset(
    {
        "it_is_discovered",
        "its_requirement_fits",
        "it_loads",
        "it_has_one_name",
        "it_says_what_it_is",
        "its_settings_make_it_active",
        "every_setting_is_explained",
        "when_it_is_broken_the_door_is_closed",
    }
)
"""The cases that need no process of their own; the others are run where they are meant."""
FIELDS = "Summary: Knows people by their login.\nRequires-Python: >=3.11\nDescription: Long.\n"


class Right:
    """An authenticator with one setting."""

    points = "one = one_plugin:One"
    requires: ClassVar[tuple[str, ...]] = ("sethpusher-core>=1.0,<2",)
    fields = FIELDS
    settings: ClassVar[dict[str, Any] | None] = {"word": "open sesame"}
    head = ""
    name = ""
    help = "The word that opens."
    init = "pass"
    hook = "authenticate"
    helper = ""

    @classmethod
    def module(cls) -> str:
        return f"""
from dataclasses import dataclass
from sethpusher_core import hookimpl
from sethpusher_core.settings import setting
{cls.head}

class One:
    {cls.name}

    @dataclass(frozen=True, slots=True)
    class Settings:
        word: str = setting(required=True, help={cls.help!r})

    def __init__(self, settings):
        {cls.init}

    @hookimpl
    def {cls.hook}(self):
        return None
"""


@fails("it_is_discovered", among_others=True)
class OfAnotherName(Right):
    points = "two = one_plugin:One"


@fails("its_requirement_fits")
class RequiresNoCore(Right):
    requires = ()


@fails("its_requirement_fits")
class TakesAnyLaterCore(Right):
    requires = ("sethpusher-core>=1.0",)


@fails("its_requirement_fits")
class TakesAnyEarlierCore(Right):
    requires = ("sethpusher-core<2",)


@fails("it_loads", among_others=True)
class Misspelt(Right):
    hook = "authentikate"


@fails("it_has_one_name")
class CallsItselfOtherwise(Right):
    name = 'name = "someone"'


@fails("it_says_what_it_is")
class SaysNothing(Right):
    fields = "Requires-Python: >=3.11\nDescription: Long.\n"


@fails("it_waits_for_its_settings", "its_settings_make_it_active", among_others=True)
class CannotBeMade(Right):
    settings = None
    init = 'raise ValueError("no such word")'

    @classmethod
    def module(cls) -> str:
        return super().module().replace("setting(required=True, ", 'setting("sesame", ')


@fails("its_settings_make_it_active")
class RefusesGoodSettings(Right):
    init = 'raise ValueError("no such word")'


@fails("its_settings_make_it_active")
class SettingsAreNotGiven(Right):
    settings = None


@fails("every_setting_is_explained")
class ExplainsNothing(Right):
    help = ""


@fails("every_setting_is_explained")
class NamesOnly(Right):
    help = "word"


@fails("importing_it_does_nothing")
class StartsAThread(Right):
    head = "import threading; threading.Thread(target=threading.Event().wait, daemon=True).start()"


@fails("importing_it_does_nothing")
class Connects(Right):
    head = "import socket\nwith socket.socket() as line: line.connect_ex(('127.0.0.1', 9))"


@fails("importing_it_does_nothing")
class Prints(Right):
    head = "print('loading one ...')"


@fails("importing_it_does_nothing")
class SetsUpTheLog(Right):
    head = "import logging; logging.basicConfig()"


@fails("importing_it_is_light")
class ImportsItsDriver(Right):
    requires = ("sethpusher-core>=1.0,<2", "iniconfig")
    head = "import iniconfig"


@fails("importing_it_is_quick")
class TakesItsTime(Right):
    head = "import time; time.sleep(0.7)"


@fails("when_it_is_broken_the_door_is_closed")
class HidesWhatItIs(Right):
    fields = FIELDS.replace("login", "face")
    points = "one = one_plugin:One"
    helper = "one_helper"

    @classmethod
    def module(cls) -> str:
        return "from one_helper import One"

    @classmethod
    def helper_module(cls) -> str:
        return super().module()
