"""What every plugin is, whatever its hooks: found, fitting, explained, and light."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from ... import __version__
from ...errors import SethPusherError
from ...plugins.discovery import says_auth, unfit
from ...plugins.names import normal
from ...plugins.records import Status
from ..guard import Compliance, case
from ..installed import AUTH, SETTINGS, PluginBench
from ..timing import patience

__all__ = ["PluginCases"]

CORE: Final = "sethpusher-core"
PART: Final = 10
"""The part of the patience that importing a plugin may take."""
TRIES: Final = 3


class PluginCases(Compliance):
    """From the entry point to the first settings."""

    @case()
    async def test_it_is_discovered(self, kit: PluginBench) -> None:
        """A plugin is found by its entry point in the group ``sethpusher``.

        If this fails: name the module or class in ``[project.entry-points.sethpusher]`` of ``pyproject.toml``, and
        install the distribution again: entry points are read when it is installed, even as editable.
        """
        candidate = kit.candidate()
        assert not candidate.error, candidate.error

    @case()
    async def test_its_requirement_fits(self, kit: PluginBench) -> None:
        """A plugin requires the core in a range: hooks only grow within a major version, and may change with the next.

        If this fails: have ``dependencies`` hold ``"sethpusher-core>=1.0,<2"``, with the release that you need first.
        """
        candidate = kit.candidate()
        requirements = [Requirement(line) for line in candidate.requires]
        core = [one for one in requirements if canonicalize_name(one.name) == CORE]
        assert core, f"it does not require {CORE}"
        assert not unfit(candidate, __version__), unfit(candidate, __version__)
        major = Version(__version__).major
        bounds = core[0].specifier
        assert not bounds.contains(f"{major + 1}.0.0"), f"{core[0]} takes {CORE} {major + 1}.0.0, too"
        assert not bounds.contains("0.0.1"), f"{core[0]} takes any old {CORE}, too"

    @case()
    async def test_it_loads(self, kit: PluginBench) -> None:
        """It implements hooks that exist, with their arguments, marked with ``hookimpl``; its settings can be read.

        If this fails: the message says what is refused, as ``seth-pusher --list-plugins`` would.
        """
        record = kit.started({}).record
        assert not record.is_problem, f"{record.error}; {record.remedy}"
        assert record.hooks

    @case()
    async def test_it_has_one_name(self, kit: PluginBench) -> None:
        """Its name is that of its entry point: in settings, flags, logs and as ``Identity.plugin``.

        If this fails: give the attribute ``name`` of the class or module the entry point's name, or leave it out.
        """
        target: Any = kit.candidate().entry_point.load()
        name = getattr(target, "name", None)
        assert name is None or normal(name) == kit.name, f"it calls itself {name}, its entry point is {kit.name}"

    @case()
    async def test_it_says_what_it_is(self, kit: PluginBench) -> None:
        """Operators read in ``pip show`` and on the index what a plugin does before they install it.

        If this fails: write a ``description``, a ``readme`` and ``requires-python`` in ``pyproject.toml``.
        """
        fields = kit.candidate().entry_point.dist.metadata
        for field in ("Summary", "Description", "Requires-Python"):
            text = fields.get(field) or (fields.get_payload() if field == "Description" else "")
            assert str(text).strip(), f"its metadata has no {field}"

    @case()
    async def test_it_waits_for_its_settings(self, kit: PluginBench) -> None:
        """Installed and told nothing, a plugin is no problem: it is active, or available until its settings are given.

        If this fails: declare what it cannot do without as ``setting(required=True)``; the start that is refused
        here is that of everybody who has it installed.
        """
        checked = kit.command("check")
        assert checked.returncode == 0, f"seth-pusher check: {(checked.stderr or checked.stdout).strip()}"
        record = kit.started({}).record
        assert record.status in (Status.ACTIVE, Status.AVAILABLE), f"it is {record.status}: {record.error}"

    @case()
    async def test_its_settings_make_it_active(self, kit: PluginBench) -> None:
        """With its settings it is made, registered and active.

        If this fails: where it requires settings, have the fixture ``settings`` give its table, as it would stand in
        the settings file; what ``__init__`` raises for good settings must not be raised.
        """
        try:
            started = kit.started(kit.settings or {})
        except SethPusherError as error:
            raise AssertionError(f"its settings are refused: {error}") from error
        required = [key for key in started.resolved.missing(kit.name) if started.plugin is None]
        assert not required, f"it requires {', '.join(required)}: have the fixture `settings` give it"
        assert started.record.status is Status.ACTIVE, f"it is {started.record.status}: {started.record.error}"
        assert started.plugin is not None

    @case(SETTINGS)
    async def test_every_setting_is_explained(self, kit: PluginBench) -> None:
        """A setting's ``help`` is its line in ``--help``, and all that an operator reads of it.

        If this fails: write ``setting(..., help="What it is for.")`` for the one that the message names.
        """
        component = kit.started({}).resolved.registry.get(kit.name)
        assert component is not None
        for key in component.keys:
            assert key.help.strip(), f"{kit.name}.{key.name} has no help"
            assert re.search(r"[.?!:)]$", key.help.strip()), f"{kit.name}.{key.name}: {key.help!r} is no sentence"

    @case()
    async def test_importing_it_does_nothing(self, kit: PluginBench) -> None:
        """Importing defines; it starts, writes, prints and connects nothing: plugins are imported for ``--help``, too.

        If this fails: move what the message names into ``startup``, into a backend's ``start``, or into the function
        that needs it.
        """
        loading = kit.imported()
        assert not loading.began, f"importing it does this: {'; '.join(loading.began)}"
        assert not loading.printed, f"importing it prints: {loading.printed}"

    @case()
    async def test_importing_it_is_light(self, kit: PluginBench) -> None:
        """A plugin is imported wherever it is installed, also where it is not active: its driver comes later.

        If this fails: import the driver in the function that makes the connection (for a backend, in the factory).
        Where that cannot be, say why by ``imports_early``.
        """
        early = _of_requirements(kit)
        excused = set(kit.imports_early)
        assert early <= excused, f"importing it imports {', '.join(sorted(early - excused))}"
        assert excused <= early, f"imports_early names {', '.join(sorted(excused - early))}, which is not imported"

    @case()
    async def test_importing_it_is_quick(self, kit: PluginBench) -> None:
        """The command waits for the import of every installed plugin before it says anything.

        If this fails: look at ``python -X importtime -c "import ..."``, and import what is slow where it is needed.
        """
        limit = patience() / PART
        for _ in range(TRIES):  # a machine may be busy
            seconds = kit.imported().seconds
            if seconds < limit:
                return
        raise AssertionError(f"importing it takes {seconds:.2f} s")

    @case(AUTH)
    async def test_when_it_is_broken_the_door_is_closed(self, kit: PluginBench) -> None:
        """A broken authenticator never means that nobody asks: the server must know it without being able to import it.

        If this fails: say in the distribution's name, description, keywords or classifiers that it is about
        authentication or authorization.
        """
        assert says_auth(kit.candidate()), "neither its name nor its metadata nor its module says that it is about auth"


def _names(requirements: Iterable[str]) -> set[str]:
    return {canonicalize_name(Requirement(line).name) for line in requirements}


def _of_requirements(kit: PluginBench) -> set[str]:
    """The modules that its import imports of what it requires, and the core does not."""
    from importlib.metadata import packages_distributions, requires

    wanted = _names(kit.candidate().requires) - _names(requires(CORE) or ()) - {CORE}
    owners = packages_distributions()
    heads = {name.partition(".")[0] for name in kit.imported().modules}
    return {head for head in heads if wanted & {canonicalize_name(owner) for owner in owners.get(head, ())}}
