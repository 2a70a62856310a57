"""Where it is measured, as the system tells it."""

from __future__ import annotations

import os
import platform
import resource
import subprocess
from pathlib import Path

from .schema import Machine

__all__ = ["commit", "this_machine"]


def this_machine() -> Machine:
    """This machine, and how busy it is before anything is measured."""
    return Machine(
        cores=len(os.sched_getaffinity(0)),
        cpu=_line_of("/proc/cpuinfo", "model name") or platform.machine(),
        memory_mib=int((_line_of("/proc/meminfo", "MemTotal") or "0 kB").split()[0]) // 1024,
        kernel=platform.release(),
        python=platform.python_version(),
        governor=_text_of("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        load_average=round(os.getloadavg()[0], 2),
        descriptors=resource.getrlimit(resource.RLIMIT_NOFILE)[1],
    )


def commit(root: Path) -> str | None:
    """The commit of a working tree, with ``+`` where files differ from it; None: it is no working tree."""
    git = ["git", "-C", str(root)]
    try:
        head = subprocess.run([*git, "rev-parse", "--short=12", "HEAD"], capture_output=True, text=True, check=True)
        changed = subprocess.run([*git, "status", "--porcelain"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return head.stdout.strip() + ("+" if changed.stdout.strip() else "")


def _text_of(path: str) -> str | None:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return None


def _line_of(path: str, name: str) -> str | None:
    """What stands behind ``NAME:`` in a file of /proc."""
    for line in (_text_of(path) or "").splitlines():
        key, _, value = line.partition(":")
        if key.strip() == name:
            return value.strip()
    return None
