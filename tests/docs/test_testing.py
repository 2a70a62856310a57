"""The page about testing: its programs run as they stand."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs/testing.md"


def programs() -> dict[str, str]:
    """The Python programs of the page, by the name of the file in their first line."""
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    return {match[1]: block for block in blocks if (match := re.match(r"# (\S+\.py)\n", block))}


def test_the_programs_run(tmp_path: Path) -> None:
    for name, text in programs().items():
        (tmp_path / name).write_text(text)
    assert {"conftest.py", "test_news.py", "test_recovery.py"} <= set(programs())
    command = [sys.executable, "-W", "error", "-m", "pytest", "-q", "-c", "/dev/null", "--rootdir", str(tmp_path)]
    done = subprocess.run(
        [*command, "-W", "error", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        timeout=100,
    )
    assert done.returncode == 0, done.stdout
