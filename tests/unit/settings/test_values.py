from __future__ import annotations

import copy
import pickle
from dataclasses import asdict, dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sethpusher_core.settings import (
    Secret,
    format_duration,
    format_size,
    parse_duration,
    parse_size,
)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("5s", 5), ("10m", 600), ("500ms", 0.5), ("1h", 3600), ("2d", 172_800), ("1.5h", 5400), ("0", 0), (" 5 s ", 5)],
)
def test_durations_are_seconds(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("5", "has no unit; write one such as 5s"),
        ("1.5", "has no unit"),
        ("-5s", "is negative"),
        ("-0.1s", "is negative"),
        ("nan", "is not a duration"),
        ("infs", "is not a duration"),
        ("5S", "is not a duration"),
        ("", "is not a duration"),
        ("1h30m", "is not a duration"),
        ("1e3s", "is not a duration"),
        ("٥s", "is not a duration"),  # noqa: RUF001 - a digit of another script, which `\d` would take
        ("5s\n5s", "is not a duration"),
        ("9" * 400 + "d", "is not a duration"),
        ("999999d", "is longer than a hundred years"),
    ],
)
def test_other_durations_are_refused(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        parse_duration(text)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("512B", 512),
        ("1kB", 1000),
        ("1KB", 1000),
        ("2MB", 2_000_000),
        ("1GB", 10**9),
        ("64KiB", 65_536),
        ("1MiB", 1 << 20),
        ("1GiB", 1 << 30),
        ("1.5MiB", 3 << 19),
        ("0", 0),
        ("0.001kB", 1),
    ],
)
def test_sizes_are_bytes(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("65536", "has no unit; write one such as 1MiB"),
        ("1.5B", "is not a whole number of bytes"),
        ("-1B", "is negative"),
        ("1mb", "is not a size"),
        ("1Mb", "is not a size"),
        ("1TiB", "is not a size"),
        ("9" * 18 + "GiB", "is more than any machine holds"),
        ("9" * 5000 + "B", "is not a size"),
    ],
)
def test_other_sizes_are_refused(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        parse_size(text)


@given(st.integers(0, 10**12))
def test_whole_milliseconds_are_read_back_as_they_were_written(milliseconds: int) -> None:
    assert parse_duration(format_duration(milliseconds / 1000)) == milliseconds / 1000


@given(st.floats(1e-6, 1e6))
def test_any_duration_is_read_back_to_the_nanosecond(seconds: float) -> None:
    assert parse_duration(format_duration(seconds)) == pytest.approx(seconds, abs=1e-9, rel=1e-9)


@given(st.integers(0, (1 << 63) - 1))
def test_sizes_are_read_back_as_they_were_written(size: int) -> None:
    if len(format_size(size)) <= 19:  # 18 digits and B: larger ones nobody writes in bytes
        assert parse_size(format_size(size)) == size


@pytest.mark.parametrize(("seconds", "text"), [(90, "90s"), (600, "10m"), (0.5, "500ms"), (0, "0s"), (86_400.0, "1d")])
def test_durations_are_written_as_one_would_write_them(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


def test_a_secret_prints_itself_nowhere() -> None:
    @dataclass(frozen=True, slots=True)
    class Holder:
        secret: Secret
        several: tuple[Secret, ...] = ()

    holder = Holder(Secret("hunter2"), (Secret("hunter2"),))
    shown = f"{holder} {holder!r} {holder.secret} {holder.secret!r} {[holder.secret]} {asdict(holder)}"
    shown += f"{holder.secret!s:>10}" + "%s" % holder.secret  # noqa: UP031 - the old form prints too
    assert "hunter2" not in shown
    assert str(holder.secret) == repr(holder.secret) == "***"
    assert holder.secret.reveal() == "hunter2"
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(holder.secret)


def test_secrets_compare_and_copy_as_values() -> None:
    assert Secret("a") == Secret("a")
    assert Secret("a") != Secret("b")
    assert Secret("a") != Secret("aa")
    assert Secret("a") != "a"
    assert Secret("é\ud800") == Secret("é\ud800")
    assert hash(Secret("a")) == hash(Secret("a"))
    assert copy.deepcopy(Secret("a")) == copy.copy(Secret("a"))
    assert not Secret("")
    with pytest.raises(TypeError, match="text"):
        Secret(b"a")  # type: ignore[arg-type]


def test_a_secret_survives_replace() -> None:
    @dataclass(frozen=True, slots=True)
    class Holder:
        secret: Secret
        other: int = 0

    assert replace(Holder(Secret("a")), other=1).secret.reveal() == "a"
