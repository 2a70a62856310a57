from __future__ import annotations

import pytest

from support.server import RunningServer


@pytest.mark.parametrize("transport", ["raw", "sockjs"])
def test_a(server: RunningServer, transport: str) -> None:
    a = server.client(transport)
    b = server.client(transport)
    a.connect("alice")
    b.connect("bob")
    assert a.take() == [{"message": {"body": "User: bob connected.", "subscriber_id": "bob", "type": "connect"}}]
    a.subscribe("news")
    server.publish("news", {"x": 1})
    assert a.take() == []
    b.close()
