"""What the sources hold, key by key, before it is converted."""

from __future__ import annotations

from dataclasses import dataclass, field

from .component import Component
from .problems import Problem
from .tables import Key

__all__ = ["Found", "Raw"]


@dataclass(frozen=True, slots=True, eq=False)
class Raw:
    """A value as its source holds it; it may be a secret, so it has no repr.

    Attributes:
        value: A TOML value, or a text.
        source: In the words of ``--show-config`` and of refusals.
        in_file: Whether it is a TOML value.
        usage: Whether it stands on the command line.
    """

    value: object = field(repr=False)
    source: str
    in_file: bool = False
    usage: bool = False


class Found:
    """Collects what the sources hold; they add in ascending rank, so that the last one holds.

    Attributes:
        values: By component and key.
        problems: What is wrong so far.
        warnings: What is odd, and does not keep the server from starting.
    """

    __slots__ = ("problems", "values", "warnings")

    def __init__(self) -> None:
        self.values: dict[tuple[str, str], Raw] = {}
        self.problems: list[Problem] = []
        self.warnings: list[str] = []

    def add(self, component: Component, key: Key, raw: Raw) -> None:
        """Let a source set a key."""
        self.values[component.name, key.name] = raw

    def given(self, component: Component) -> frozenset[str]:
        """The keys of a component that some source sets."""
        return frozenset(key for name, key in self.values if name == component.name)

    def refuse(self, text: str, *, usage: bool = False) -> None:
        """Take note of a problem."""
        self.problems.append(Problem(text, usage))
