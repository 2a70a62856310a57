"""--list-plugins: the table and its JSON."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from plugins_ux.sites import SOUND

from sethpusher_core._version import __version__
from sethpusher_core.plugins.records import PluginRecord, Status
from sethpusher_core.plugins.report import as_json, as_table

KEYS = {"name", "distribution", "version", "status", "provides", "hooks", "order", "path", "error", "remedy"}

BACKEND = """
from sethpusher_core.hookspecs import hookimpl

@hookimpl
def register_backends(register):
    register("redis", print)

@hookimpl
def persist(publications):
    pass
"""


@pytest.fixture
def full(site):
    site.add("sethpusher-redis", "1.0.0", points="redis = redis_plugin", redis_plugin=BACKEND)
    site.add("sethpusher-broken", "0.3", points="broken = broken_plugin", broken_plugin="1 / 0")
    site.add("sethpusher-off", "22.10.1", points="off = off_plugin")
    site.add("sethpusher-old", "0.1", points="old = old_plugin", requires=["sethpusher-core<1"])
    return site.start(block=("off",))


def test_the_table(full):
    assert as_table(full.records).splitlines() == [
        "NAME    VERSION  STATUS        PROVIDES                FROM",
        "broken  0.3      broken        -                       sethpusher-broken",
        "    import failed: ZeroDivisionError: division by zero",
        "    mend or update it (pip install -U sethpusher-broken), or start with --no-plugin=broken",
        "off     22.10.1  disabled      -                       sethpusher-off",
        "old     0.1      incompatible  -                       sethpusher-old",
        f"    needs sethpusher-core <1, this is {__version__}",
        "    install a release of sethpusher-old for this core, or start with --no-plugin=old",
        "redis   1.0.0    active        backend redis, persist  sethpusher-redis",
        f"memory  {__version__}    active        backend memory          sethpusher-core",
    ]


def test_a_traceback_only_when_asked_for(full):
    assert "Traceback" not in as_table(full.records)
    verbose = as_table(full.records, verbose=True)
    assert verbose.count("Traceback (most recent call last)") == 1
    assert "broken_plugin.py" in verbose
    assert "    ZeroDivisionError: division by zero" in verbose.splitlines()


def test_the_json(full, site):
    rows = json.loads(as_json(full.records))
    assert [row["name"] for row in rows] == ["broken", "off", "old", "redis", "memory"]
    assert all(row.keys() == KEYS for row in rows)
    assert rows[3] == {
        "name": "redis",
        "distribution": "sethpusher-redis",
        "version": "1.0.0",
        "status": "active",
        "provides": ["backend redis", "persist"],
        "hooks": ["persist", "register_backends"],
        "order": 1,
        "path": str(site.root / "redis_plugin.py"),
        "error": None,
        "remedy": None,
    }
    assert rows[0]["status"] == "broken"
    assert rows[0]["error"] == "import failed: ZeroDivisionError: division by zero"
    assert rows[0]["remedy"].endswith("--no-plugin=broken")
    assert rows[1]["hooks"] == []


def test_an_empty_list_is_an_array():
    assert json.loads(as_json([])) == []
    assert as_table([]) == "NAME  VERSION  STATUS  PROVIDES  FROM"


def test_foreign_text_does_not_reach_the_terminal_raw():
    record = PluginRecord("x", "\x1b[2Jevil", "1\n2", Status.AVAILABLE)
    table = as_table([record])
    assert "\x1b" not in table
    assert len(table.splitlines()) == 2


def test_listing_imports_neither_tornado_nor_the_server(site):
    """A list of plugins, like the version, is told without loading the server."""
    site.add(one_plugin=SOUND)
    program = """
import sys
from sethpusher_core.plugins.loader import PluginLoader
from sethpusher_core.plugins.registry import PluginRegistry
from sethpusher_core.plugins.report import as_json
sys.path.insert(0, sys.argv[1])
loader = PluginLoader(PluginRegistry(), path=[sys.argv[1]])
loader.discover()
loader.settle(None)
print(as_json(loader.records))
print(sorted({"tornado", "websockets", "redis", "sethpusher_core.server"} & sys.modules.keys()), file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", program, str(site.root)], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)[0]["status"] == "active"
    assert done.stderr == "[]\n"
