"""All servers that are measured, in the order in which the first round takes them."""

from __future__ import annotations

from .base import Peer
from .centrifugo import Centrifugo
from .floor import Floor
from .nats import Nats
from .nchan import Nchan
from .node import SocketIo, SockJsNode, Ws
from .python import PythonSocketIo, Tornado, Websockets
from .release import Release022
from .sethpusher import SethPusher

__all__ = ["all_peers"]


def all_peers() -> tuple[Peer, ...]:
    """Every peer, the floor first; whether it is installed here, :meth:`Peer.missing` says."""
    return (
        Floor(),
        SethPusher(),
        Nchan(),
        Nats(),
        Centrifugo(),
        SockJsNode(),
        Ws(),
        SocketIo(),
        Websockets(),
        PythonSocketIo(),
        Tornado(),
        Release022(),
    )
