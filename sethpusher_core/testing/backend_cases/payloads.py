"""Payloads are bytes and names are text, of any kind."""

from __future__ import annotations

from ...addresses import CONTROL, Address
from ..guard import Compliance, case
from ..nodes import BackendBench
from ..samples import AWKWARD_NAMES, EVERY_BYTE, LOOKALIKES, NEWS, PAYLOADS, say
from ..sinks import Delivery

__all__ = ["PayloadCases"]


class PayloadCases(Compliance):
    """What is carried, and what it is carried under."""

    @case()
    async def test_payloads_come_as_they_were(self, kit: BackendBench) -> None:
        """A backend carries payloads, bytes that only the core understands; it never looks inside.

        If this fails: carry bytes, not text: no decoding, no JSON, no separators that a payload may contain.
        """
        node = await kit.node(NEWS)
        await node.accepted(*(say(NEWS, payload) for payload in PAYLOADS))
        await node.sink.until(NEWS, len(PAYLOADS))
        assert node.sink.payloads(NEWS) == list(PAYLOADS)

    @case()
    async def test_a_megabyte_is_carried(self, kit: BackendBench) -> None:
        """A payload may be large: a megabyte goes through, and what follows it, too.

        If this fails: raise the limits of driver and bus, or cut payloads into pieces and join them again.
        """
        node = await kit.node(NEWS)
        large = EVERY_BYTE * 4096
        await node.accepted(say(NEWS, large), say(NEWS, b"after"))
        await node.sink.until(NEWS, 2)
        assert node.sink.payloads(NEWS) == [large, b"after"]

    @case()
    async def test_awkward_names(self, kit: BackendBench) -> None:
        """A name is any text of up to 255 characters: spaces, slashes, colons, newlines, patterns, emoji.

        If this fails: encode names so that each becomes one key of the bus and back, and raise limits on its length;
        a name must never be read as a pattern or a path.
        """
        node = await kit.node()
        addresses = [make(name) for name in AWKWARD_NAMES for make in (Address.channel, Address.user)]
        for address in addresses:
            await node.subscribe(address)
        await node.accepted(*(say(address, str(address).encode()) for address in addresses))
        for address in addresses:
            await node.sink.until(address, 1)
        await kit.quiet()
        for address in addresses:
            assert node.sink.of(address) == [Delivery(address, str(address).encode())]
        assert len(node.sink.deliveries) == len(addresses)

    @case()
    async def test_names_that_look_alike(self, kit: BackendBench) -> None:
        """Names are compared as they are: no case is folded, no space cut off, no accent composed, no number read.

        If this fails: do not normalise names, and do not let one name match another by its beginning.
        """
        node = await kit.node()
        heard, unheard = LOOKALIKES[::2], LOOKALIKES[1::2]
        for name in heard:
            await node.subscribe(Address.channel(name))
        await node.accepted(*(say(Address.channel(name), name.encode()) for name in unheard + heard))
        await node.sink.until(Address.channel(heard[-1]), 1)
        await kit.quiet()
        assert {one.address.name: one.payload for one in node.sink.deliveries} == {
            name: name.encode() for name in heard
        }

    @case()
    async def test_names_are_no_patterns(self, kit: BackendBench) -> None:
        """Subscribe hears one address, by its exact name: nothing in a name stands for something else.

        If this fails: subscribe by exact name, or escape what the bus takes for a pattern.
        """
        patterns = ("news.*", "*", "news?", "news.>", "news.#", "[n]ews", "+", "%")
        node = await kit.node(CONTROL, *(Address.channel(pattern) for pattern in patterns))
        await node.accepted(*(say(Address.channel(name), b"no") for name in ("news.de", "news1", "news", "n", "x.y")))
        await node.accepted(say(CONTROL, b"end"))
        await node.sink.until(CONTROL, 1)
        await kit.quiet()
        assert node.sink.deliveries == [Delivery(CONTROL, b"end")]
