from __future__ import annotations

import asyncio
from typing import Any

from support.logs import LogWatch
from support.loops import in_loop
from support.timing import UNIT

from sethpusher_core.backends.memory import MemoryBackend
from sethpusher_core.errors import BackendUnavailable
from sethpusher_core.presence import Presence
from sethpusher_core.settings.rules import ChannelRules


class Leasing(MemoryBackend):
    """Memberships end unless they are renewed.

    Attributes:
        renewals: When it was asked, in the loop's time.
        enough: Set after five times.
    """

    def __init__(self) -> None:
        super().__init__()
        self.lease = 0.03
        self.renewals: list[float] = []
        self.enough = asyncio.Event()

    async def renew(self) -> None:
        self.renewals.append(asyncio.get_running_loop().time())
        if len(self.renewals) >= 5:
            self.enough.set()
        if len(self.renewals) == 2:
            raise BackendUnavailable("away")


@in_loop
async def test_leases_are_renewed_well_before_they_end_whatever_one_renewal_meets() -> None:
    with LogWatch() as logs:
        presence, backend = Presence(ChannelRules()), Leasing()
        began = asyncio.get_running_loop().time()
        presence.bind(backend)
        async with asyncio.timeout(UNIT):
            await backend.enough.wait()
        assert backend.renewals[4] - began >= 5 * backend.lease / 3 * 0.9, "not more often than is of use"
        presence.bind(None)
        count = len(backend.renewals)
        await asyncio.sleep(backend.lease)
        assert len(backend.renewals) == count, "no more once it is over"
        logs.expect("presence could not be renewed: away")
        logs.check()


@in_loop
async def test_memberships_that_end_with_the_process_need_no_renewal() -> None:
    presence = Presence(ChannelRules())
    backend: Any = MemoryBackend()
    presence.bind(backend)
    assert presence._timer._timer is None
