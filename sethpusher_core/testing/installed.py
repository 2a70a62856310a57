"""An installed plugin under test: found, loaded and tried as the command does it, and imported in a fresh process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pytest

from .. import __version__
from ..plugins.discovery import Candidate, find_candidates
from ..plugins.loader import PluginLoader
from ..plugins.names import listed, normal
from ..plugins.records import PluginRecord
from ..plugins.registry import PluginRegistry
from ..plugins.selection import Selection
from ..settings.core import core_component
from ..settings.file import SettingsFile
from ..settings.resolve import Resolved, Sources, resolve
from .guard import Bench
from .loops import bounded, run
from .timing import patience

__all__ = ["AUTH", "SETTINGS", "Loading", "PluginBench", "Started"]

AUTH: Final = "authenticate or authorize"
SETTINGS: Final = "settings"

_IMPORTED: Final = """
import json, os, signal, sys, threading
began, ready = [], False
CHANGES = {"socket.connect", "socket.bind", "subprocess.Popen", "os.system", "os.fork", "os.exec", "os.remove",
           "os.rename", "os.mkdir", "os.kill", "shutil.rmtree", "sqlite3.connect", "urllib.Request", "os.putenv"}

def watch(event, arguments):
    if not ready:
        return
    if event in CHANGES:
        began.append(f"{event}{tuple(str(one)[:80] for one in arguments)}")
    elif event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+"):
        if not str(arguments[0]).endswith((".pyc", "/dev/null")) and "__pycache__" not in str(arguments[0]):
            began.append(f"open {arguments[0]} for writing")

import logging, time, importlib
import sethpusher_core, sethpusher_core.hookspecs, sethpusher_core.settings, sethpusher_core.server
from sethpusher_core.plugins.discovery import find_candidates
[candidate] = [one for one in find_candidates(sys.path) if one.name == sys.argv[1]]
sys.addaudithook(watch)
before = set(sys.modules), threading.active_count(), logging.getLogger().handlers[:], signal.getsignal(signal.SIGTERM)
environment, output = dict(os.environ), sys.stdout
start = time.perf_counter()
ready = True
candidate.entry_point.load()
ready = False
seconds = time.perf_counter() - start
if threading.active_count() > before[1]:
    began.append("a thread")
if logging.getLogger().handlers != before[2]:
    began.append("a handler for the log")
if signal.getsignal(signal.SIGTERM) is not before[3]:
    began.append("a handler for SIGTERM")
if dict(os.environ) != environment:
    began.append("changes to the environment")
report = {"seconds": seconds, "began": began, "modules": sorted(set(sys.modules) - before[0])}
print("REPORT" + json.dumps(report), file=sys.stderr)
sys.stderr.flush()
os._exit(0)
"""


@dataclass(frozen=True, slots=True)
class Loading:
    """What importing a plugin did, in a process where the core was imported already.

    Attributes:
        seconds: How long it took.
        began: What else happened than definitions.
        printed: What was written to standard output or standard error.
        modules: What was imported.
    """

    seconds: float
    began: Sequence[str]
    printed: str
    modules: Sequence[str]


@dataclass(frozen=True, slots=True)
class Started:
    """What became of the plugin under some settings.

    Attributes:
        record: Its row in ``--list-plugins``.
        resolved: The settings.
        plugin: The plugin object; None where it is not active.
    """

    record: PluginRecord
    resolved: Resolved
    plugin: object | None


class PluginBench(Bench):
    """The fixture ``kit`` of the cases for what every plugin is.

    Attributes:
        name: The plugin's name.
        settings: The author's settings, with which it is active; None where there are none.
        imports_early: The author's reasons for importing requirements early, by module.
    """

    def __init__(
        self,
        name: str,
        settings: Mapping[str, Any] | None = None,
        path: Sequence[str] | None = None,
        imports_early: Mapping[str, str] | None = None,
    ) -> None:
        self.name = normal(name)
        self.settings = settings
        self.imports_early = dict(imports_early or {})
        self._path = None if path is None else [str(folder) for folder in path]

    def require(self, need: str) -> None:
        """See :meth:`Bench.require`: AUTH, or SETTINGS."""
        record = self.started({}).record
        if need == AUTH and not {"authenticate", "authorize"} & set(record.hooks):
            pytest.skip(f"{need}: {self.name} implements neither")
        if need == SETTINGS and record.settings is None:
            pytest.skip(f"{need}: {self.name} declares none")

    def run(self, coroutine: Coroutine[Any, Any, None]) -> None:
        """See :meth:`Bench.run`."""
        __tracebackhide__ = True
        run(bounded(coroutine))

    def candidate(self) -> Candidate:
        """The plugin, as it is found.

        Raises:
            AssertionError: It is not, or not alone.
        """
        candidates = find_candidates(self._path)
        found = [one for one in candidates if one.name == self.name]
        there = listed(one.name for one in candidates)
        assert found, f"there is no entry point {self.name} in the group sethpusher; there is {there}"
        owners = " and ".join(one.owner for one in found)
        assert len(found) == 1, f"{owners} both have an entry point {self.name}"
        return found[0]

    def started(self, settings: Mapping[str, Any]) -> Started:
        """The plugin loaded, and activated if the settings do that.

        Raises:
            SethPusherError: The settings, or the plugin, are refused.
        """
        registry = PluginRegistry()
        loader = PluginLoader(registry, Selection(allow=(self.name,)), path=self._path)
        loader.discover()
        table = {"plugins": {self.name: dict(settings)}} if settings else {}
        resolved = resolve(
            loader.components(core_component(__version__)),
            Sources(file=SettingsFile("of the test", table)),
            unloaded=loader.unloaded(),
        )
        loader.activate(resolved)
        record = next((row for row in loader.records if row.name == self.name), None)
        assert record is not None, f"there is no plugin {self.name}"
        registered = registry.get(self.name)
        return Started(record, resolved, None if registered is None else registered.plugin)

    def imported(self) -> Loading:
        """What happens when a fresh process imports it."""
        done = self.python("-c", _IMPORTED, self.name)
        printed, marker, report = done.stderr.rpartition("REPORT")
        assert marker, f"importing it failed: {done.stderr.strip()[-500:]}"
        return Loading(**json.loads(report), printed=(done.stdout + printed).strip())

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Runs ``seth-pusher`` with this plugin and no other, in a fresh process."""
        return self.python("-m", "sethpusher_core", f"--load-plugins={self.name}", *words)

    def python(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Runs Python, which finds what this process finds, and nothing of the environment's settings."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("SETHPUSHER_")}
        environment["PYTHONPATH"] = os.pathsep.join([*(self._path or ()), *(one for one in sys.path if one)])
        limit = 4 * patience()
        try:
            return subprocess.run(  # noqa: S603 - Python itself, and words of the kit
                [sys.executable, *words], env=environment, capture_output=True, text=True, timeout=limit, check=False
            )
        except subprocess.TimeoutExpired:
            raise AssertionError(f"python {' '.join(words)[:60]} has not come to its end within {limit:g} s") from None
