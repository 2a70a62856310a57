"""A virtual environment that sees the core and what the tests need, and into which pip installs."""

from __future__ import annotations

import os
import site
import subprocess
import venv
from importlib.metadata import entry_points
from pathlib import Path
from typing import Final

from support.timing import SCALE

__all__ = ["OFFLINE", "WAIT", "VirtualEnvironment"]

ROOT: Final = Path(__file__).parents[2]
WAIT: Final = 120.0 * SCALE
"""Seconds that one command may take."""
OFFLINE: Final = ("--no-deps", "--no-build-isolation", "--no-index")
"""What keeps pip from the network."""


class VirtualEnvironment:
    """An environment in which a project is installed as its users install it.

    Attributes:
        folder: Where commands are run.
        variables: Their environment; plugins of this interpreter are switched off.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        root = folder / "venv"
        venv.create(root, with_pip=False)
        [packages] = root.glob("lib/python*/site-packages")
        seen = [str(ROOT), *site.getsitepackages()]  # pip is among them
        (packages / "here.pth").write_text("".join(f"import site; site.addsitedir({path!r})\n" for path in seen))
        command = root / "bin" / "seth-pusher"
        command.write_text(f'#!/bin/sh\nexec {root}/bin/python -m sethpusher_core "$@"\n')
        command.chmod(0o755)
        self.variables = {
            "PATH": f"{root / 'bin'}:{os.environ['PATH']}",
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "SETHPUSHER_NO_PLUGIN": ",".join(point.name for point in entry_points(group="sethpusher")),
        }

    def run(self, *words: str, **variables: str) -> str:
        """Runs a command, which must go well, and gives what it said."""
        done = subprocess.run(
            words,
            env={**self.variables, **variables},
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=WAIT,
            check=False,
        )
        assert done.returncode == 0, f"$ {' '.join(words)}\n{done.stdout}"
        return done.stdout
