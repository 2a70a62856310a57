"""``seth-pusher new-plugin NAME --kind=KIND``: writes a complete distribution, whose tests pass, to be changed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from ..errors import UsageError
from .options import read_options

if TYPE_CHECKING:
    from ..start import Start

__all__ = ["HELP", "run"]

HELP: Final = "Write a new plugin: new-plugin NAME --kind=backend|auth|persist|dispatch|transform"
_USAGE: Final = "write seth-pusher new-plugin NAME --kind=backend|auth|persist|dispatch|transform [--into=FOLDER]"


def run(start: Start) -> int:
    """Writes it, and says what comes next.

    Raises:
        UsageError: The words after ``new-plugin`` are not understood.
        SettingsError: It cannot be written.
    """
    from ..scaffold.writing import NewPlugin, written  # here, because no other start needs it

    match list(start.resolved.rest):
        case [name, *words] if not name.startswith("--"):
            options = read_options("new-plugin", words, ("kind", "into"), _USAGE)
        case _:
            raise UsageError(f"new-plugin: {_USAGE}")
    plugin = NewPlugin.of(name, options.get("kind", ""))
    into = Path(options.get("into", "."))
    for path in written(plugin, into):
        print(path)
    root = into / plugin.distribution
    print(f"\nNext:\n  pip install -e '{root}[testing]'\n  python -m pytest {root}\n  seth-pusher --list-plugins")
    return 0
