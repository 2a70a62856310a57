"""What the load generator is told, and what is made of its answer: what is not wholly true is no result."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks.loading import Failure, Load, command_line, run
from benchmarks.peers.base import Churn, Dial, Publish, Running

STUB = Path(__file__).parent / "stub.py"
SERVER = Running(port=81, publish_port=82, pids=(7, 8))
FINE = {
    "delivered": 20,
    "wanted": 20,
    "missing": 0,
    "p50_us": 12.5,
    "publish_p50_us": None,
    "mode": "stream",
    "spin": True,
}


def stubbed(monkeypatch: pytest.MonkeyPatch, folder: Path, **answer: Any) -> list[str]:
    """A generator that answers so."""
    (folder / "answers.json").write_text(json.dumps([answer]))
    monkeypatch.setenv("STUB_ANSWERS", str(folder / "answers.json"))
    monkeypatch.setenv("STUB_CALLS", str(folder / "calls"))
    return [sys.executable, str(STUB)]


def after(words: list[str], flag: str, count: int = 1) -> list[str]:
    place = words.index(flag) + 1
    return words[place : place + count]


def test_a_fan_out_as_a_command_line() -> None:
    dial = Dial("/s/%6", opening=('["{\\"c\\":1}"]', "SUB\r\n\0"), headers=("A: b",), greeting=True, lockstep=True)
    publish = Publish(path="/p", body="%p", headers=("C: d",), head="[", tail="]")
    load = Load(dial, conns=5, publish=publish, messages=20, publishers=4, window=4, size=9, batch=2)
    words = command_line(load, SERVER, more_pids=(9,))
    assert after(words, "--port") == ["81"]
    assert after(words, "--publish-port") == ["82"]
    assert [words[place + 1] for place, word in enumerate(words) if word == "--pid"] == ["7", "8", "9"]
    assert [words[place + 1] for place, word in enumerate(words) if word == "--opening"] == [
        '["{\\\\"c\\\\":1}"]',
        "SUB\\r\\n\\x00",
    ]
    for flag, value in (("--conns", "5"), ("--publishers", "4"), ("--window", "4"), ("--size", "9"), ("--batch", "2")):
        assert after(words, flag) == [value]
    for flag, value in (
        ("--header", "A: b"),
        ("--publish-header", "C: d"),
        ("--batch-head", "["),
        ("--batch-tail", "]"),
    ):
        assert after(words, flag) == [value]
    assert {"--greeting", "--lockstep"} < set(words)
    assert not {"--binary", "--connect-only", "--churn", "--replay", "--publish-dial-path"} & set(words)


def test_a_publisher_that_dials() -> None:
    publish = Publish("websocket", body="%p", dial=Dial("/w", opening=("hello",), greeting=True))
    words = command_line(Load(Dial(), conns=1, publish=publish, messages=1), SERVER)
    assert after(words, "--publish") == ["websocket"]
    assert after(words, "--publish-port") == ["81"]  # as all clients
    assert after(words, "--publish-dial-path") == ["/w"]
    assert after(words, "--publish-opening") == ["hello"]
    assert "--publish-greeting" in words
    assert "--greeting" not in words


def test_other_work() -> None:
    churn = Churn("join", "leave", "joined", "left")
    words = command_line(Load(Dial(), conns=1, churn=churn, cycles=3, churners=2), SERVER)
    assert after(words, "--churn", 8) == ["join", "leave", "joined", "left", "--cycles", "3", "--churners", "2"]
    assert after(command_line(Load(Dial(), conns=1, replay=5), SERVER), "--replay") == ["5"]
    assert "--connect-only" in command_line(Load(Dial(), conns=1), SERVER)


def test_every_number_of_the_answer_is_a_figure(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    figures = run(stubbed(monkeypatch, tmp_path, told=FINE), Load(Dial(), conns=1), SERVER)
    assert figures == {"delivered": 20.0, "wanted": 20.0, "missing": 0.0, "p50_us": 12.5}


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ({"code": 3, "told": FINE, "said": "3 missing, first 7 at connection 2"}, "3 missing, first 7 at connection 2"),
        ({"code": 9, "told": FINE}, "exit code 9"),
        ({"told": FINE | {"missing": 2}}, "2 missing"),
        ({"told": FINE | {"doubled": 1}}, "1 doubled"),
        ({"told": FINE | {"disordered": 4}}, "4 disordered"),
        ({"told": FINE | {"closed": 1}}, "1 closed"),
        ({"told": FINE | {"damaged": 1}}, "1 damaged"),
        ({"told": FINE | {"delivered": 19}}, "19 of 20 delivered"),
        ({"told": ["what"]}, "the generator's answer cannot be read"),
    ],
)
def test_what_is_no_result(
    answer: dict[str, Any], reason: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with pytest.raises(Failure) as caught:
        run(stubbed(monkeypatch, tmp_path, **answer), Load(Dial(), conns=1), SERVER)
    assert str(caught.value).startswith(reason)
