"""The Lua scripts: what must happen together in the server."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha1
from importlib.resources import files

__all__ = ["Script", "Scripts"]


class Script:
    """One script.

    Attributes:
        name: For errors.
        text: The Lua code.
        sha: By which the server knows it.
    """

    __slots__ = ("name", "sha", "text")

    def __init__(self, *parts: str) -> None:
        """Reads it.

        Args:
            parts: Names of files of the package ``lua``; joined, they are the script.
        """
        folder = files(__package__) / "lua"
        self.name = parts[-1]
        self.text = "\n".join((folder / f"{part}.lua").read_text("utf-8") for part in parts).encode()
        self.sha = sha1(self.text, usedforsecurity=False).hexdigest().encode()


class Scripts:
    """All of them, read when a backend is made."""

    def __init__(self) -> None:
        self.publish = Script("stream", "publish")
        self.publish_once = Script("publish_once")
        self.read = Script("stream", "read")
        self.sing = Script("sing")
        self.renew = Script("renew")
        self.dead = Script("dead")
        self.living = Script("living")
        self.enter = Script("people", "enter")
        self.reap = Script("people", "reap")

    def __iter__(self) -> Iterator[Script]:
        return iter(vars(self).values())
