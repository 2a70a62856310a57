"""What load balancers and supervisors ask. Never authenticated, and says nothing that is not theirs to know."""

from __future__ import annotations

from .base import PublicHandler

__all__ = ["HealthHandler", "ReadyHandler"]


class HealthHandler(PublicHandler):
    """``/health``: the process lives and its loop turns."""

    def get(self) -> None:
        """Always 200."""
        self.answer({"status": 200, "message": "alive"})


class ReadyHandler(PublicHandler):
    """``/ready``: send clients here, or do not."""

    def get(self) -> None:
        """200, or 503 while starting, stopping or without the backend."""
        trouble = self.server.trouble
        if trouble is None:
            self.answer({"status": 200, "message": "ready"})
        else:
            self.set_header("Retry-After", "1")
            self.answer({"status": 503, "message": trouble}, 503)
