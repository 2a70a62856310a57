"""What every client is, whatever its transport: messages, requests, expectations."""

from __future__ import annotations

import itertools
import json
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, Final

from ..timing import patience

__all__ = ["ANYTHING", "Client", "ClosedByServer", "strict_json"]

ANYTHING: Final = object()
"""Stands for any message."""

_ids = itertools.count(1)


class ClosedByServer(Exception):
    """The server has ended the connection; the text says how."""


def strict_json(text: str) -> Any:
    """The value of JSON text; NaN and its like are none."""

    def refuse(name: str) -> None:
        raise ValueError(f"{name} is not JSON")

    return json.loads(text, parse_constant=refuse)


def _is_publication(message: Any) -> bool:
    return isinstance(message, dict) and "message" in message and ("channel" in message or "target_id" in message)


class Client(ABC):
    """One client.

    Attributes:
        inbox: Texts of the messages that came while something else was waited for.
    """

    transport: str

    def __init__(self) -> None:
        self.inbox: list[str] = []
        self._ahead: deque[str] = deque()

    # ------------------------------------------------------------------------------------ what each transport does

    @abstractmethod
    def send_texts(self, *texts: str) -> None:
        """Sends messages as they stand; over SockJS in one list."""

    @abstractmethod
    def _receive(self) -> list[str] | None:
        """The messages of the next frame that has some; None at the end."""

    @abstractmethod
    def closed(self) -> tuple[int | None, str]:
        """Waits until the server ends the connection, and gives the close code and its reason."""

    @abstractmethod
    def close(self) -> None:
        """Leaves in good order."""

    @abstractmethod
    def drop(self) -> None:
        """Just goes away."""

    # --------------------------------------------------------------------------------------------------- messages

    def send(self, *messages: object) -> None:
        """Sends messages as JSON."""
        self.send_texts(*(json.dumps(message) for message in messages))

    def next_text(self) -> str:
        """The text of the next message.

        Raises:
            ClosedByServer: There is none any more.
        """
        while not self._ahead:
            texts = self._receive()
            if texts is None:
                raise ClosedByServer(str(self.closed()))
            self._ahead.extend(texts)
        return self._ahead.popleft()

    def next(self) -> Any:
        """The next message."""
        return strict_json(self.next_text())

    def request(self, message: Mapping[str, object]) -> Any:
        """Sends a message with an ``id`` and gives its reply; what comes before it goes to the inbox."""
        id = f"q{next(_ids)}"
        self.send({**message, "id": id})
        while True:
            text = self.next_text()
            if f'"{id}"' in text:
                reply = strict_json(text)
                if isinstance(reply, dict) and reply.get("id") == id:
                    return reply
            self.inbox.append(text)

    def take(self) -> list[Any]:
        """All messages that were on their way to this client, oldest first."""
        for _ in range(2):  # a reply may overtake what the same turn of the loop has published, but no earlier turn
            self.request({"type": "unsubscribe", "channel": "fence"})
        taken = [strict_json(text) for text in self.inbox]
        self.inbox.clear()
        return taken

    # --------------------------------------------------------------------------------------- the seed's messages

    def connect(self, subscriber_id: str) -> None:
        """Says who it is."""
        self._acked({"type": "connect", "subscriber_id": subscriber_id})

    def subscribe(self, channel: str, **fields: object) -> Any:
        """Subscribes, and gives the reply, an ``ack``; ``fields`` are those of the message, such as ``recover``."""
        return self._acked({"type": "subscribe", "channel": channel, **fields})

    def unsubscribe(self, channel: str) -> None:
        """Leaves a channel."""
        self._acked({"type": "unsubscribe", "channel": channel})

    def _acked(self, message: Mapping[str, object]) -> Any:
        reply = self.request(message)
        assert reply["type"] == "ack", reply
        return reply

    # ------------------------------------------------------------------------------------------------ expectations

    def expect(self, message: Any = ANYTHING, *, channel: str | None = None) -> Any:
        """Waits for the next publication, and checks it. Notices and what the server says of itself are passed over.

        Args:
            message: What must have been published; anything, if left out.
            channel: The channel that it must have come in; any channel, or to this user, if left out.

        Returns:
            The envelope: ``message``, ``sender_id``, ``channel`` or ``target_id``, ...

        Raises:
            AssertionError: Another one came, or none in time.
        """
        envelope = self._awaited(_is_publication, f"publication like {message!r}")
        assert channel is None or envelope.get("channel") == channel, f"expected one in {channel}, got {envelope}"
        assert message is ANYTHING or envelope["message"] == message, f"expected {message!r}, got {envelope}"
        return envelope

    def expect_notice(self, type: str, subscriber_id: str | None = None) -> Any:
        """Waits for a join or leave message of this type, from this person if one is named; gives what it says.

        Args:
            type: ``connect``, ``disconnect``, ``subscribe`` or ``unsubscribe``.
            subscriber_id: Who.

        Raises:
            AssertionError: None came in time.
        """

        def is_it(envelope: Any) -> bool:
            notice = envelope.get("message") if not _is_publication(envelope) else None
            if not isinstance(notice, dict) or notice.get("type") != type:
                return False
            return subscriber_id is None or notice.get("subscriber_id") == subscriber_id

        return self._awaited(is_it, f"notice that says {type}")["message"]

    def expect_nothing(self) -> None:
        """Checks that no publication is on its way to this client: all that came before its reply to this is looked at.

        Raises:
            AssertionError: There is one.
        """
        came = [envelope for envelope in self.take() if _is_publication(envelope)]
        assert not came, f"expected nothing, got {came}"

    def expect_closed(self) -> tuple[int | None, str]:
        """Waits until the server, or the line, ends the connection: the close code (None: no word) and its reason.

        Raises:
            AssertionError: It does not in time.
        """
        try:
            return self.closed()
        except TimeoutError:
            raise AssertionError(f"the connection has not ended within {patience():g} s") from None

    def _awaited(self, condition: Callable[[Any], bool], what: str) -> Any:
        """The next message of which something holds; those before it are dropped."""
        passed: list[Any] = []
        while True:
            try:
                message = strict_json(self.inbox.pop(0) if self.inbox else self.next_text())
            except TimeoutError:
                raise AssertionError(f"no {what} came within {patience():g} s, only {passed}") from None
            except ClosedByServer as error:
                raise AssertionError(f"no {what} came before the end of the connection, {error}") from None
            if condition(message):
                return message
            passed.append(message)
