"""Stands in for an authenticator or authorizer that is installed and broken: then nobody is let in by default."""

from __future__ import annotations

from collections.abc import Sequence

from ..answers import Denied, Rejected
from ..hookspecs import hookimpl

__all__ = ["ClosedDoor"]


class ClosedDoor:
    """Refuses everybody whom no sound authenticator knows, and denies everything.

    A broken plugin must never mean that nobody asks. With ``--no-plugin=NAME`` the operator does without it.
    """

    name = "closed_door"

    def __init__(self, broken: Sequence[str]) -> None:
        """Makes one.

        Args:
            broken: Names of the broken plugins.
        """
        self._reason = f"{', '.join(broken)} cannot be used (see seth-pusher --list-plugins)"

    @hookimpl
    def authenticate(self) -> Rejected:
        """See :func:`sethpusher_core.hookspecs.authenticate`."""
        return Rejected(self._reason)

    @hookimpl
    def authorize(self) -> Denied:
        """See :func:`sethpusher_core.hookspecs.authorize`."""
        return Denied(self._reason)
