"""Replays a scenario of ``tests/server/data/release_0_2_2.json``; README.md beside that file is its language."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from support.clients import Client, strict_json
from support.http import Answer, Http
from support.server import RunningServer

__all__ = ["HELD", "Replay", "holds", "stream_of"]

Json = Any
Step = Mapping[str, Any]

HELD: Final = object()
"""Instead of what a broken step recorded: just that."""


class Replay:
    """One scenario over one transport.

    Args:
        server: A server that has just started.
        scenario: The scenario.
        transport: For clients that do not name their own.
        instead: What holds for each comparing step that is broken, in order; None: nothing that is tested here.
    """

    def __init__(
        self, server: RunningServer, scenario: Mapping[str, Any], transport: str | None, instead: Sequence[object]
    ) -> None:
        self._server = server
        self._scenario = scenario
        self._transport = transport
        self._instead = iter(instead)
        self._clients: dict[str, Client] = {}
        self._fenced: set[str] = set()
        self._fences = 0
        self._kept: dict[str, Http] = {}
        credentials = scenario.get("credentials", {})
        self._query = "?" + credentials["query"] if "query" in credentials else ""
        self._headers: Mapping[str, str] = credentials.get("headers", {})

    def run(self) -> None:
        """Runs all steps; an AssertionError says which one did not hold."""
        acts: dict[str, Callable[[Step], None]] = {
            "open": self._open,
            "send": self._send,
            "http": self._http,
            "settle": self._settle,
            "expect": self._expect,
            "close": self._close,
            "closed": self._closed,
        }
        try:
            for number, step in enumerate(self._scenario["steps"]):
                try:
                    acts[step["do"]](step)
                except AssertionError as error:
                    error.add_note(f"step {number}: {json.dumps(step)}")
                    raise
            assert next(self._instead, None) is None, "there are more expectations than broken steps"
        finally:
            for http in self._kept.values():
                http.close()

    # ----------------------------------------------------------------------------------------------------- the steps

    def _open(self, step: Step) -> None:
        headers = dict(step.get("headers") or {})
        query = ""
        if step.get("credentials", True):
            headers |= self._headers
            query = self._query
        transport = step.get("transport", self._transport)
        self._clients[step["client"]] = self._server.client(transport, query=query, headers=headers)

    def _send(self, step: Step) -> None:
        client: Any = self._clients[step["client"]]
        if "wire" in step:
            client.line.text(step["wire"])
        elif "binary" in step:
            client.line.binary(step["binary"].encode())
        elif "text" in step:
            client.send_texts(step["text"])
        else:
            client.send(*(step["messages"] if "messages" in step else [step["message"]]))

    def _settle(self, step: Step) -> None:
        names = step.get("clients") or list(self._clients)
        for name in names:
            self._begin_fence(name)
        for name in names:
            self._fences += 1
            body = json.dumps({"fence": self._fences}).encode()
            answer = self._server.http.post(f"/api/channels/fence-{name}/{self._query}", body, self._headers)
            assert answer.status == 200, answer
            fence = {"fence": self._fences}
            self._read_up_to(name, lambda frame, fence=fence: frame.get("message") == fence)

    def _begin_fence(self, name: str) -> None:
        client, channel = self._clients[name], f"fence-{name}"
        if name in self._fenced:
            client.send({"type": "unsubscribe", "channel": channel})
        client.send({"type": "subscribe", "channel": channel})
        self._fenced.add(name)
        body = f"subscribed to {channel}"
        self._read_up_to(name, lambda frame: str((frame.get("message") or {}).get("body")).endswith(body))

    def _read_up_to(self, name: str, is_it: Callable[[Any], bool]) -> None:
        client = self._clients[name]
        while True:
            text = client.next_text()
            frame = strict_json(text)
            if isinstance(frame, dict) and isinstance(frame.get("message"), dict) and is_it(frame):
                return
            client.inbox.append(text)

    def _expect(self, step: Step) -> None:
        names = step["together"] if "together" in step else [step["client"]]
        frames = [frame for name in names for frame in self._taken(name)]
        expected = self._promised(step, step.get("frames"))
        if expected is not None:
            assert_frames(frames, expected, in_order="together" not in step)

    def _taken(self, name: str) -> list[Json]:
        texts = list(self._clients[name].inbox)
        self._clients[name].inbox.clear()
        return [strict_json(text) for text in texts]

    def _http(self, step: Step) -> None:
        body = bytes.fromhex(step["body_hex"]) if "body_hex" in step else (step.get("body") or "").encode()
        if not body and step["method"] not in ("POST", "PUT", "PATCH"):
            body = None
        http = self._server.http
        if "keep" in step:
            http = self._kept.setdefault(step["keep"], Http(self._server.port, keep=True))

        def call() -> Answer:
            return http.call(step["method"], step["path"], body, step.get("headers"))

        answer = call()
        expected = self._promised(step, step["answer"])
        if expected is not None and "messages" in expected:
            assert_polled(answer, call, expected["messages"])
        elif expected is not None:
            assert_answer(answer, expected)

    def _close(self, step: Step) -> None:
        name = step["client"]
        client = self._clients.pop(name)
        assert not client.inbox, f"came before it left: {client.inbox}"
        if step.get("abrupt"):
            client.drop()
        else:
            client.close()
        self._gone(name)

    def _closed(self, step: Step) -> None:
        name = step["client"]
        expected = self._promised(step, step["code"])
        if expected is step["code"]:
            client = self._clients.pop(name)
            assert client.closed()[0] == expected
            assert not client.inbox
            self._gone(name)
        elif isinstance(expected, list):  # it stays, and is told
            self._settle({"clients": [name]})
            assert_frames(self._taken(name), expected)

    # -------------------------------------------------------------------------------------------------------- inside

    def _gone(self, name: str) -> None:
        hub = self._server.push.hub
        self._server.wait_until(
            lambda: not any(local.count for local in hub if local.address.name == f"fence-{name}"), f"{name} is gone"
        )

    def _promised(self, step: Step, recorded: object) -> Any:
        if "broken" not in (step.get("status"), self._scenario.get("status")):
            return recorded
        instead = next(self._instead, None)
        return recorded if instead is HELD else instead


# ------------------------------------------------------------------------------------------------------- comparison


def holds(expected: Json, got: Json) -> bool:
    """Whether two JSON values are equal, but that the one got, if it is an object, may have further members."""
    if isinstance(expected, dict) and isinstance(got, dict):
        got = {name: value for name, value in got.items() if name in expected}
    return _canonical(expected) == _canonical(got)


def assert_frames(got: list[Json], expected: list[Json], *, in_order: bool = True) -> None:
    """The same frames; within each channel in the same order. Between channels there is none."""
    left = list(enumerate(expected))
    places: dict[str, list[int]] = {}
    for frame in got:
        match = next((pair for pair in left if holds(pair[1], frame)), None)
        assert match is not None, f"unexpected {frame}; expected {expected}; all {got}"
        left.remove(match)
        places.setdefault(stream_of(frame), []).append(match[0])
    assert not left, f"missing {[frame for _, frame in left]}; all {got}"
    if in_order:
        for stream, indices in places.items():
            assert indices == sorted(indices), f"out of order in {stream}: {got}; expected {expected}"


def assert_polled(got: Answer, poll: Callable[[], Answer], expected: list[Json]) -> None:
    """The same messages; how they share answers to polls is not promised."""
    frames: list[Json] = []
    while True:
        assert (got.status, got.text[:1]) == (200, "a"), got
        frames += [strict_json(text) for text in strict_json(got.text[1:])]
        if len(frames) >= len(expected):
            break
        got = poll()
    assert_frames(frames, expected)


def assert_answer(got: Answer, expected: Mapping[str, Any]) -> None:
    """The same answer. Types, headers and the texts of error pages are not promised."""
    assert got.status == expected["status"], got
    if "json" in expected:
        answer = strict_json(got.text)
        for name in expected.get("any", ()):
            assert name in answer
            answer[name] = expected["json"][name]
        if expected.get("unordered"):
            answer, expected = _as_sets(answer), {"json": _as_sets(expected["json"])}
        assert holds(expected["json"], answer), f"{answer}; expected {expected['json']}"
    elif got.status < 400:
        assert got.text == expected["text"]


def stream_of(frame: Json) -> str:
    """Within what the order of this frame counts: its channel, its user, or the replies."""
    if "channel" in frame:
        return f"channel {frame['channel']}"
    if "target_id" in frame:
        return f"user {frame['target_id']}"
    message = frame.get("message")
    if not isinstance(message, dict) or "type" not in message:
        return "replies"
    if message["type"] in ("connect", "disconnect"):
        return "channel all"
    words = " subscribed to " if message["type"] == "subscribe" else " unsubscribed from "
    return f"channel {message['body'].partition(words)[2]}"


def _canonical(value: Json) -> str:
    return json.dumps(value, sort_keys=True)


def _as_sets(value: Json) -> Json:
    if isinstance(value, dict):
        return {name: _as_sets(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return sorted(Counter(map(_canonical, value)).items())
    return value
