"""The words after a sub-command, read the same way by all of them."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from ..errors import UsageError

__all__ = ["read_options"]


def read_options(command: str, words: Sequence[str], known: Collection[str], usage: str) -> dict[str, str]:
    """Reads ``--name=value`` and ``--name value``; of a name that is repeated the last value counts.

    A sub-command's options must not have names of settings: those are taken from the line before it gets to see it.

    Args:
        command: The sub-command, for the refusal.
        words: What stands after it.
        known: The names that it knows, without dashes.
        usage: What to write instead, for the refusal.

    Returns:
        The values by name.

    Raises:
        UsageError: A word is no option, or not one that is known, or has no value.
    """
    given: dict[str, str] = {}
    waiting = list(reversed(words))
    while waiting:
        word = waiting.pop()
        name, equals, value = word.partition("=")
        if not name.startswith("--") or name[2:] not in known or (not equals and not waiting):
            raise UsageError(f"{command} does not know {word}; {usage}")
        given[name[2:]] = value if equals else waiting.pop()
    return given
