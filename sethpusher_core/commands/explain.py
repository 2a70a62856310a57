"""``seth-pusher explain channel NAME``: which rule holds in a channel, and why."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Final

from ..errors import UsageError
from ..settings.rules import ChannelRules

if TYPE_CHECKING:
    from ..start import Start

__all__ = ["HELP", "run"]

HELP: Final = "Explain which rule holds: explain channel NAME"


def run(start: Start) -> int:
    """Prints the rule of a channel and where it is from.

    Raises:
        UsageError: The words after ``explain`` are not understood.
    """
    match list(start.resolved.rest):
        case ["channel", name]:
            explanation = ChannelRules(start.settings.channels).explain(name)
            print(explanation.text)
            for field in fields(explanation.rule):
                print(f"  {field.name} = {getattr(explanation.rule, field.name)!r}")
            return 0
        case words:
            raise UsageError(f"explain {' '.join(words)}: write seth-pusher explain channel NAME".replace("  ", " "))
