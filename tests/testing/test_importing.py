"""Importing the kit needs nothing but the core."""

from __future__ import annotations

import subprocess
import sys

import pytest

import sethpusher_core.testing as kit

WITHOUT_PYTEST = "import sys; sys.modules['pytest'] = None; "


def run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)


def test_importing_it_imports_no_pytest() -> None:
    result = run("import sys, sethpusher_core.testing; assert not {'pytest', 'tornado.web'} & set(sys.modules)")
    assert result.returncode == 0, result.stderr


def test_the_clock_needs_no_pytest() -> None:
    result = run(WITHOUT_PYTEST + "from sethpusher_core.testing import kit_time")
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("name", [name for name in kit.__all__ if name.endswith("Compliance")])
def test_a_class_says_what_to_install(name: str) -> None:
    result = run(WITHOUT_PYTEST + f"from sethpusher_core.testing import {name}")
    assert "ImportError: " in result.stderr
    assert "pip install 'sethpusher-core[testing]'" in result.stderr


def test_it_offers_what_it_lists() -> None:
    assert set(kit.__all__) <= set(dir(kit))
    for name in kit.__all__:
        assert getattr(kit, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        _ = kit.Nothing
