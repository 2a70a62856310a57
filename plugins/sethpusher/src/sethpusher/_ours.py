"""Whether an application has replaced something of ours. Asked at start, per message of a client or per HTTP call."""

from __future__ import annotations

from typing import Final

__all__ = ["is_ours"]

_PACKAGE: Final = f"{__package__}."


def is_ours(owner: object, *names: str) -> bool:
    """Whether all these methods are those of this distribution: not overridden in a subclass, not replaced later."""
    return all(_module(getattr(owner, name, None)).startswith(_PACKAGE) for name in names)


def _module(method: object) -> str:
    function = getattr(method, "__func__", None)  # what was put on an instance is a plain function, and not ours
    return str(getattr(function, "__module__", ""))
