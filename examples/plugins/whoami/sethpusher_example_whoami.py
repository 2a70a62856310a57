"""A message type: ``{"type": "whoami", "id": 1}`` tells a client what the server knows of it.

A module can be a plugin as it is; this one has no settings, so it is active once it is installed.
"""

from __future__ import annotations

from sethpusher_core import ClientMessage, Connection, Handled, RequestError, hookimpl
from sethpusher_core.errors import BAD_FIELD


@hookimpl
def dispatch(connection: Connection, message: ClientMessage) -> Handled | None:
    if message.type != "whoami":
        return None
    if message.id is None:  # the answer is the reply, and only a message with an id gets one
        raise RequestError(BAD_FIELD, "Must provide id for whoami message.")
    return Handled(
        {
            "subscriber_id": connection.subscriber_id,
            "proven": connection.identity.proven,
            "channels": connection.channels,
            "transport": connection.transport,
            "remote_ip": connection.remote_ip,
        }
    )
