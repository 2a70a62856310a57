from __future__ import annotations

import subprocess
import sys

import pytest

import sethpusher_core.settings
from sethpusher_core.settings import Component, CoreSettings


def test_defaults() -> None:
    core = CoreSettings()
    assert (core.host, core.port, core.debug, core.logging) == ("127.0.0.1", 8080, False, "info")
    assert (core.outbound_limit, core.outbound_total) == (1 << 20, 256 << 20)
    assert (core.max_message_size, core.max_body_size) == (65_536, 1 << 20)
    assert (core.heartbeat_interval, core.ping_interval, core.ping_timeout, core.disconnect_delay) == (25, 25, 20, 5)
    assert core.channels == ()
    assert core.load_plugins is None


def test_every_setting_and_action_has_its_help(core: Component) -> None:
    tables = [key.kind.item.keys for key in core.keys if hasattr(key.kind, "item") and hasattr(key.kind.item, "keys")]
    for key in [*core.keys, *(key for table in tables for key in table)]:
        assert key.help.endswith((".", "memory.")), key.name
    for action in core.actions:
        assert action.help.endswith("."), action.name


def test_public_names_exist_and_are_sorted() -> None:
    names = sethpusher_core.settings.__all__
    assert all(hasattr(sethpusher_core.settings, name) for name in names)
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("module", ["tornado", "msgspec", "tomllib", "hmac", "asyncio", "difflib", "pathlib", "pluggy"])
def test_importing_and_resolving_stays_light(module: str) -> None:
    code = (
        "import sys\n"
        "before = set(sys.modules)\n"  # a venv may import much before us
        "from sethpusher_core.settings import *\n"
        "assert resolve([core_component()], Sources(('--port=1',), {'SETHPUSHER_DEBUG': '1'})).of('').port == 1\n"
        f"sys.exit({module!r} in set(sys.modules) - before)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
