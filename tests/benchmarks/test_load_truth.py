"""The load generator finds whatever a server does to a message, and counts it right."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from typing import Any

import pytest
from support.generator import FINE, UNTRUE, generated
from support.hub import Hub, frame

from benchmarks.programs import compiler

pytestmark = [
    pytest.mark.skipif(compiler() is None, reason="there is no C compiler"),
    pytest.mark.alone,  # the generator gives up after a third of a second in which nothing comes on
]

CLEAN = {"missing": 0, "doubled": 0, "disordered": 0, "strayed": 0, "damaged": 0, "closed": 0}


def publish(port: int, *options: object) -> tuple[int, dict[str, Any], str]:
    return generated(port, "--publish", "http", "--path", "/%c", "--publish-path", "/%c", *options)


def sequence_of(body: bytes) -> int:
    found = re.search(rb"@\d{19}:(\d{8})@", body)
    assert found
    return int(found[1])


def test_what_a_faultless_server_delivers_is_all_there() -> None:
    with Hub() as hub:
        code, told, said = publish(hub.port, "--conns", 5, "--channels", 2, "--messages", 40)
    assert (code, said) == (FINE, "")
    assert told["delivered"] == told["wanted"] == 20 * 3 + 20 * 2
    assert told | CLEAN == told
    assert told["p50_us"] <= told["p99_us"] <= told["max_us"]
    assert told["publish_p50_us"] > 0


def test_a_single_delivery_is_all_percentiles() -> None:
    with Hub() as hub:
        _, told, _ = publish(hub.port, "--conns", 1, "--messages", 1)
    assert 0 < told["p50_us"] == told["p99_us"]
    assert told["max_us"] * 0.999 <= told["p50_us"] <= told["max_us"]  # to a thousandth


def test_answers_are_timed_one_by_one() -> None:
    """Four are under way on one connection, so each takes about four of four hundred."""
    with Hub() as hub:
        _, told, _ = publish(hub.port, "--conns", 1, "--messages", 400, "--window", 4)
    assert told["publish_p50_us"] * 10 < told["seconds"] * 1e6


@pytest.mark.parametrize("publishers", [1, 2])
def test_no_more_than_the_window_is_under_way(publishers: int) -> None:
    options = ("--conns", 1, "--messages", 20, "--window", 3, "--publishers", publishers)
    with Hub(lambda subscriber, body: b"") as hub:  # delivers nothing
        assert publish(hub.port, *options)[1]["published"] == 3
    with Hub(answer=b"") as hub:  # answers nothing
        assert publish(hub.port, *options)[1]["published"] == 3


MESSAGES = 17  # two bytes of the bitmap, and one bit


def tampered(at: int, with_one: Callable[[bytes], bytes]) -> Callable[[int, bytes], bytes]:
    """Does it to one message on its way to the second of three subscribers."""

    def deliver(subscriber: int, body: bytes) -> bytes:
        whole = frame(body)
        return with_one(whole) if subscriber == 1 and sequence_of(body) == at else whole

    return deliver


@pytest.mark.parametrize("at", [0, 7, 8, 15, MESSAGES - 1])
def test_one_that_is_missing(at: int) -> None:
    with Hub(tampered(at, lambda whole: b"")) as hub:
        code, told, said = publish(hub.port, "--conns", 3, "--messages", MESSAGES, "--window", MESSAGES)
    assert code == UNTRUE
    assert told | CLEAN | {"missing": 1, "delivered": 3 * MESSAGES - 1, "wanted": 3 * MESSAGES} == told
    assert said == f"load: subscriber 1: misses publication {at}\n"


@pytest.mark.parametrize("at", [0, 7, 8, 15, MESSAGES - 1])
def test_one_that_comes_twice(at: int) -> None:
    with Hub(tampered(at, lambda whole: whole * 2)) as hub:
        code, told, said = publish(hub.port, "--conns", 3, "--messages", MESSAGES)
    assert code == UNTRUE
    assert told | CLEAN | {"doubled": 1, "delivered": 3 * MESSAGES} == told
    assert said == f"load: subscriber 1: got twice publication {at}\n"


def test_two_that_are_swapped() -> None:
    held: list[bytes] = []

    def deliver(subscriber: int, body: bytes) -> bytes:
        if subscriber == 1 and sequence_of(body) == 4:
            held.append(frame(body))
            return b""
        late = held.pop() if subscriber == 1 and held else b""
        return frame(body) + late

    with Hub(deliver) as hub:
        code, told, said = publish(hub.port, "--conns", 3, "--messages", MESSAGES, "--window", 2)
    assert code == UNTRUE
    assert told | CLEAN | {"disordered": 1, "delivered": 3 * MESSAGES} == told
    assert said == "load: subscriber 1: got late publication 4\n"


def test_order_is_not_asked_of_several_publishers() -> None:
    with Hub() as hub:
        options = ("--conns", 2, "--messages", 20, "--publishers", 4, "--window", 4)
        code, told, _ = publish(hub.port, *options)
    assert code == FINE
    assert told["disordered"] is None


def test_one_for_another_channel() -> None:
    strays = iter([b"@0000000000000000001:00000001@"])

    def deliver(subscriber: int, body: bytes) -> bytes:
        return frame(body) + (frame(next(strays, b"")) if subscriber == 0 else b"")

    with Hub(deliver) as hub:
        options = ("--conns", 2, "--channels", 2, "--messages", 8, "--window", 8)
        code, told, said = publish(hub.port, *options)
    assert code == UNTRUE
    assert told | CLEAN | {"strayed": 1, "delivered": 8} == told
    assert said == "load: subscriber 0: was not to get publication 1\n"


@pytest.mark.parametrize("sequence", [3, 999])
def test_one_that_was_never_published(sequence: int) -> None:
    never = b"@0000000000000000001:%08d@" % sequence
    with Hub(lambda subscriber, body: frame(body) + frame(never)) as hub:
        code, told, _ = publish(hub.port, "--conns", 1, "--messages", 3)
    assert code == UNTRUE
    assert told | CLEAN | {"strayed": 3, "delivered": 3} == told


def test_one_from_the_future() -> None:
    """Nobody here has published it, then."""
    with Hub(lambda subscriber, body: frame(re.sub(rb"@\d{19}", b"@9999999999999999999", body))) as hub:
        code, told, _ = publish(hub.port, "--conns", 1, "--messages", 1)
    assert code == UNTRUE
    assert (told["strayed"], told["delivered"], told["missing"]) == (1, 0, 1)


def test_one_in_a_ping_is_none() -> None:
    with Hub(lambda subscriber, body: frame(body[6:36], 0x89) + frame(body)) as hub:
        code, told, said = publish(hub.port, "--conns", 2, "--messages", 9)
    assert (code, said, told["delivered"]) == (FINE, "", 18)


def test_a_connection_that_is_closed_when_all_has_come() -> None:
    with Hub(tampered(MESSAGES - 1, lambda whole: whole + b"bye")) as hub:
        code, told, said = publish(hub.port, "--conns", 3, "--messages", MESSAGES)
    assert (code, said) == (UNTRUE, "load: subscriber 1: closed by the server\n")
    assert told | CLEAN | {"closed": 1, "delivered": 3 * MESSAGES} == told


def test_a_connection_that_is_closed() -> None:
    with Hub(tampered(3, lambda whole: b"bye")) as hub:
        code, told, said = publish(hub.port, "--conns", 3, "--messages", MESSAGES)
    assert code == UNTRUE
    assert told["closed"] == 1
    assert "load: subscriber 1: closed by the server\n" in said


def test_a_websocket_that_is_closed_says_why() -> None:
    close = frame((1013).to_bytes(2, "big") + b"later", 0x88)
    with Hub(tampered(3, lambda whole: close)) as hub:
        code, _, said = publish(hub.port, "--conns", 3, "--messages", MESSAGES)
    assert code == UNTRUE
    assert "load: subscriber 1: closed by the server with 1013 later\n" in said


@pytest.mark.parametrize("seed", range(3))
def test_whatever_happens_to_many_is_counted_one_by_one(seed: int) -> None:
    choose = random.Random(seed)
    conns, channels, messages = 7, 3, 100
    plan: dict[tuple[int, int], int] = {}

    def deliver(subscriber: int, body: bytes) -> bytes:
        times = choose.choice([0, 1, 1, 1, 2, 3])
        plan[subscriber, sequence_of(body)] = times
        return frame(body) * times

    with Hub(deliver) as hub:
        options = ("--conns", conns, "--channels", channels, "--messages", messages, "--window", messages)
        code, told, _ = publish(hub.port, *options)
    assert code == UNTRUE
    assert len(plan) == told["wanted"]
    assert told["missing"] == sum(times == 0 for times in plan.values())
    assert told["doubled"] == sum(times - 1 for times in plan.values() if times > 1)
    assert told["delivered"] == sum(times > 0 for times in plan.values())


def pieces(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


@pytest.mark.parametrize("size", [1, 7, 29, 30, 31])
def test_a_mark_is_found_however_it_is_cut(size: int) -> None:
    def deliver(subscriber: int, body: bytes) -> bytes:
        first, *others = pieces(b"@@1" + body + b"@12", size)
        if not others:
            return frame(first)
        *middle, last = others
        return b"".join([frame(first, 0x01), *(frame(piece, 0x00) for piece in middle), frame(last, 0x80)])

    with Hub(deliver) as hub:
        options = ("--messages", 20, "--size", 400, "--publish-body", "@1%p")
        code, told, said = publish(hub.port, "--conns", 2, *options)
    assert (code, said) == (FINE, "")
    assert told["delivered"] == 40


@pytest.mark.parametrize(
    "with_one",
    [
        lambda body: body[:-3] + b'"}',
        lambda body: body.replace(b"x", b"y", 1),
        lambda body: body.replace(b'xx"', b'x?"'),
        lambda body: body[:36] + b'"}',
    ],
    ids=["shorter", "another at once", "another at last", "bare"],
)
@pytest.mark.parametrize("size", [32, 400])
def test_one_that_is_not_whole(with_one: Callable[[bytes], bytes], size: int) -> None:
    def deliver(subscriber: int, body: bytes) -> bytes:
        return frame(with_one(body) if (subscriber, sequence_of(body)) == (1, 4) else body)

    with Hub(deliver) as hub:
        code, told, said = publish(hub.port, "--conns", 3, "--messages", MESSAGES, "--size", size)
    assert (code, said) == (UNTRUE, "load: subscriber 1: got not the whole of publication 4\n")
    assert told | CLEAN | {"damaged": 1, "delivered": 3 * MESSAGES} == told


def test_one_whose_end_does_not_come_is_missing() -> None:
    def deliver(subscriber: int, body: bytes) -> bytes:
        whole = frame(body)
        return frame(body[:-3]) if (subscriber, sequence_of(body)) == (1, MESSAGES - 1) else whole

    with Hub(deliver) as hub:
        code, told, _ = publish(hub.port, "--conns", 3, "--messages", MESSAGES, "--size", 400)
    assert code == UNTRUE
    assert told | CLEAN | {"missing": 1, "delivered": 3 * MESSAGES - 1} == told


@pytest.mark.parametrize("size", [1, 7, 30])
def test_likewise_in_the_chunks_of_a_stream(size: int) -> None:
    def deliver(subscriber: int, body: bytes) -> bytes:
        return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces(body, size))

    with Hub(deliver) as hub:
        code, told, said = publish(hub.port, "--mode", "stream", "--conns", 2, "--messages", 20)
    assert (code, said) == (FINE, "")
    assert told["delivered"] == 40


def chunk(body: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(body), body)


@pytest.mark.parametrize(("mode", "framed"), [("websocket", frame), ("stream", chunk)])
def test_what_is_far_longer_than_a_socket_takes_or_gives_at_once(mode: str, framed: Callable[[bytes], bytes]) -> None:
    with Hub(lambda subscriber, body: framed(b"y" * (1 << 20) + body)) as hub:
        options = ("--conns", 2, "--messages", 6, "--window", 2, "--size", 1 << 20)
        code, told, said = publish(hub.port, "--mode", mode, *options)
    assert (code, said, told["delivered"]) == (FINE, "", 12)
