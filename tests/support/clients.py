"""Clients: the same face over every transport; they ship with the compliance kit."""

from sethpusher_core.testing.wire.client import Client, ClosedByServer, strict_json
from sethpusher_core.testing.wire.clients import Bare, SockJS, Xhr

__all__ = ["Bare", "Client", "ClosedByServer", "SockJS", "Xhr", "strict_json"]
