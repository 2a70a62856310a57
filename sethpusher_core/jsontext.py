"""JSON text as it comes from publishers: checked (RFC 8259, UTF-8, no NaN), and passed on as it is.

msgspec does the work; the standard library is asked only about what msgspec refuses, because it is stricter than the
RFC in one point (escaped lone surrogates) and that must not turn a message away.
"""

from __future__ import annotations

import json
from typing import Any, Final, NoReturn

import msgspec

__all__ = ["decode", "encode", "sender_of"]


class _Sender(msgspec.Struct):
    sender_id: msgspec.Raw = msgspec.Raw(b"null")


_decode_any: Final = msgspec.json.Decoder().decode
_decode_raw: Final = msgspec.json.Decoder(msgspec.Raw).decode
_decode_sender: Final = msgspec.json.Decoder(_Sender).decode
_to_text: Final = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode
_to_ascii: Final = json.JSONEncoder(allow_nan=False, separators=(",", ":")).encode


def decode(text: bytes) -> Any:
    """The value that JSON text stands for.

    Raises:
        ValueError: It is not JSON by RFC 8259, not UTF-8, or nested too deeply.
    """
    try:
        return _decode_any(text)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return _decode_slowly(text)


def encode(value: Any) -> bytes:
    """JSON text of a value.

    Raises:
        ValueError: It holds NaN, an infinity, a loop or too deep a nesting.
        TypeError: It holds what JSON has no form for.
    """
    try:
        return _to_text(value).encode()
    except UnicodeEncodeError:  # a lone surrogate: only its escape can travel
        return _to_ascii(value).encode()
    except RecursionError:
        raise ValueError("nested too deeply") from None


def sender_of(text: bytes) -> bytes:
    """Checks published JSON text and gives its own ``sender_id``.

    Returns:
        The JSON text of the top-level member ``sender_id``; ``null`` where there is none.

    Raises:
        ValueError: It is not JSON by RFC 8259, not UTF-8, or nested too deeply.
    """
    text.decode()  # msgspec does not look into strings that it skips
    try:
        if text.lstrip(b" \t\n\r")[:1] == b"{":
            return bytes(_decode_sender(text).sender_id)
        _decode_raw(text)
    except (msgspec.MsgspecError, RecursionError):
        value = _decode_slowly(text)
        return encode(value.get("sender_id")) if isinstance(value, dict) else b"null"
    return b"null"


def _decode_slowly(text: bytes) -> Any:
    try:
        return json.loads(text.decode(), parse_constant=_refuse_constant)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
