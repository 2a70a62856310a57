"""The command line, in Tornado's flag forms: ``--debug``, ``--debug=true``, ``--port=8003``, and also ``--port 8003``.

Flags of settings may stand before or after a sub-command. Before it an unknown flag is wrong; after it, it is left to
the sub-command, which has flags of its own. ``--`` ends the flags.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .component import Component, Entry, Registry, Unloaded
from .found import Found, Raw
from .kinds import BoolKind
from .problems import Invalid, readable, suggestion
from .shapes import ListKind, OptionalKind
from .tables import Key

__all__ = ["Words", "read_flags", "split"]


@dataclass(frozen=True, slots=True, eq=False)
class Words:
    """A command line, taken apart.

    Attributes:
        flags: Known flags in their order, each with its text, or None where none stands beside it.
        unknown: Flags before the sub-command that nobody declares, without their values, which may be secrets.
        command: The sub-command, or None.
        rest: What is left to the sub-command.
    """

    flags: tuple[tuple[Entry, str | None], ...]
    unknown: tuple[str, ...]
    command: str | None
    rest: tuple[str, ...]


def split(argv: Sequence[str], registry: Registry) -> Words:
    """Take a command line (without the program's name) apart. Nothing is wrong here yet."""
    flags: list[tuple[Entry, str | None]] = []
    unknown: list[str] = []
    words: list[str] = []
    waiting = list(reversed(argv))
    while waiting:
        word = waiting.pop()
        if word == "--":
            words.extend(reversed(waiting))
            break
        if not _is_flag(word):
            words.append(word)
            continue
        name, equals, text = word.partition("=")
        entry = registry.flags.get(_written(name))
        if entry is not None:
            value = text if equals else None
            if not equals and _takes_value(entry) and waiting and not _is_flag(waiting[-1]):
                value = waiting.pop()
            flags.append((entry, value))
        elif words:
            words.append(word)
        else:
            unknown.append(name)
    return Words(tuple(flags), tuple(unknown), words[0] if words else None, tuple(words[1:]))


def _is_flag(word: str) -> bool:
    # "-5" is a number: a wrong value is better answered as one than as a flag that nobody meant.
    return word.startswith("-") and len(word) > 1 and not word[1].isdigit()


def _written(name: str) -> str:
    """Give a flag its one spelling; Tornado takes one dash for two, and ``-h`` is everybody's help."""
    name = "--" + name.lstrip("-").replace("_", "-")
    return "--help" if name == "--h" else name


def _takes_value(entry: Entry) -> bool:
    return entry.key is not None and not _is_switch(entry.key)


def _is_switch(key: Key) -> bool:
    kind = key.kind.inner if isinstance(key.kind, OptionalKind) else key.kind
    return isinstance(kind, BoolKind)


def read_flags(words: Words, registry: Registry, unloaded: Unloaded, found: Found) -> frozenset[str]:
    """Add what flags set to ``found``, and what is wrong with them.

    A flag given twice holds as it was given last, so that a wrapper's default can be overridden; one that takes a list
    adds up.

    Returns:
        The actions asked for.
    """
    for name in words.unknown:
        found.refuse(_unknown(name, registry, unloaded), usage=True)
    actions: set[str] = set()
    texts: dict[tuple[str, str], list[str]] = {}
    for entry, text in words.flags:
        if entry.key is None:
            _act(entry, text, actions, found)
        elif not entry.key.in_flag:
            found.refuse(_flagless(entry.component, entry.key), usage=True)
        elif text is None and not _is_switch(entry.key):
            flag = entry.component.flag(entry.key.name)
            found.refuse(f"{flag} needs a value: {flag}={entry.key.kind.metavar}", usage=True)
        else:
            given = texts.setdefault((entry.component.name, entry.key.name), [])
            given.append("true" if text is None else text)
            value = ",".join(given) if _is_list(entry.key) else given[-1]
            found.add(entry.component, entry.key, Raw(value, "command line", usage=True))
    return frozenset(actions)


def _is_list(key: Key) -> bool:
    kind = key.kind.inner if isinstance(key.kind, OptionalKind) else key.kind
    return isinstance(kind, ListKind)


def _act(entry: Entry, text: str | None, actions: set[str], found: Found) -> None:
    try:
        wanted = text is None or BoolKind().from_text(text)
    except Invalid as error:
        found.refuse(f"{entry.component.flag(entry.action)}: {error.why}", usage=True)
    else:
        (actions.add if wanted else actions.discard)(entry.action)


def _flagless(component: Component, key: Key) -> str:
    flag = component.flag(key.name)
    reason = "is a secret, and everybody on a machine sees command lines" if key.kind.textual else "is a table"
    ways = component.ways(key)
    return f"{flag} is no flag: {component.dotted(key.name)} {reason}; set {ways}"


def _unknown(name: str, registry: Registry, unloaded: Unloaded) -> str:
    """Word an unknown flag; one that carries the name of a plugin which is not running is answered with that plugin."""
    flag = _written(name)
    plugins = {*unloaded.names(), *(component.name for component in registry.components if component.name)}
    mine = [plugin for plugin in plugins if flag.startswith(_written(f"{plugin}-"))]
    # Of the plugins auth and auth_jwt, --auth-jwt-key can only mean the latter, running or not.
    if mine and (remedy := unloaded.remedy(max(mine, key=len))):
        return f"{readable(flag)}: {remedy}"
    valid = (f for f, entry in registry.flags.items() if entry.key is None or entry.key.in_flag)
    near = suggestion(flag, valid, prefix="--", list_all=False) or "; --help lists all flags"
    return f"{readable(name)} is not a flag{near}"
