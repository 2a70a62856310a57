"""The command ``seth-pusher``.

Exit codes: 0 all well, 2 the command line is wrong, 3 settings, plugins or the address are wrong. What is wrong is said
in one line on standard error. ``--version``, ``--help`` and ``--list-plugins`` work whatever is wrong with a plugin.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Final

from ._version import __version__
from .errors import SettingsError, UsageError
from .settings.component import Component
from .settings.core import core_component
from .settings.switches import Switches, read_switches

__all__ = ["main"]

BROKEN_PIPE: Final = 128 + 13
INTERRUPTED: Final = 128 + 2
"""As a shell counts what a signal has ended."""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command.

    Args:
        argv: The command line without the program's name; that of the process when left out.

    Returns:
        The exit code.
    """
    words = sys.argv[1:] if argv is None else argv
    try:
        code = _run(words)
        sys.stdout.flush()
        return code
    except (UsageError, SettingsError) as error:
        print(f"seth-pusher: {error}", file=sys.stderr)
        return error.exit_code
    except BrokenPipeError:  # as in ``seth-pusher --help | head -1``: whoever read has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else the flush at exit complains again
        return BROKEN_PIPE
    except KeyboardInterrupt:
        return INTERRUPTED


def _run(words: Sequence[str]) -> int:
    core = core_component(__version__)
    switches = read_switches(core, words, os.environ)
    try:
        return _answer(core, switches)
    except SettingsError:
        if "verbose" in switches.actions:
            import traceback  # here, because it is seldom asked for

            traceback.print_exc()
        raise


def _answer(core: Component, switches: Switches) -> int:
    if "version" in switches.actions:
        print(f"seth-pusher {__version__}")
        return 0
    # What follows needs plugins, and so most of the core; the version has been told without.
    from .start import Start

    start = Start(core, switches)
    if "help" in switches.actions:
        print(start.help_text(), end="")
        return 0
    if "list_plugins" in switches.actions:
        print(start.plugin_list(as_json_text="json" in switches.actions, verbose="verbose" in switches.actions), end="")
        return 0
    if "json" in switches.actions:
        raise UsageError("--json goes with --list-plugins")
    if "show_config" in switches.actions:
        start.read()
        print(start.config_text(), end="")
        return 0
    start.load(strict=switches.command != "check")
    with start.naming_sources():
        return start.serve() if start.command is None else start.run_command()
