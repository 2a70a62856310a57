"""Polls: one packet per response (sockjs-protocol, "XhrPolling" and "JsonpPolling")."""

from __future__ import annotations

import asyncio

from .packets import script_string
from .receiving import SCRIPT, PacketExchange

__all__ = ["JsonpPoll", "XhrPoll"]


class Poll(PacketExchange):
    """A request that waits for one packet."""

    @property
    def room(self) -> int:
        """See :class:`~.http_session.Receiver`."""
        return self.router.response_limit

    @property
    def complete(self) -> bool:
        """See :class:`PacketExchange`."""
        return True

    def write_packet(self, packet: bytes) -> asyncio.Future[None] | None:
        """See :class:`PacketExchange`. The body is bytes before its length is told."""
        return self.write_answer(200, self.body_of(packet), type=SCRIPT)

    def body_of(self, packet: bytes) -> bytes:
        """The response's body."""
        return packet + b"\n"


class XhrPoll(Poll):
    """``xhr``."""

    methods = ("POST",)
    transport = "xhr"


class JsonpPoll(Poll):
    """``jsonp``: the packet is an argument in a call of the page's function."""

    transport = "jsonp"
    takes_callback = True

    def body_of(self, packet: bytes) -> bytes:
        """The comment keeps a callback that is a Flash file from being run as one (CVE-2014-4671)."""
        return b"/**/%b(%b);\r\n" % (self.callback.encode(), script_string(packet))
