"""Every error of the core, and the one table of error and close codes.

    SethPusherError
    ├── UsageError                the command line is wrong                     exit code 2
    ├── SettingsError             settings, plugins or the address are wrong    exit code 3
    │   └── PluginError           a plugin cannot be used; names it
    ├── HookError                 a hook implementation raised or timed out; names plugin and hook
    ├── RequestError              a client's message or an HTTP call cannot be served; carries an ErrorCode
    └── BackendError              the backend refused or failed
        └── BackendUnavailable    out of reach for now: the same call may succeed later

What an *operator* must read is the exception's text. What a *client* may read is the text of its :class:`ErrorCode`,
or the text that was given to a :class:`RequestError` for that purpose.

Codes, the same table for sockets and for HTTP:

* error codes 1001-1499 are passing (the same message may succeed later); with 1500-1999 the message itself must
  change; 2000-2999 are free for plugins.
* close codes 3000-3499 mean come back; 3500-3999 do not come back unchanged; 4000-4999 are free for plugins. All lie
  in the ranges that RFC 6455, section 7.4.2, leaves to libraries and applications.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = [
    "CLOSE_CODES",
    "ERROR_CODES",
    "BackendError",
    "BackendUnavailable",
    "CloseCode",
    "ErrorCode",
    "HookError",
    "PluginError",
    "RequestError",
    "SethPusherError",
    "SettingsError",
    "UsageError",
]


@dataclass(frozen=True, slots=True)
class ErrorCode:
    """One row of the error table.

    Attributes:
        code: The number in ``{"type": "error", "code": ...}``.
        name: A short stable word, for logs and documentation.
        status: The HTTP status that carries the same error.
        text: The sentence a client reads when nothing more precise is known.
    """

    code: int
    name: str
    status: int
    text: str

    @property
    def temporary(self) -> bool:
        """Whether the same message may succeed later."""
        return self.code < 1500


@dataclass(frozen=True, slots=True)
class CloseCode:
    """One row of the close table.

    Attributes:
        code: The number in the websocket close frame, and in the SockJS frame ``c[code,"reason"]``.
        reason: The reason sent beside it; at most 123 bytes of UTF-8 (RFC 6455, section 5.5).
    """

    code: int
    reason: str

    @property
    def comes_back(self) -> bool:
        """Whether a client should reconnect by itself."""
        return self.code < 3500


INTERNAL: Final = ErrorCode(1001, "internal", 500, "The server failed; this was not your fault.")
UNAVAILABLE: Final = ErrorCode(1002, "unavailable", 503, "The server cannot take this now; try again.")
OVERLOADED: Final = ErrorCode(1003, "overloaded", 429, "Too much at once; slow down and try again.")

BAD_MESSAGE: Final = ErrorCode(1500, "bad_message", 400, "Message must be a JSON object.")
UNKNOWN_TYPE: Final = ErrorCode(1501, "unknown_type", 400, "Unknown message type.")
BAD_FIELD: Final = ErrorCode(1502, "bad_field", 400, "A field is missing or has a wrong value.")
UNAUTHENTICATED: Final = ErrorCode(1503, "unauthenticated", 401, "Invalid Auth credentials provided")
DENIED: Final = ErrorCode(1504, "denied", 403, "You may not do this.")
REFUSED: Final = ErrorCode(1505, "refused", 422, "This message was refused.")
TOO_LARGE: Final = ErrorCode(1506, "too_large", 413, "The message is too large.")
LIMIT: Final = ErrorCode(1507, "limit", 400, "A limit of this connection is reached.")
ALREADY_CONNECTED: Final = ErrorCode(1508, "already_connected", 400, "Already connected with another subscriber_id.")
UNSUPPORTED: Final = ErrorCode(1509, "unsupported", 400, "This channel or server does not offer that.")
NOT_FOUND: Final = ErrorCode(1510, "not_found", 404, "There is nothing here.")
BAD_METHOD: Final = ErrorCode(1511, "bad_method", 405, "This address does not answer to that method.")

ERROR_CODES: Final = (
    INTERNAL,
    UNAVAILABLE,
    OVERLOADED,
    BAD_MESSAGE,
    UNKNOWN_TYPE,
    BAD_FIELD,
    UNAUTHENTICATED,
    DENIED,
    REFUSED,
    TOO_LARGE,
    LIMIT,
    ALREADY_CONNECTED,
    UNSUPPORTED,
    NOT_FOUND,
    BAD_METHOD,
)

NORMAL: Final = CloseCode(3000, "Go away!")
SHUTDOWN: Final = CloseCode(3001, "server is going away, come back")
SLOW: Final = CloseCode(3002, "too slow: the outbound queue is full")
SILENT: Final = CloseCode(3003, "no answer to a ping")
FAILED: Final = CloseCode(3004, "the server failed")
OVERLOAD: Final = CloseCode(3005, "too many connections, come back later")
EXPIRED: Final = CloseCode(3006, "credentials have expired, come back with new ones")
REJECTED: Final = CloseCode(3500, "invalid credentials")
BAD_FRAME: Final = CloseCode(3501, "not what the protocol allows")
FRAME_TOO_LARGE: Final = CloseCode(3502, "message too large")
FORCED: Final = CloseCode(3503, "disconnected by the application")

CLOSE_CODES: Final = (
    NORMAL,
    SHUTDOWN,
    SLOW,
    SILENT,
    FAILED,
    OVERLOAD,
    EXPIRED,
    REJECTED,
    BAD_FRAME,
    FRAME_TOO_LARGE,
    FORCED,
)


class SethPusherError(Exception):
    """Root of the tree. Its text is for the operator."""


class UsageError(SethPusherError):
    """The command line is wrong. One line, says what to write instead."""

    exit_code: Final = 2


class SettingsError(SethPusherError):
    """Settings, plugins or the address to listen on are wrong. One line, names key, source and remedy.

    Attributes:
        key: The core's setting that is wrong ("host", "channels[0].history"), or "": whoever knows where it is set adds
            that to the line.
        why: What is wrong with it.
    """

    exit_code: Final = 3

    def __init__(self, why: str, *, key: str = "") -> None:
        super().__init__(f"{key}: {why}" if key else why)
        self.key = key
        self.why = why


class PluginError(SettingsError):
    """A plugin cannot be used.

    Attributes:
        plugin: The plugin's name.
    """

    def __init__(self, plugin: str, text: str) -> None:
        super().__init__(f"plugin {plugin}: {text}")
        self.plugin = plugin


class HookError(SethPusherError):
    """An implementation of a hook raised, timed out or gave an answer that its hook does not know.

    The cause is in ``__cause__``.

    Attributes:
        plugin: The plugin's name.
        hook: The hook's name.
    """

    def __init__(self, plugin: str, hook: str, text: str) -> None:
        super().__init__(f"plugin {plugin}, hook {hook}: {text}")
        self.plugin = plugin
        self.hook = hook


class RequestError(SethPusherError):
    """A client's message or an HTTP call cannot be served, and the client is told.

    Attributes:
        code: The row of the error table.
        text: What the client reads.
    """

    def __init__(self, code: ErrorCode, text: str | None = None) -> None:
        self.code = code
        self.text = code.text if text is None else text
        super().__init__(f"{code.name}: {self.text}")


class BackendError(SethPusherError):
    """The backend refused or failed. For one publication of a batch it stands in that publication's result."""


class BackendUnavailable(BackendError):
    """The backend is out of reach for now; the same call may succeed later."""
