"""Everything that a plugin can do wrong: caught, named, with its remedy; the others run on."""

from __future__ import annotations

import signal
import sys
import threading
import time

import pytest
from plugins_ux.sites import SOUND

from sethpusher_core.errors import HookError, PluginError, SettingsError
from sethpusher_core.plugins.records import Status

HEAD = "from sethpusher_core.hookspecs import hookimpl\n"


def broken_by(site, *, reason, remedy, status=Status.BROKEN, name="one", **how):
    """Starts beside a sound plugin, and looks at the row of the broken one."""
    site.add("sethpusher-sound", points="sound = sound_plugin")
    site.start(**how)
    assert site.record("sound").status is Status.ACTIVE
    record = site.record(name)
    assert record.status is status
    assert record.error.startswith(reason), record.error
    assert remedy in record.remedy
    assert f"start with --no-plugin={name}" in record.remedy
    assert "\n" not in record.error + record.remedy
    assert record.order is None
    assert site.registry.get(name) is None
    assert f"plugin {name} ({record.owner}): {record.error}; {record.remedy}" in site.loader.warnings()
    return record


@pytest.mark.parametrize(
    ("text", "reason", "remedy"),
    [
        (
            "import no_such_driver",
            "import failed: ModuleNotFoundError: No module named 'no_such_driver'",
            "pip install -U",
        ),
        (
            "from os import no_such_name",
            "import failed: ImportError: cannot import name",
            "pip install -U sethpusher-one",
        ),
        ("1 / 0", "import failed: ZeroDivisionError: division by zero", "mend or update it"),
        ("def", "import failed: SyntaxError: ", "mend or update it"),
        (
            "import sys; sys.exit('bye')",
            "import failed: tried to end the process (SystemExit bye)",
            "mend or update it",
        ),
        (
            "class Skipped(BaseException): pass\nraise Skipped('no such bus')",
            "import failed: Skipped: no such bus",
            "mend or update it",
        ),
        ("import asyncio; raise asyncio.CancelledError", "import failed: was cancelled from within", "mend or"),
        ("raise ValueError('two\\nlines')", "import failed: ValueError: two lines", "mend or update it"),
        ("", "implements no hook; mark its functions with @hookimpl", "mend or update it"),
        (
            f"{HEAD}@hookimpl\ndef authentcate(credentials): pass",
            "hook authentcate: there is no such hook; did you mean authenticate?",
            "mend or update it",
        ),
        (
            f"{HEAD}@hookimpl\ndef authenticate(credential): pass",
            "hook authenticate: it takes 'credential', which the hook does not offer; did you mean credentials?",
            "mend or update it",
        ),
        (
            f"{HEAD}@hookimpl\nasync def transform(publication): pass",
            "hook transform: it is async",
            "mend or update it",
        ),
        (f"{HEAD}def persist(publications): pass", "hook persist: the function lacks @hookimpl", "mend or update it"),
        (
            f"{HEAD}@hookimpl\ndef register_backends(register): register('X', print)",
            "hook register_backends: ValueError: 'X' is no name for a backend",
            "mend or update it",
        ),
        (
            f"{HEAD}@hookimpl\ndef register_backends(register): raise SystemExit",
            "hook register_backends: tried to",
            "mend",
        ),
        (
            f"{SOUND}\ndef __getattr__(name): raise OSError(name)",
            "cannot be read: OSError: Settings",
            "mend or update it",
        ),
        (f"{SOUND}\nSettings = 3", "its Settings is not a class", "mend or update it"),
        (
            f"{SOUND}\nclass Settings: pass",
            "declares its settings wrongly: Settings must be a dataclass",
            "mend or update",
        ),
    ],
)
def test_a_module(site, text, reason, remedy):
    site.add(one_plugin=text)
    broken_by(site, reason=reason, remedy=remedy)


def test_a_module_that_is_not_there(site):
    site.add(x="")
    broken_by(
        site,
        reason="import failed: ModuleNotFoundError: No module named 'one_plugin'",
        remedy="reinstall it (pip install --force-reinstall sethpusher-one)",
    )


def test_a_requirement_that_is_not_there(site):
    """The pip line comes from the plugin's own metadata."""
    site.add(requires=["No.Such-Driver>=5; python_version > '3'", "other"], one_plugin="import no_such_driver.sub")
    broken_by(site, reason="import failed", remedy='install what it requires (pip install "No.Such-Driver>=5")')


@pytest.mark.parametrize(
    ("points", "reason"),
    [
        ("one = one_plugin:nothing", "import failed: AttributeError: "),
        ("one = one_plugin:subscribed", "its entry point names a function, not a module or a class"),
        ("one = one_plugin:INSTANCE", "its entry point names a object, not a module or a class"),
        ("one = one-plugin", "import failed: "),
    ],
)
def test_an_entry_point_that_names_something_else(site, points, reason):
    site.add(points=points, one_plugin=f"{SOUND}\nINSTANCE = object()")
    broken_by(site, reason=reason, remedy="mend or update it")


def test_a_name_that_is_none(site):
    site.add(points="1one = one_plugin")
    broken_by(site, reason="'1one' is no name for settings", remedy="mend or update it", name="1one")


def test_an_entry_point_without_a_name(site):
    """It must not pass for the core, whose name among the settings is empty."""
    site.add(points="= one_plugin")
    environ = {"SETHPUSHER_PORT": "1"}
    broken_by(site, environ=environ, reason="its entry point has no name", remedy="reinstall it", name="sethpusher_one")


HANGING = "import time\ntry:\n    time.sleep(60)\nexcept Exception:\n    pass"


def test_hanging_at_import(site):
    """Interrupted where it stands; its own ``except Exception`` does not keep it going."""
    before = signal.getsignal(signal.SIGALRM)
    began = time.monotonic()
    site.add(one_plugin=HANGING)
    record = broken_by(
        site,
        reason="import failed: it did not end within 0.5 s; it was at ",
        remedy="find out what",
        import_seconds=0.5,
    )
    assert record.error.endswith("one_plugin.py:3")
    assert time.monotonic() - began < 5
    assert "one_plugin" not in sys.modules
    assert signal.getsignal(signal.SIGALRM) is before
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_hanging_at_import_and_swallowing_everything(site):
    site.add(one_plugin="import time\ntry:\n    time.sleep(60)\nexcept BaseException:\n    time.sleep(60)")
    broken_by(site, reason="import failed: it did not end within 0.5 s", remedy="find out what", import_seconds=0.5)


def test_hanging_at_import_in_another_thread(site):
    """Where no alarm can be set: the hanging thread is left to itself."""
    site.add(
        one_plugin="import one_gate\none_gate.EVENT.wait(60)", one_gate="import threading\nEVENT = threading.Event()"
    )
    caught = []

    def run():
        try:
            broken_by(site, reason="import failed: it did not end within 0.5 s", remedy="find", import_seconds=0.5)
        except BaseException as error:  # noqa: BLE001 - carried over to the test
            caught.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(10)
    sys.modules["one_gate"].EVENT.set()
    for other in threading.enumerate():
        if other.name == "sethpusher-plugin":
            other.join(10)
    assert caught == []


def test_failing_at_import_in_another_thread(site):
    site.add(one_plugin="raise SystemExit(3)")
    thread = threading.Thread(target=site.start)
    thread.start()
    thread.join(10)
    assert site.record().error == "import failed: tried to end the process (SystemExit 3)"


def test_an_alarm_of_the_embedding_program_is_put_back(site):
    rung = []
    before = signal.signal(signal.SIGALRM, lambda *_: rung.append(1))
    try:
        signal.setitimer(signal.ITIMER_REAL, 60)
        site.add()
        site.start()
        assert 0 < signal.getitimer(signal.ITIMER_REAL)[0] <= 60
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.raise_signal(signal.SIGALRM)
        assert rung == [1]
    finally:
        signal.signal(signal.SIGALRM, before)


def test_without_a_bound(site):
    site.add()
    site.start(import_seconds=0)
    assert site.record().status is Status.ACTIVE


def test_printing_at_import_does_not_spoil_our_output(site, capsys):
    site.add(one_plugin=f"print('hello')\n{SOUND}")
    site.start()
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "hello\n")


def test_keyboard_interrupt_at_import_passes(site):
    site.add(one_plugin="raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        site.start()


@pytest.mark.parametrize(
    ("requirement", "fits"),
    [
        ("sethpusher-core>=1,<2", True),
        ("sethpusher-core", True),
        ("SethPusher.Core >= 1", True),
        ("sethpusher-core>=2; python_version < '3'", True),
        ("sethpusher-core>=2; extra == 'x'", True),
        ("sethpusher-core-extras>=9", True),
        ("sethpusher-core>=2", False),
        ("sethpusher-core<1", False),
        ("sethpusher_core[fast]==1.1.*", False),
    ],
)
def test_made_for_another_core(site, requirement, fits):
    """Found out from its metadata, so it is not even imported."""
    site.add(requires=["unreadable !!!", requirement])
    if fits:
        site.start()
        assert site.record().status is Status.ACTIVE
        return
    record = broken_by(
        site,
        reason="needs sethpusher-core ",
        remedy="install a release of sethpusher-one for this core",
        status=Status.INCOMPATIBLE,
    )
    assert record.error.endswith(", this is 1.0.0")
    assert "one_plugin" not in sys.modules


def test_a_pre_release_of_the_core_counts(site):
    site.add(requires=["sethpusher-core>=1.1.dev1,<2"])
    site.start(core_version="1.1.0rc1")
    assert site.record().status is Status.ACTIVE


def test_an_unreadable_requirement_for_the_core(site):
    site.add(requires=["sethpusher-core >>1"])
    broken_by(
        site,
        reason="its requirement 'sethpusher-core >>1' cannot be read",
        remedy="install",
        status=Status.INCOMPATIBLE,
    )


def test_one_name_twice(site):
    """Both owners are named, and neither is loaded; the way out is by distribution."""
    site.add()
    site.add("aaa-one", "3.0", points="One = other_one", other_one=SOUND)
    site.start()
    records = [record for record in site.loader.records if record.name == "one"]
    assert [record.status for record in records] == [Status.BROKEN] * 2
    assert {record.error for record in records} == {"aaa-one 3.0 and sethpusher-one 1.2 both have a plugin one"}
    assert [record.remedy.rpartition(" ")[2] for record in records] == [
        "--no-plugin=aaa-one",
        "--no-plugin=sethpusher-one",
    ]
    assert not {"one_plugin", "other_one"} & sys.modules.keys()


def test_one_name_twice_and_one_switched_off(site):
    site.add()
    site.add("aaa-one", "3.0", points="one = other_one", other_one=SOUND)
    site.start(block=("aaa-one",), environ={"SETHPUSHER_ONE__X": "1"}, strict_settings=False)
    records = {r.distribution: r.status for r in site.loader.records if r.name == "one"}
    assert records == {"aaa-one": Status.DISABLED, "sethpusher-one": Status.ACTIVE}


def test_the_name_of_a_built_in_plugin(site):
    site.add(points="memory = one_plugin", one_plugin=SOUND)
    site.start()
    record = next(record for record in site.loader.records if record.name == "memory" and not record.builtin)
    assert record.error == "memory is the name of a built-in plugin, too"
    assert record.remedy.endswith("--no-plugin=sethpusher-one")


def test_two_entry_points_for_one_module(site):
    site.add(points="one = one_plugin\ntwo = one_plugin", one_plugin=SOUND)
    site.start()
    assert site.record("one").status is Status.ACTIVE
    assert site.record("two").error.endswith("is registered already, as one")


SETTINGS = """
from dataclasses import dataclass
from sethpusher_core.hookspecs import hookimpl
from sethpusher_core.settings import setting

@dataclass(frozen=True, slots=True)
class Settings:
    {keys}

@hookimpl
def subscribed(channel):
    pass
"""


def test_flags_that_read_alike(site):
    """[plugins.one] two_x and [plugins.one_two] x would both be --one-two-x."""
    site.add(one_plugin=SETTINGS.format(keys="two_x: int = 1"))
    site.add("sethpusher-one-two", points="one_two = one_two_plugin", one_two_plugin=SETTINGS.format(keys="x: int = 1"))
    site.start()
    assert site.record("one").status is Status.ACTIVE
    record = site.record("one_two")
    assert record.status is Status.BROKEN
    assert (
        "sethpusher-one-two 1.2 and sethpusher-one 1.2 both declare a setting that reads as --one-two-x" in record.error
    )


def test_settings_declared_twice(site):
    site.add(
        one_plugin="""
from dataclasses import dataclass
from sethpusher_core.hookspecs import hookimpl

@dataclass(frozen=True)
class Settings:
    x: int = 1

@dataclass(frozen=True)
class Others:
    x: int = 1

@hookimpl
def register_backends(register):
    register("one", print, Settings)
    register("two", print, Others)
"""
    )
    broken_by(site, reason="declares its settings more than once", remedy="mend or update it")


CLASS = """
import time
from dataclasses import dataclass
from sethpusher_core.hookspecs import hookimpl

class Plugin:
    def __init__(self{arguments}):
        {body}

    @hookimpl
    def subscribed(self, channel):
        pass
"""


@pytest.mark.parametrize(
    ("arguments", "body", "reason"),
    [
        ("", "1 / 0", "making Plugin failed: ZeroDivisionError: division by zero"),
        ("", "raise SystemExit(2)", "making Plugin failed: tried to end the process (SystemExit 2)"),
        (", settings", "pass", "making Plugin failed: TypeError: "),
        ("", "time.sleep(60)", "making Plugin failed: it did not end within 0.5 s"),
    ],
)
def test_a_class_that_cannot_be_made(site, arguments, body, reason):
    site.add(points="one = one_plugin:Plugin", one_plugin=CLASS.format(arguments=arguments, body=body))
    record = broken_by(site, reason=reason, remedy="", import_seconds=0.5)
    assert record.hooks == ("subscribed",)


CHOOSY = """
from dataclasses import dataclass
from sethpusher_core.hookspecs import hookimpl

class Plugin:
    @dataclass(frozen=True)
    class Settings:
        path: str

    def __init__(self, settings):
        raise ValueError(f"{settings.path}: No such file")

    @hookimpl
    def subscribed(self, channel):
        pass
"""


def test_a_class_that_does_not_like_its_settings(site):
    """Nothing is wrong with its code, so nobody is sent for another release of it."""
    site.add(points="one = one_plugin:Plugin", one_plugin=CHOOSY)
    with pytest.raises(PluginError) as caught:
        site.start("--one-path=x")
    assert str(caught.value) == (
        "plugin one: making Plugin failed: ValueError: x: No such file; correct its settings, "
        "or start with --no-plugin=one"
    )


def test_a_class_is_not_made_for_a_list(site):
    site.add(points="one = one_plugin:Plugin", one_plugin=CLASS.format(arguments="", body="1 / 0"))
    site.start(activate=False)
    assert site.record().status is Status.ACTIVE


def test_the_cause_is_kept_for_verbose(site):
    site.add(one_plugin="1 / 0")
    site.start()
    assert isinstance(site.record().cause, ZeroDivisionError)


def test_marked_broken_later(site):
    """What a cold hook raises at start; its other hooks stay, so no authenticator vanishes."""
    site.add()
    loader = site.start()
    cause = ValueError("x")
    error = HookError("one", "routes", "ValueError: x")
    error.__cause__ = cause
    loader.mark_broken(error)
    record = site.record()
    assert (record.status, record.error) == (Status.BROKEN, "hook routes: ValueError: x")
    assert "mend or update it (pip install -U sethpusher-one)" in record.remedy
    assert record.cause is cause
    assert site.registry.get("one") is not None


# ------------------------------------------------------------------------------------------------ refusing the start


@pytest.mark.parametrize(
    "how",
    [
        {"allow": ("one",)},
        {"allow": ("sethpusher-one",)},
        {"order": ("one",)},
        {"strict": True},
        {"backend": "one"},
    ],
)
def test_a_broken_plugin_that_the_settings_name_refuses_the_start(site, how):
    site.add(one_plugin="1 / 0")
    with pytest.raises(PluginError) as caught:
        site.start(**how)
    line = str(caught.value)
    assert line.startswith("plugin one: import failed: ZeroDivisionError: division by zero; mend or update it")
    assert "\n" not in line
    assert (caught.value.plugin, caught.value.exit_code) == ("one", 3)


@pytest.mark.parametrize("how", [{"environ": {"SETHPUSHER_ONE__URL": "x"}}])
def test_settings_of_a_broken_plugin_refuse_the_start(site, how):
    site.add(one_plugin="1 / 0")
    with pytest.raises(SettingsError, match="the plugin one cannot be used: import failed") as caught:
        site.start(**how)
    assert caught.value.exit_code == 3


def test_a_plugin_with_settings_that_cannot_be_made_refuses_the_start(site):
    text = CLASS.format(arguments=", settings", body="1 / 0").replace(
        "class Plugin:", "@dataclass(frozen=True)\nclass S:\n    x: int = 1\n\nclass Plugin:\n    Settings = S\n"
    )
    site.add(points="one = one_plugin:Plugin", one_plugin=text)
    with pytest.raises(PluginError, match="plugin one: making Plugin failed: ZeroDivisionError"):
        site.start(environ={"SETHPUSHER_ONE__X": "2"})
    site.start()
    assert site.record().status is Status.BROKEN


def test_strict_makes_every_problem_fatal(site):
    site.add(requires=["sethpusher-core>=2"])
    with pytest.raises(PluginError, match=r"plugin one: needs sethpusher-core >=2, this is 1\.0\.0"):
        site.start(strict=True)
    site.start(strict=True, block=("one",))
