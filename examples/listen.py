"""Subscribes to a channel over SockJS and prints what arrives.

    python examples/listen.py news [host:port]

This is SockJS by hand, over its websocket transport, so that every step can be seen: the server opens with ``o``, beats
with ``h``, sends messages as ``a[...]`` and closes with ``c[code,"reason"]``; the client sends lists of texts.
"""

from __future__ import annotations

import json
import sys
from uuid import uuid4

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect


def main(channel: str, address: str = "127.0.0.1:8080") -> None:
    """Listens until the server closes or Ctrl-C is pressed."""
    with connect(f"ws://{address}/connect/000/{uuid4().hex}/websocket") as socket:
        assert socket.recv() == "o"
        hello = {"type": "connect", "subscriber_id": "tour"}
        for message in (hello, {"type": "subscribe", "channel": channel, "id": 1}):
            socket.send(json.dumps([json.dumps(message)]))
        try:
            for frame in socket:
                if frame[0] == "a":
                    print(*json.loads(frame[1:]), sep="\n", flush=True)
                elif frame[0] == "c":
                    print("closed:", *json.loads(frame[1:]), flush=True)
        except ConnectionClosed:
            pass


if __name__ == "__main__":
    try:
        main(*sys.argv[1:3])
    except KeyboardInterrupt:
        pass
