"""Which plugins are installed, found out without importing any."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.machinery import PathFinder
from typing import Any, Final

from ..hookspecs import ENTRY_POINT_GROUP
from .names import normal

__all__ = ["Candidate", "find_candidates", "says_auth", "unfit"]

_GROUP: Final = re.compile(rf"^\s*\[\s*{ENTRY_POINT_GROUP}\s*\]\s*$", re.MULTILINE)
_AUTH_WORD: Final = re.compile(r"auth(?!or(?!i[sz]))|\bjwt\b|api[ -]?key|\blogin\b|\boidc\b|\bsaml\b", re.IGNORECASE)
_AUTH_HOOK: Final = re.compile(r"\b(authenticate|authorize)\b")


@dataclass(frozen=True, slots=True)
class Candidate:
    """An entry point of our group.

    Attributes:
        name: Of the plugin.
        distribution: The distribution's name.
        version: Its version.
        path: Where it is.
        entry_point: What to load; None when the distribution's entry points cannot be read.
        requires: The distribution's requirements, as it states them.
        about: What its metadata says of it in words.
        error: Why it cannot be used; empty when nothing is known against it.
    """

    name: str
    distribution: str
    version: str
    path: str
    entry_point: Any
    requires: tuple[str, ...]
    about: str
    error: str = ""

    @property
    def owner(self) -> str:
        """The distribution with its version."""
        return f"{self.distribution} {self.version}".strip()


def find_candidates(path: Sequence[str] | None = None) -> list[Candidate]:
    """All entry points of our group, sorted by name and distribution.

    A distribution whose metadata is damaged does not keep others from being found. Where two versions of one lie on
    the path, the first counts, as it does for imports.

    Args:
        path: Folders in which distributions are looked for; ``sys.path`` when left out.
    """
    metadata = _metadata()
    where: dict[str, Any] = {} if path is None else {"path": list(path)}
    seen: set[str] = set()
    found: list[Candidate] = []
    for distribution in metadata.distributions(**where):
        if not _GROUP.search(_text(distribution)):
            continue
        name = _name(distribution)
        if not name:
            found.append(_unreadable(distribution, "its metadata cannot be read"))
        elif normal(name) not in seen:
            seen.add(normal(name))
            # Which comes first need not be the one with our group; where there is none, its folder has another name.
            found.extend(_candidates(next(iter(metadata.distributions(name=name, **where)), distribution), name))
    return sorted(found, key=lambda candidate: (candidate.name, normal(candidate.distribution)))


def unfit(candidate: Candidate, core_version: str) -> str:
    """Why a candidate was made for another version of the core, from its requirements; empty when it was not."""
    wanted = [line for line in candidate.requires if normal(line).startswith("sethpusher_core")]
    if not wanted:
        return ""
    from packaging.requirements import InvalidRequirement, Requirement  # here: a start without plugins need not pay

    for line in wanted:
        try:
            requirement = Requirement(line)
        except InvalidRequirement:
            return f"its requirement {line!r} cannot be read"
        if normal(requirement.name) != "sethpusher_core":
            continue
        applies = requirement.marker is None or requirement.marker.evaluate({"extra": ""})
        if applies and not requirement.specifier.contains(core_version, prereleases=True):
            return f"needs sethpusher-core {requirement.specifier}, this is {core_version}"
    return ""


def says_auth(candidate: Candidate) -> bool:
    """Whether a candidate that was not imported looks like an authenticator or authorizer.

    By its name, by what its metadata says, and by whether the text of its module holds the name of one of the hooks.
    It may be wrong either way; it errs on the side of caution.
    """
    return bool(
        _AUTH_WORD.search(f"{candidate.name} {candidate.distribution}".replace("_", " "))
        or _AUTH_WORD.search(candidate.about)
        or _AUTH_HOOK.search(_source(candidate))
    )


def _metadata() -> Any:
    try:
        import importlib_metadata

        return importlib_metadata
    except ImportError:  # it is a dependency of ours, but the standard library has the same interface
        import importlib.metadata

        return importlib.metadata


def _text(distribution: Any) -> str:
    try:
        return distribution.read_text("entry_points.txt") or ""
    except (OSError, UnicodeError):
        return ""


def _name(distribution: Any) -> str:
    try:
        return str(distribution.metadata["Name"] or "")
    except Exception:  # noqa: BLE001 - damaged in one of many ways, each library version with its own exception
        return ""


def _candidates(distribution: Any, name: str) -> Iterator[Candidate]:
    try:
        points = [point for point in distribution.entry_points if point.group == ENTRY_POINT_GROUP]
        version, requires, about = _details(distribution)
    except Exception as error:  # noqa: BLE001 - see _name
        yield _unreadable(distribution, f"its metadata cannot be read: {type(error).__name__}: {error}", name)
        return
    path = str(distribution.locate_file(""))
    for point in points:
        own = normal(point.name)  # without one it would pass for the core, whose name among the settings is empty
        trouble = "" if own else "its entry point has no name"
        yield Candidate(own or normal(name), name, version, path, point, requires, about, trouble)


def _details(distribution: Any) -> tuple[str, tuple[str, ...], str]:
    fields = distribution.metadata
    words = [str(fields.get(key) or "") for key in ("Summary", "Keywords")]
    words += [str(line) for line in fields.get_all("Classifier") or ()]
    return str(fields.get("Version") or ""), tuple(distribution.requires or ()), "\n".join(words)


def _unreadable(distribution: Any, error: str, name: str = "") -> Candidate:
    path = str(distribution.locate_file(""))
    return Candidate(normal(name) or "unknown", name or "unknown", "", path, None, (), "", error)


def _source(candidate: Candidate) -> str:
    """The text of a module that was not imported; empty where it cannot be had without importing something."""
    try:
        whole = str(candidate.entry_point.module)
        head, _, rest = whole.partition(".")
        spec = importlib.util.find_spec(head)
        while spec is not None and rest:
            step, _, rest = rest.partition(".")
            spec = PathFinder.find_spec(f"{spec.name}.{step}", spec.submodule_search_locations)
        if spec is None or spec.origin is None:
            return ""
        with open(spec.origin, encoding="utf-8", errors="replace") as file:
            return file.read()
    except (AttributeError, ImportError, OSError, ValueError):
        return ""
