"""API keys for Seth-Pusher: who may call the HTTP API and open connections, and what each key may do."""

from __future__ import annotations

from .plugin import ApiKeyAuth

__all__ = ["ApiKeyAuth"]
