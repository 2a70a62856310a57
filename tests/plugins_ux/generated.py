"""Plugins that ``seth-pusher new-plugin`` writes, and what each needs to be active."""

from __future__ import annotations

import hashlib
import hmac
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from sethpusher_core.cli import main

__all__ = ["ACTIVE", "KINDS", "SIGNED", "TRACES", "written"]

SECRET: Final = "a secret of the tests"
SIGNED: Final = {"Authorization": f"Signed ada.{hmac.new(SECRET.encode(), b'ada', hashlib.sha256).hexdigest()}"}
"""What shows the plugin of the kind ``auth`` that it is ada."""

KINDS: Final = ("backend", "auth", "persist", "dispatch", "transform")
ACTIVE: Final[Mapping[str, Mapping[str, str]]] = {
    # By kind: the environment in which it is active. All are called my_KIND.
    "backend": {"SETHPUSHER_MY_BACKEND__URL": "local:"},
    "auth": {"SETHPUSHER_MY_AUTH__SECRET": SECRET},
    "persist": {"SETHPUSHER_MY_PERSIST__PATH": "messages.db"},
    "dispatch": {},
    "transform": {"SETHPUSHER_MY_TRANSFORM__WORDS": "secret"},
}
TRACES: Final[Mapping[str, str]] = {
    # By kind: what --trace-plugins says of it once somebody has published and sent a message of its type.
    "auth": "authenticate my_auth",
    "persist": "persist my_persist",
    "dispatch": "dispatch my_dispatch",
    "transform": "transform my_transform",
}


def written(kind: str, folder: Path) -> Path:
    """Writes a plugin of a kind as the command does, and gives its folder."""
    arguments = ["--no-plugins", "new-plugin", f"my-{kind}", f"--kind={kind}", f"--into={folder}"]
    assert main(arguments) == 0, sys.argv
    return folder / f"sethpusher-my-{kind}"
