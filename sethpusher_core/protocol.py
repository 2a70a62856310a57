"""What clients say, and what they are told: decoding, checking and replies. No I/O.

Messages are JSON objects with a ``type``; the seed documentation, section 1.6, names connect, subscribe and
unsubscribe. Any message may carry an ``id`` (text or integer), and then exactly one reply with that id answers it.
Without an ``id`` success is silent, and only errors are told.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import msgspec

from . import errors, jsontext
from .backends.base import Position
from .errors import ErrorCode, RequestError

if TYPE_CHECKING:
    from .backends.capabilities import Roster
    from .history import Recovered

__all__ = [
    "CONNECT",
    "SUBSCRIBE",
    "UNSUBSCRIBE",
    "ClientMessage",
    "ack",
    "check_name",
    "error",
    "history_fields",
    "name_of",
    "position_fields",
    "position_of",
    "roster_fields",
    "text_of",
]

CONNECT: Final = "connect"
SUBSCRIBE: Final = "subscribe"
UNSUBSCRIBE: Final = "unsubscribe"

_decode_fields: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def text_of(value: Any) -> str | None:
    """An id or channel as text: text stays, an integer is read as its decimal text, anything else is None."""
    if isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return None


class ClientMessage:
    """One message of a client.

    Attributes:
        fields: The JSON object, as sent.
        id: What the reply must carry; None when no reply is wanted.
        answered: Whether the one reply has been sent.
    """

    __slots__ = ("_text", "answered", "fields", "id")

    def __init__(self, fields: Mapping[str, Any], text: bytes = b"") -> None:
        self._text = text
        self.fields = fields
        self.id = fields.get("id")
        self.answered = False

    @classmethod
    def decode(cls, text: str | bytes) -> ClientMessage:
        """Reads a message.

        Raises:
            RequestError: It is not a JSON object (nothing is known of its id).
        """
        try:
            text = text.encode() if isinstance(text, str) else text
            fields = jsontext.decode(text)
        except ValueError:
            raise RequestError(errors.BAD_MESSAGE, "Message is not valid JSON.") from None
        if not isinstance(fields, dict):
            raise RequestError(errors.BAD_MESSAGE)
        return cls(fields, text)

    def check(self) -> None:
        """Checks what any message must have.

        Raises:
            RequestError: It has no type, or its ``id`` is neither text nor integer.
        """
        if self.id is not None and text_of(self.id) is None:
            self.id = None
            raise RequestError(errors.BAD_FIELD, "id must be a text or an integer.")
        type_ = self.fields.get("type")
        if not isinstance(type_, str) or not type_:
            raise RequestError(errors.BAD_MESSAGE, "Message must have a type.")

    @property
    def type(self) -> str:
        """The message's type.

        Raises:
            RequestError: See :meth:`check`.
        """
        self.check()
        return str(self.fields["type"])

    def get(self, name: str, default: Any = None) -> Any:
        """A field as sent."""
        return self.fields.get(name, default)

    def json_of(self, name: str) -> bytes:
        """The JSON text of a field that is there, as the client wrote it."""
        try:
            return bytes(_decode_fields(self._text)[name])
        except (msgspec.MsgspecError, KeyError):  # no text, or one with a lone surrogate
            return jsontext.encode(self.fields[name])

    def flag(self, name: str, default: bool) -> bool:
        """An optional field that is true or false.

        Raises:
            RequestError: It is something else.
        """
        value = self.fields.get(name, default)
        if not isinstance(value, bool):
            raise RequestError(errors.BAD_FIELD, f"{name} must be true or false.")
        return value

    def text(self, name: str, limit: int) -> str:
        """A required field that is an id or a channel.

        Args:
            name: The field's name.
            limit: How many characters it may have.

        Raises:
            RequestError: It is missing, empty, too long or neither text nor integer.
        """
        value = self.fields.get(name)
        if value is None:
            raise RequestError(errors.BAD_FIELD, f"Must provide {name} for {self.type} message.")
        return name_of(name, value, limit)

    def need_id(self) -> None:
        """For messages that mean nothing without their reply.

        Raises:
            RequestError: It carries no ``id``.
        """
        if self.id is None:
            raise RequestError(errors.BAD_FIELD, f"A {self.type} message needs an id: nothing else could be answered.")

    def count(self, name: str, default: int) -> int:
        """An optional field that is a whole number, not negative.

        Raises:
            RequestError: It is something else.
        """
        value = self.fields.get(name, default)
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            raise RequestError(errors.BAD_FIELD, f"{name} must be a whole number, 0 or more.")
        return value


def position_of(message: ClientMessage, name: str) -> Position | None:
    """A field that is a position, ``{"epoch", "offset"}``; None when it is absent.

    Raises:
        RequestError: It is something else.
    """
    value = message.get(name)
    if value is None:
        return None
    if isinstance(value, dict):
        epoch, offset = value.get("epoch"), value.get("offset")
        if isinstance(epoch, str) and isinstance(offset, int) and not isinstance(offset, bool) and offset >= 0:
            return Position(epoch, offset)
    raise RequestError(errors.BAD_FIELD, f'{name} must be {{"epoch": text, "offset": number}}.')


def position_fields(position: Position | None) -> dict[str, Any]:
    """A position as replies carry it; nothing where there is none."""
    return {} if position is None else {"epoch": position.epoch, "offset": position.offset}


def history_fields(recovered: Recovered) -> dict[str, Any]:
    """What was read back, as replies carry it."""
    return {
        **position_fields(recovered.position),
        "recovered": recovered.whole,
        "publications": [msgspec.Raw(envelope) for envelope in recovered.envelopes],
    }


def roster_fields(roster: Roster) -> dict[str, Any]:
    """Who is in a channel, as replies carry it."""
    people = []
    for person in roster.people:
        fields: dict[str, Any] = {"subscriber_id": person.subscriber_id, "connections": person.connections}
        if person.info:
            fields["info"] = msgspec.Raw(person.info)
        people.append(fields)
    return {"people": people, "anonymous": roster.anonymous}


def name_of(what: str, value: Any, limit: int) -> str:
    """An id or the name of a channel, as text.

    Raises:
        RequestError: It is neither text nor integer, or :func:`check_name` refuses it.
    """
    text = text_of(value)
    if text is None:
        raise RequestError(errors.BAD_FIELD, f"{what} must be a text or an integer.")
    check_name(what, text, limit)
    return text


def check_name(what: str, text: str, limit: int) -> None:
    """Checks an id or the name of a channel.

    Raises:
        RequestError: It is empty, longer than ``limit`` characters, or holds what cannot be sent as UTF-8.
    """
    if not text:
        raise RequestError(errors.BAD_FIELD, f"{what} must not be empty.")
    if len(text) > limit:
        raise RequestError(errors.BAD_FIELD, f"{what} must have at most {limit} characters.")
    if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
        raise RequestError(errors.BAD_FIELD, f"{what} must be well-formed Unicode.")


def ack(id: Any, fields: Mapping[str, Any] | None = None) -> bytes:
    """The reply that says yes; ``fields`` add to it but cannot change its type and id."""
    return _encode({**(fields or {}), "type": "ack", "id": id})


def error(id: Any, code: ErrorCode, text: str) -> bytes:
    """The reply that says no; without an id it is sent all the same."""
    reply: dict[str, Any] = {"type": "error", "code": code.code, "message": text}
    if id is not None:
        reply["id"] = id
    return _encode(reply)


def _encode(fields: Mapping[str, Any]) -> bytes:
    try:
        return msgspec.json.encode(fields)
    except UnicodeEncodeError:  # a lone surrogate in what the client wants back
        return jsontext.encode(fields)
