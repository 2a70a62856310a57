"""Every place of a request in which somebody puts a key: where it is looked for, and where it stands by mistake."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from typing import Final

from support.timing import UNIT

__all__ = ["PLACES", "answer_to"]

_FORM: Final = "Content-Type: application/x-www-form-urlencoded"
_MULTIPART: Final = "Content-Type: multipart/form-data; boundary=b"
_WEBSOCKET: Final = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: x3JJHMbDL1EzLkh9GBhXDw=="
_PART: Final = '--b\r\nContent-Disposition: form-data; name="api_key"'

PLACES: Final[Mapping[str, tuple[str, str, str]]] = {
    # What it is: request line, a header, body; KEY stands for the key, {n} for a number that is new with each request.
    "query": ("GET /debug/?api_key=KEY", "", ""),
    "query of another": ("GET /page?api_key=KEY", "", ""),  # a handler that is Tornado's own, which says what is wrong
    "query of one that fails": ("POST /page?api_key=KEY", "", ""),
    "query where no such method is": ("PUT /page?api_key=KEY", "", ""),
    "query that goes nowhere": ("GET /nothing?api_key=KEY", "", ""),
    "query with a control character": ("GET /debug/?api_key=KEY\x01", "", ""),
    "query with a space": ("GET /debug/?api_key=KEY x", "", ""),
    "query behind a bad host": ("GET /debug/?api_key=KEY", "Host: a b", ""),
    "query in two": ("GET /debug/?a?api_key=KEY", "", ""),
    "query without a name": ("GET /debug/?KEY", "", ""),
    "query that is encoded": ("GET /debug/%3Fapi_key=KEY", "", ""),
    "fragment": ("GET /debug/#api_key=KEY", "", ""),
    "user of the address": ("GET http://me:KEY@here/debug/", "", ""),
    "query with a large body": ("POST /api/channels/a/?api_key=KEY", "Content-Length: 99999999999", ""),
    "websocket": ("GET /connect/websocket?api_key=KEY", f"{_WEBSOCKET}\r\nSec-WebSocket-Version: 13", "\x81\x85123"),
    "websocket of old": ("GET /connect/websocket?api_key=KEY", f"{_WEBSOCKET}\r\nSec-WebSocket-Version: 1", ""),
    "websocket of SockJS": (
        "GET /connect/0/{n}/websocket?api_key=KEY",
        f"{_WEBSOCKET}\r\nSec-WebSocket-Version: 13",
        "",
    ),
    "poll": ("POST /connect/0/{n}/xhr?api_key=KEY", "", ""),
    "bad callback": ("GET /connect/0/{n}/jsonp?c=%3Cx%3E&api_key=KEY", "", ""),
    "header": ("GET /debug/", "Seth-Authentication-Header: KEY", ""),
    "header with a control character": ("GET /debug/", "Seth-Authentication-Header: KEY\x01", ""),
    "name of a header": ("GET /debug/", "KEY x: 1", ""),
    "header without a colon": ("GET /debug/", "KEY", ""),
    "bearer": ("GET /debug/", "Authorization: Bearer KEY", ""),
    "bearer with a control character": ("GET /debug/", "Authorization: Bearer KEY\x01", ""),
    "basic": ("GET /debug/", "Authorization: Basic KEY", ""),
    "cookie": ("GET /debug/", "Cookie: api_key=KEY; x", ""),
    "host": ("GET /debug/", "Host: KEY@a b", ""),
    "referrer": ("GET /debug/", "Referer: http://here/?api_key=KEY", ""),
    "form": ("POST /api/channels/a/", _FORM, "api_key=KEY"),
    "form of one that fails": ("POST /page", _FORM, "api_key=KEY"),
    "form that is no form": ("POST /api/channels/a/", _FORM, "api_key=KEY&%"),
    "multipart": ("POST /api/channels/a/", _MULTIPART, f"{_PART}\r\n\r\nKEY\r\n--b--\r\n"),
    "broken multipart": ("POST /api/channels/a/", _MULTIPART, f"{_PART}; x=KEY\r\n\r\nKEY\r\n"),
    "JSON": ("POST /api/channels/a/?api_key=KEY", "", "{KEY"),
}


def answer_to(port: int, place: str, key: str, number: int) -> bytes:
    """Makes a request with a key at some place, and gives all that comes back, be it nothing."""
    line, header, body = (part.replace("KEY", key).replace("{n}", f"s{number}") for part in PLACES[place])
    headers = [line + " HTTP/1.1", header]
    if not header.startswith("Host: "):
        headers.append("Host: here")
    if "Upgrade" not in header:
        headers.append("Connection: close")
    if not header.startswith("Content-Length: ") and line.startswith(("POST", "PUT")):
        headers.append(f"Content-Length: {len(body)}")
    text = "\r\n".join(one for one in headers if one) + "\r\n\r\n" + body
    with socket.create_connection(("127.0.0.1", port), timeout=UNIT) as connection:
        answer = b""
        try:
            connection.sendall(text.encode("latin-1"))
            connection.shutdown(socket.SHUT_WR)
            while part := connection.recv(65536):
                answer += part
        except ConnectionError:  # it hangs up on what it cannot read
            pass
        return answer
