"""The outbox by itself: what is in it, in what order, how much of it, and whose it is."""

from __future__ import annotations

import itertools
import os
import random
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sethpusher_persist_http.bundles import Bundle, Range
from sethpusher_persist_http.errors import OutboxDamaged, OutboxError, OutboxFull, OutboxInUse
from sethpusher_persist_http.files import OutboxFiles
from sethpusher_persist_http.groups import Bounds, Counts, Group
from sethpusher_persist_http.letters import NewLetter, SteadyClock
from sethpusher_persist_http.outbox import Outbox
from support.timing import UNIT

TARGET = '{"channel":"news"}'
_ids = itertools.count(1)


class Clock:
    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


def letter(body: bytes = b'{"a":1}', lane: int = 1, *, id: str | None = None, keyed: bool = False) -> NewLetter:
    return NewLetter(id or f"id-{next(_ids)}", lane, TARGET, body, keyed)


def letters(count: int, size: int = 10) -> list[NewLetter]:
    return [letter(b"x" * size) for _ in range(count)]


class Kept(NamedTuple):
    """One letter of a bundle."""

    seq: int
    id: str
    lane: int
    target: str
    body: bytes


def opened(bundles: Iterable[Bundle]) -> list[Kept]:
    return [
        Kept(bundle.seq + place, bundle.ids[place], bundle.lane, bundle.targets[place], bundle.bodies[place])
        for bundle in bundles
        for place in range(len(bundle))
    ]


def put(outbox: Outbox, *batch: NewLetter) -> list[Kept]:
    stored = outbox.commit(Group([batch]))
    [refusal] = stored.refusals
    if refusal is not None:
        raise refusal
    return opened(stored.bundles)


def numbers(*letters: Kept) -> list[Range]:
    return [(one.seq, one.seq) for one in letters]


def read(outbox: Outbox, lane: int = 1) -> list[Kept]:
    return opened(outbox.read(lane, 0, 1 << 30, 1 << 30))


def waiting(outbox: Outbox, lane: int = 1) -> list[str]:
    return [one.id for one in read(outbox, lane)]


def test_letters_are_read_as_they_were_put_in() -> None:
    outbox = Outbox(None, Bounds())
    bodies = [b"{}", "ü\u2028".encode(), b'"\\u0000"', b"\x00\xff no JSON \x1e", b"", b"x" * 100_000]
    put(outbox, *(letter(body, lane=1 + number % 2) for number, body in enumerate(bodies)))
    assert [one.body for one in read(outbox, 1)] == bodies[::2]
    assert [one.body for one in read(outbox, 2)] == bodies[1::2]
    assert all(one.target == TARGET for one in read(outbox, 1))
    assert outbox.read(3, 0, 100, 1 << 30) == []
    assert outbox.lanes().keys() == {1, 2}


def test_reading_goes_by_number_count_and_size() -> None:
    outbox = Outbox(None, Bounds(bundle_rows=1))
    put(outbox, *letters(10, size=100))
    first = [one.seq for one in outbox.read(1, 0, 4, 1 << 30)]
    assert len(first) == 4
    assert [one.seq for one in outbox.read(1, first[1], 2, 1 << 30)] == first[2:4]
    assert len(outbox.read(1, 0, 10, 250)) == 3, "up to the one that crosses the size"
    assert len(outbox.read(1, 0, 10, 1)) == 1, "one in any case"


def test_letters_of_a_lane_that_come_together_are_one_row_as_large_as_a_post() -> None:
    outbox = Outbox(None, Bounds(bundle_rows=4, bundle_bytes=100))
    sizes = [10] * 6 + [60, 60, 500, 1]
    stored = outbox.commit(Group([[letter(b"x" * size)] for size in sizes] + [letters(3)]))
    assert [[len(body) for body in bundle.bodies] for bundle in stored.bundles] == [
        [10, 10, 10, 10],
        [10, 10, 60],
        [60],
        [500],
        [1, 10, 10, 10],
    ]
    assert outbox.read(1, 0, 1000, 1 << 30) == stored.bundles
    assert [len(bundle) for bundle in outbox.read(1, 0, 8, 1 << 30)] == [4, 3, 1], "up to the one that reaches it"


@pytest.mark.parametrize("together", [1, 1000])
def test_more_than_one_statement_takes(together: int) -> None:
    outbox = Outbox(None, Bounds(bundle_rows=together))
    stored = put(outbox, *letters(4500))
    assert [one.seq for one in stored] == list(range(1, 4501))
    assert outbox.counts == Counts(4500, 45_000, 0, 0)


def test_what_is_done_is_gone_and_what_is_dead_is_kept(tmp_path: Path) -> None:
    files = OutboxFiles(tmp_path)
    files.acquire()
    outbox = Outbox(files, Bounds())
    stored = put(outbox, *letters(5))
    outbox.commit(Group(done=numbers(stored[0], stored[2]), dead=[(stored[1].seq, 'HTTP 400: "no"')]))
    assert waiting(outbox) == [stored[3].id, stored[4].id]
    assert outbox.counts == Counts(2, 20, 1, 10)
    outbox.commit(Group(done=[*numbers(stored[0]), (999, 1001)]))
    assert outbox.counts == Counts(2, 20, 1, 10)
    outbox.close()
    again = Outbox(files, Bounds())
    assert again.counts == Counts(2, 20, 1, 10)
    assert waiting(again) == [stored[3].id, stored[4].id]
    [new] = put(again, letter())
    assert new.seq > stored[4].seq
    again.close()
    files.release()


def test_known_ids_are_done() -> None:
    clock = Clock()
    outbox = Outbox(None, Bounds(), remember=3600, clock=clock)
    first = put(outbox, letter(id="a", keyed=True), letter(id="b", keyed=True), letter(id="a", keyed=True))
    assert [one.id for one in first] == ["a", "b"]
    outbox.commit(Group(done=numbers(*first)))
    assert put(outbox, letter(id="a", keyed=True)) == [], "also after it has left"
    assert [one.id for one in put(outbox, letter(id="b", keyed=True), letter(id="c"))] == ["c"]
    clock.now += 3700
    outbox.tend()
    assert len(put(outbox, letter(id="a", keyed=True))) == 1, "forgotten in the end"


# ------------------------------------------------------------------------------------------------------------- bounds


@pytest.mark.parametrize("bounds", [Bounds(rows=10), Bounds(bytes=100)])
def test_at_a_bound_batches_are_refused_whole(bounds: Bounds) -> None:
    outbox = Outbox(None, bounds)
    first = put(outbox, *letters(8))
    with pytest.raises(OutboxFull, match="the outbox is full: it holds 8 letters and 0 dead ones of 80 bytes"):
        put(outbox, *letters(3))
    put(outbox, *letters(2))
    stored = outbox.commit(Group([letters(1)], done=numbers(first[0])))
    assert stored.refusals == [None], "what leaves in the same group makes room"
    assert outbox.counts.waiting == 10
    outbox.commit(Group(dead=[(first[1].seq, "no")]))
    with pytest.raises(OutboxFull, match="9 letters and 1 dead ones"):
        put(outbox, letter(b"x" * 10))


@pytest.mark.parametrize("bounds", [Bounds(rows=10, drop_oldest=True), Bounds(bytes=100, drop_oldest=True)])
def test_at_a_bound_the_oldest_are_dropped(bounds: Bounds) -> None:
    outbox = Outbox(None, bounds)
    first = put(outbox, *letters(10))
    outbox.commit(Group(dead=[(first[5].seq, "no"), (first[6].seq, "no")]))
    stored = outbox.commit(Group([letters(1)]))
    assert (stored.dropped, stored.dropped_to) == (1, 0), "dead ones first"
    assert outbox.counts == Counts(9, 90, 1, 10)
    stored = outbox.commit(Group([letters(3)]))
    assert (stored.dropped, stored.dropped_to) == (3, first[1].seq)
    assert outbox.counts == Counts(10, 100, 0, 0)
    assert waiting(outbox)[0] == first[2].id
    stored = outbox.commit(Group([letters(30)]))
    assert (stored.dropped, outbox.counts.waiting) == (10, 30), "a batch that is larger than the bound is taken"


def test_an_old_letter_closes_the_outbox_or_is_dropped() -> None:
    clock = Clock()
    refusing = Outbox(None, Bounds(age=60), clock=clock)
    dropping = Outbox(None, Bounds(age=60, drop_oldest=True), clock=clock)
    for outbox in (refusing, dropping):
        put(outbox, *letters(3))
    clock.now += 50
    kept = [put(outbox, letter())[0].id for outbox in (refusing, dropping)]
    assert refusing.oldest() == 50
    clock.now += 20
    with pytest.raises(OutboxFull, match="its oldest letter has waited for 70 s"):
        put(refusing, letter())
    stored = dropping.commit(Group([letters(1)]))
    assert stored.dropped == 3
    assert waiting(dropping)[0] == kept[1]


def test_a_jump_of_the_clock_makes_nothing_old() -> None:
    wall, monotonic = 1000.0, 50.0
    clock = SteadyClock(lambda: wall, lambda: monotonic)
    outbox = Outbox(None, Bounds(age=60, drop_oldest=True), clock=clock)
    put(outbox, letter())
    wall = 1e9
    assert outbox.commit(Group([letters(1)])).dropped == 0
    wall = 0.0
    monotonic += 30
    assert outbox.oldest() == 30


def test_a_clock_that_was_set_back_between_two_starts(tmp_path: Path) -> None:
    files = OutboxFiles(tmp_path)
    outbox = Outbox(files, Bounds(), clock=lambda: 2_000_000.0)
    put(outbox, letter(id="late"))
    outbox.close()
    outbox = Outbox(files, Bounds(age=10, drop_oldest=True), clock=lambda: 1_000_000.0)
    assert outbox.oldest() == 0
    put(outbox, letter(id="early"))
    assert waiting(outbox) == ["late", "early"]
    outbox.close()


# -------------------------------------------------------------------------------------------------------------- files


def test_files_are_for_the_owner_only(tmp_path: Path) -> None:
    files = OutboxFiles(tmp_path / "deep" / "state")
    files.acquire()
    outbox = Outbox(files, Bounds())
    put(outbox, letter())
    for path in (tmp_path / "deep" / "state").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    outbox.close()
    files.release()


def test_two_cannot_have_one_outbox(tmp_path: Path) -> None:
    files, others = OutboxFiles(tmp_path), OutboxFiles(tmp_path)
    assert others.owner() is None
    files.acquire()
    assert others.owner() == str(os.getpid())
    with pytest.raises(OutboxInUse, match=rf"belongs to a running server \(process {os.getpid()}\); give each server"):
        others.acquire()
    program = (
        "import sys; from sethpusher_persist_http.files import OutboxFiles; files = OutboxFiles(sys.argv[1]); "
        "files.acquire(); print('has it', flush=True); sys.stdin.read()"
    )
    files.release()
    child = subprocess.Popen(
        [sys.executable, "-c", program, tmp_path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert child.stdout is not None
        assert child.stdout.readline() == "has it\n"
        with pytest.raises(OutboxInUse, match=str(child.pid)):
            files.acquire()
    finally:
        child.kill()
        child.communicate(timeout=UNIT)
    files.acquire()  # the lock ends with its process, however that ends
    files.release()


@pytest.mark.parametrize("content", [b"no database at all, but text" * 100, b"SQLite format 3\0" + b"\x07" * 5000])
def test_a_file_that_is_none(tmp_path: Path, content: bytes) -> None:
    files = OutboxFiles(tmp_path)
    files.database.write_bytes(content)
    with pytest.raises(OutboxDamaged, match="is damaged"):
        Outbox(files, Bounds())
    assert files.database.read_bytes() == content, "it is left as it was"
    told: list[tuple[Path, Exception]] = []
    outbox = Outbox(files, Bounds(), set_aside=lambda aside, error: told.append((aside, error)))
    [(aside, _)] = told
    assert aside.read_bytes() == content
    put(outbox, letter())
    outbox.close()


def test_another_programs_database_is_left_alone(tmp_path: Path) -> None:
    files = OutboxFiles(tmp_path)
    connection = sqlite3.connect(files.database)
    connection.execute("CREATE TABLE mine (x)")
    connection.close()
    with pytest.raises(OutboxDamaged, match="is no outbox: another program has made it"):
        Outbox(files, Bounds())


@pytest.mark.parametrize("version", [1, 3])
def test_an_outbox_of_another_release(tmp_path: Path, version: int) -> None:
    files = OutboxFiles(tmp_path)
    Outbox(files, Bounds()).close()
    connection = sqlite3.connect(files.database)
    connection.execute(f"PRAGMA user_version = {version}")
    connection.close()
    with pytest.raises(OutboxError, match=f"is of version {version}; this release reads version 2"):
        Outbox(files, Bounds())


def spoiled(files: OutboxFiles, seed: int) -> None:
    """Writes noise over the middle of the file."""
    content = bytearray(files.database.read_bytes())
    noise = random.Random(seed)
    for _ in range(20):
        begin = noise.randrange(4096, len(content) - 600)
        content[begin : begin + 600] = noise.randbytes(600)
    files.database.write_bytes(content)


def test_damage_is_found_at_the_start(tmp_path: Path) -> None:
    files = OutboxFiles(tmp_path)
    outbox = Outbox(files, Bounds())
    put(outbox, *letters(2000, size=200))
    outbox.close()
    spoiled(files, 1)
    with pytest.raises(OutboxDamaged):
        Outbox(files, Bounds())


def read_all(outbox: Outbox) -> None:
    for number in range(0, 2000, 100):
        outbox.read(1, number, 100, 1 << 30)


@pytest.mark.parametrize("set_aside", [False, True])
def test_damage_while_it_is_open(tmp_path: Path, set_aside: bool) -> None:
    files = OutboxFiles(tmp_path)
    told: list[Path] = []
    outbox = Outbox(files, Bounds(), set_aside=(lambda aside, error: told.append(aside)) if set_aside else None)
    before = put(outbox, *letters(2000, size=200))
    outbox._database.run("PRAGMA wal_checkpoint(TRUNCATE)")
    outbox._database.run("PRAGMA cache_size = 0")
    spoiled(files, 2)
    if not set_aside:
        with pytest.raises(OutboxDamaged):
            read_all(outbox)
        return
    read_all(outbox)
    assert len(told) == 1
    assert told[0].exists()
    [new] = put(outbox, letter())
    assert new.seq > before[-1].seq, "numbers go on, so that nothing that is noted is taken for a new letter"
    assert outbox.counts.waiting == 1
    outbox.close()


def test_a_full_disk_fails_and_passes(tmp_path: Path) -> None:
    files = OutboxFiles(tmp_path)
    outbox = Outbox(files, Bounds())
    stored = put(outbox, *letters(100, size=1000))
    [pages] = outbox._database.one("PRAGMA page_count")
    outbox._database.run(f"PRAGMA max_page_count = {pages + 3}")
    with pytest.raises(OutboxError, match="database or disk is full"):
        put(outbox, *letters(1000, size=1000))
    assert outbox.counts.waiting == 100
    assert len(waiting(outbox)) == 100
    outbox.commit(Group(done=numbers(*stored[:50])))
    put(outbox, *letters(20, size=1000))
    assert outbox.counts.waiting == 70
    outbox.close()


def test_space_is_given_back(tmp_path: Path) -> None:
    files = OutboxFiles(tmp_path)
    outbox = Outbox(files, Bounds())
    stored = put(outbox, *letters(3000, size=3000))
    outbox.commit(Group(done=numbers(*stored)))
    [before] = outbox._database.one("PRAGMA page_count")
    for _ in range(4):
        outbox.tend()
    [after] = outbox._database.one("PRAGMA page_count")
    assert after < before / 2
    outbox.close()


def test_lanes_are_made_anew_when_they_are_made_otherwise() -> None:
    outbox = Outbox(None, Bounds())
    outbox.relane("first", lambda target: 1)
    put(outbox, *letters(3))
    outbox.relane("first", lambda target: 5)
    assert outbox.lanes().keys() == {1}
    outbox.relane("second", lambda target: len(target))
    assert outbox.lanes().keys() == {len(TARGET)}


# ------------------------------------------------------------------------------------------------- against a model

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.lists(st.tuples(st.integers(1, 3), st.integers(1, 40)), min_size=1, max_size=6)),
        st.tuples(st.just("done"), st.lists(st.integers(0, 30), max_size=5, unique=True)),
        st.tuples(st.just("dead"), st.lists(st.integers(0, 30), max_size=3, unique=True)),
    ),
    max_size=25,
)


@given(steps=STEPS, drop=st.booleans(), rows=st.integers(3, 20), size=st.integers(50, 400))
def test_any_sequence_is_as_a_model_says(steps: list[tuple[str, list[Any]]], drop: bool, rows: int, size: int) -> None:
    """Order, counts and bounds, whatever is put in, posted and refused."""
    outbox = Outbox(None, Bounds(rows=rows, bytes=size, drop_oldest=drop))
    living: list[tuple[int, int, str, int]] = []  # seq, lane, id, size
    dead: list[tuple[int, int]] = []
    for what, arguments in steps:
        if what == "put":
            batch = [letter(b"x" * length, lane) for lane, length in arguments]
            need = sum(len(one.body) for one in batch)
            used = sum(one[3] for one in living) + sum(length for _, length in dead)
            over = len(living) + len(dead) + len(batch) > rows or used + need > size
            stored = outbox.commit(Group([batch]))
            refused = isinstance(stored.refusals[0], OutboxFull)
            assert refused == (over and not drop)
            if refused:
                continue
            while living + dead and (
                len(living) + len(dead) + len(batch) > rows
                or sum(one[3] for one in living) + sum(length for _, length in dead) + need > size
            ):
                (dead or living).pop(0)
            living += [(one.seq, one.lane, one.id, len(one.body)) for one in opened(stored.bundles)]
        else:
            chosen = [living[place] for place in arguments if place < len(living)]
            chosen = list(dict.fromkeys(chosen))
            ranges = [(one[0], one[0]) for one in chosen]
            outbox.commit(Group(done=ranges) if what == "done" else Group(dead=[(one[0], "no") for one in chosen]))
            living = [one for one in living if one not in chosen]
            if what == "dead":
                dead = sorted([*dead, *((one[0], one[3]) for one in chosen)])
        for lane in (1, 2, 3):
            assert waiting(outbox, lane) == [one[2] for one in living if one[1] == lane]
        counts = Counts(len(living), sum(one[3] for one in living), len(dead), sum(length for _, length in dead))
        assert outbox.counts == counts
        outbox._count()
        assert outbox.counts == counts, "what is counted along is what is there"
    outbox.close()
