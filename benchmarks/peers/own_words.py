"""What clients say to the small applications in ``apps/``, whose library has no publish/subscribe protocol of its own.

They are this project's own messages where the library's protocol does not want others, so that all parse and send about
the same.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from .base import Churn, Dial, Dialect, Publish

__all__ = ["BATCH", "PUBLISH", "bare", "socket_io", "sockjs"]

MESSAGE = {"t": "%p"}
PUBLISH = Publish(path="/channels/bench%c", body='{"t":"%p"}')
BATCH = Publish(path="/batch", body='{"channel":"bench%c","message":{"t":"%p"}}', head='{"publications":[', tail="]}")


def bare() -> Dialect:
    """One message is one websocket frame, on any path."""
    return Dialect(**_spoken(Dial, _text))


def sockjs(prefix: str) -> Dialect:
    """One message is a JSON text in a list, over websocket, streaming or polling."""
    session = f"{prefix}/0/%r-%6"

    def websocket(**options: Any) -> Dial:
        return Dial(f"{session}/websocket", greeting=True, **options)

    spoken = _spoken(websocket, _listed)
    opening = spoken["subscriber"].opening
    return Dialect(
        **spoken,
        streaming=Dial(f"{session}/xhr_streaming", "stream", "POST", (), opening, f"{session}/xhr_send", True),
        polling=Dial(f"{session}/xhr", "poll", "POST", (), opening, f"{session}/xhr_send", True),
    )


def socket_io() -> Dialect:
    """Events of Socket.IO over its Engine.IO, version 4, on a websocket from the start.

    The server speaks first (``0``), ``40`` enters the default namespace, ``42`` is an event, ``42N`` one that is
    answered ``43N``. It drops the events of a client whose ``40`` it has not answered yet.
    """
    path = "/socket.io/?EIO=4&transport=websocket"

    def dial(event: str) -> Dial:
        return Dial(path, opening=("40", event), greeting=True, lockstep=True)

    return Dialect(
        subscriber=dial('42["subscribe","bench%c"]'),
        publish=PUBLISH,
        batch=BATCH,
        client_publish=Publish(
            "websocket", body='42["publish","bench%c",{"t":"%p"}]', dial=dial('42["unsubscribe","none"]')
        ),
        churn=Churn('421["subscribe","bench%c"]', '422["unsubscribe","bench%c"]', joined="431[", left="432["),
    )


def _spoken(websocket: Callable[..., Dial], said: Callable[..., str]) -> dict[str, Any]:
    """What is the same however a message is wrapped."""

    def answered(id: int) -> str:
        """Part of the acknowledgement, which is wrapped likewise."""
        text = f'"id":{id}'
        return json.dumps(text)[1:-1] if said is _listed else text

    return {
        "subscriber": websocket(opening=(said(type="subscribe", channel="bench%c"),)),
        "publish": PUBLISH,
        "batch": BATCH,
        "client_publish": Publish(
            "websocket", body=said(type="publish", channel="bench%c", message=MESSAGE), dial=websocket()
        ),
        "churn": Churn(
            join=said(type="subscribe", channel="bench%c", id=1),
            leave=said(type="unsubscribe", channel="bench%c", id=2),
            joined=answered(1),
            left=answered(2),
        ),
    }


def _text(**message: object) -> str:
    return json.dumps(message, separators=(",", ":"))


def _listed(**message: object) -> str:
    return json.dumps([_text(**message)])
