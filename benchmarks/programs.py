"""The C programs of the benchmarks, compiled when they are first needed and again when their source has changed."""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from shutil import which
from typing import Final, Literal

__all__ = ["SOURCES", "buildable", "built", "compiler"]

HERE: Final = Path(__file__).parent
SOURCES: Final = HERE / "load"
"""Where the C sources are; each of them may change what is built."""
FLAGS: Final = ("-O2", "-std=c11", "-Wall", "-Wextra")
FLOOR: Final = "floor"
"""The only program that is one file; all others are the load generator's."""


Name = Literal["load", "floor"]


def compiler() -> str | None:
    """The C compiler of this machine, if there is one."""
    return which("cc") or which("gcc") or which("clang")


def buildable(name: Name) -> bool:
    """Whether the program is there as it is to be, or can be made."""
    return _at(name, ()).exists() or compiler() is not None


def built(name: Name, *flags: str) -> Path:
    """The load generator, or the floor that servers are measured by.

    Args:
        name: Which.
        flags: For the compiler, beside ours.

    Raises:
        RuntimeError: There is no compiler, or it refuses; with what it says.
    """
    program = _at(name, flags)
    if program.exists():
        return program
    cc = compiler()
    if cc is None:
        raise RuntimeError("there is no C compiler: apt install gcc")
    program.parent.mkdir(exist_ok=True)
    sources = [path for path in sorted(SOURCES.glob("*.c")) if (path.stem == FLOOR) == (name == FLOOR)]
    half = program.with_suffix(f".{os.getpid()}")
    done = subprocess.run([cc, *FLAGS, *flags, "-o", half, *sources], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{name} does not compile: {done.stderr.strip()}")
    half.replace(program)
    return program


def _at(name: Name, flags: Sequence[str]) -> Path:
    content = "".join([*flags, *(path.read_text() for path in sorted(SOURCES.glob("*.[ch]")))]).encode()
    return HERE / "build" / f"{name}-{hashlib.sha256(content).hexdigest()[:12]}"
