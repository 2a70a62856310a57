"""What a token is for: the claim ``capabilities``, patterns of channels by action.

::

    {"subscribe": ["news.*", "room.7"], "publish": ["room.7"]}

The actions are those of the hook ``authorize``. A pattern is as in the channel rules; ``*`` alone is for users and the
server, too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from sethpusher_core.access import ACTIONS

__all__ = ["Capabilities", "capabilities_of"]

Capabilities: TypeAlias = Mapping[str, tuple[str, ...]]


def capabilities_of(claim: object) -> Capabilities:
    """Reads the claim.

    Raises:
        ValueError: It is not what it should be. A claim that is half understood must not pass for one that is.
    """
    if not isinstance(claim, dict):
        raise ValueError("must be an object: patterns of channels by action")
    capabilities: dict[str, tuple[str, ...]] = {}
    for action, patterns in claim.items():
        if action not in ACTIONS:
            raise ValueError(f"may name {', '.join(ACTIONS)}, and nothing else")
        if not isinstance(patterns, list) or not all(isinstance(pattern, str) for pattern in patterns):
            raise ValueError(f"must have a list of patterns for {action}")
        capabilities[action] = tuple(patterns)
    return capabilities
