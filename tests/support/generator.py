"""The load generator as a test runs it: compiled once, asleep between events, impatient."""

from __future__ import annotations

import json
import subprocess
from typing import Any, Final

from benchmarks.programs import built
from support.timing import SCALE, UNIT

__all__ = ["FINE", "REFUSED", "TIMED_OUT", "TIMEOUT", "UNTRUE", "USAGE", "generated"]

TIMEOUT: Final = 0.3 * SCALE
"""Seconds without progress after which it gives up."""
FINE, REFUSED, USAGE, UNTRUE, TIMED_OUT = range(5)


def generated(port: int, *options: object, flags: tuple[str, ...] = ()) -> tuple[int, dict[str, Any], str]:
    """Runs it: its exit code, what it told, and what it said about failures.

    Args:
        port: Of the server.
        options: More of its command line; of options that are named twice the last counts.
        flags: For the compiler.
    """
    words = ["--port", port, "--settle", 10, "--timeout", TIMEOUT, "--sleep", *options]
    program = built("load", *flags)
    done = subprocess.run([program, *map(str, words)], capture_output=True, text=True, check=False, timeout=4 * UNIT)
    return done.returncode, json.loads(done.stdout) if done.stdout else {}, done.stderr
