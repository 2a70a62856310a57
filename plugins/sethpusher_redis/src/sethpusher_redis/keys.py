"""Names in Redis. All keys of one channel share a hash tag (the part in braces), as a cluster wants them."""

from __future__ import annotations

from typing import Final

from sethpusher_core import Address

__all__ = ["Keys"]

_LETTER: Final = {"channel": "c", "user": "u", "control": "x"}


def _text(name: str) -> str:
    """A name without the closing brace, which would end the hash tag, and in one way only."""
    return name.replace("%", "%25").replace("}", "%7D")


class Keys:
    """Makes names. What a name may hold is up to clients: no two addresses share one.

    Attributes:
        prefix: What all of them begin with.
        nodes: Sorted set: tags of the nodes, by the end of their lease in ms.
    """

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self.nodes = f"{prefix}:nodes".encode()

    def bus(self, address: Address) -> bytes:
        """The pub/sub channel of an address."""
        return f"{self.prefix}:{_LETTER[address.kind]}:{address.name}".encode("utf-8", "surrogatepass")

    def bus_of_node(self, node: str) -> bytes:
        """The pub/sub channel of a node's own canary."""
        return f"{self.prefix}:n:{node}".encode()

    def canary(self, node: str) -> bytes:
        """What a node's canary writes."""
        return f"{self.prefix}:canary:{node}".encode()

    def stream(self, address: Address) -> tuple[bytes, bytes]:
        """A channel's history: the hash about it, and the list of what is kept."""
        tag = self._tag(address)
        return tag + b":stream", tag + b":kept"

    def result(self, address: Address, idempotency_key: str) -> bytes:
        """The result under an idempotency key."""
        return self._tag(address) + b":key:" + idempotency_key.encode("utf-8", "surrogatepass")

    def members(self, address: Address) -> tuple[bytes, bytes]:
        """A channel's presence: the hash of its connections, and that of its people."""
        tag = self._tag(address)
        return tag + b":members", tag + b":people"

    def of_node(self, tag: str, what: str) -> bytes:
        """Something that belongs to a node, by the node's tag."""
        return f"{self.prefix}:{{node:{tag}}}:{what}".encode()

    def _tag(self, address: Address) -> bytes:
        return f"{self.prefix}:{{{_LETTER[address.kind]}:{_text(address.name)}}}".encode("utf-8", "surrogatepass")
