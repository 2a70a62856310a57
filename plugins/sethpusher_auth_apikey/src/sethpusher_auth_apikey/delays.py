"""How long a failure is answered late, by address: each further one later, up to a bound."""

from __future__ import annotations

import ipaddress
from collections import OrderedDict
from collections.abc import Callable
from time import monotonic
from typing import Final

__all__ = ["Delays"]

FIRST: Final = 0.05
"""Seconds by which the first failure of an address is delayed; doubled with each."""
FORGIVEN: Final = 60.0
"""Seconds without a failure after which an address begins anew."""
REMEMBERED: Final = 10_000
"""Addresses; beyond that the one that failed longest ago is forgotten, so an attacker cannot fill the memory."""


class Delays:
    """Counts failures by address (IPv6: by /64, which is what one subscriber is given)."""

    def __init__(self, longest: float, clock: Callable[[], float] = monotonic) -> None:
        """Nobody has failed yet.

        Args:
            longest: Seconds by which a failure is delayed at the most; 0 delays none.
            clock: Seconds that only grow.
        """
        self.longest = longest
        self._clock = clock
        self._failures: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._failures)

    def failed(self, address: str) -> float:
        """Notes a failure, and says by how many seconds its answer is to be delayed."""
        now, key = self._clock(), _network(address)
        count, last = self._failures.pop(key, (0, now))
        count = 0 if now - last > FORGIVEN else min(count, 30)
        self._failures[key] = (count + 1, now)
        if len(self._failures) > REMEMBERED:
            self._failures.popitem(last=False)
        return float(min(self.longest, FIRST * 2.0**count))


def _network(address: str) -> str:
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if parsed.version == 4 or parsed.ipv4_mapped is not None:
        return str(parsed)
    return str(ipaddress.ip_network((parsed, 64), strict=False))
