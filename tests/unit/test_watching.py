"""A file that is read again when it has changed."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from support.logs import LogWatch
from support.timing import UNIT

from sethpusher_core.watching import LARGEST, WatchedFile

log = logging.getLogger("sethpusher.test")


def number(data: bytes) -> int:
    try:
        return int(data)
    except ValueError:
        raise ValueError("is no number") from None


def watched(path: Path) -> WatchedFile[int]:
    return WatchedFile(str(path), number, what="the numbers", log=log)


def replace(path: Path, text: str) -> None:
    path.with_suffix(".new").write_text(text)
    path.with_suffix(".new").rename(path)


class Changes:
    """Watches a file in a loop, and waits for what is told of it."""

    def __init__(self, path: Path) -> None:
        self.file = watched(path)
        self.told: list[tuple[int, int]] = []

    def run(self, *steps: Callable[[], bool]) -> None:
        """Each step does something to the file once, and is then asked until it says that all is well."""

        async def watch() -> None:
            self.file.start(0.001, lambda old, new: self.told.append((old, new)))
            async with asyncio.timeout(UNIT):
                for step in steps:
                    while not step():
                        await asyncio.sleep(0.001)
                self.file.stop()
                while asyncio.all_tasks() != {asyncio.current_task()}:  # a look that was under way ends, too
                    await asyncio.sleep(0)

        asyncio.run(watch())


def after(action: Callable[[], object], condition: Callable[[], bool]) -> Callable[[], bool]:
    done: list[object] = []

    def step() -> bool:
        if not done:
            done.append(action())
        return condition()

    return step


def test_it_is_read_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("1")
    assert watched(tmp_path / "file").value == 1


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"x", "file: is no number"), (None, f"file: {os.strerror(2)}"), (b"1" * (LARGEST + 1), "file: is larger than")],
)
def test_a_bad_one_is_refused_at_the_start(tmp_path: Path, content: bytes | None, reason: str) -> None:
    if content is not None:
        (tmp_path / "file").write_bytes(content)
    with pytest.raises(ValueError, match=reason) as caught:
        watched(tmp_path / "file")
    assert "\n" not in str(caught.value)


def test_a_folder_and_no_path_at_all_are_refused(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "a\0b"):
        with pytest.raises(ValueError, match=r"directory|null"):
            watched(path)


def test_a_change_holds_and_is_told_once(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("1")
    changes = Changes(path)
    changes.run(
        after(lambda: replace(path, "2"), lambda: changes.file.value == 2),
        after(lambda: path.write_text("3"), lambda: changes.file.value == 3),
    )
    assert changes.told[0][0] == 1
    assert changes.told[-1][1] == 3
    assert all(old != new for old, new in changes.told)


def test_one_that_is_being_written_is_left_alone_until_it_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("12")
    file = watched(path)
    for half in ("3", "345"):
        path.write_text(half)
        asyncio.run(file._look())
        assert file.value == 12
    asyncio.run(file._look())
    assert file.value == 345


def test_a_link_that_is_turned_to_another_file_is_a_change(tmp_path: Path) -> None:
    """As secrets are renewed in containers: the path is a link, and only its end is another."""
    for name in ("1", "2"):
        (tmp_path / name).write_text(name)
        os.utime(tmp_path / name, (0, 0))
    (tmp_path / "file").symlink_to("1")
    changes = Changes(tmp_path / "file")

    def turn() -> None:
        (tmp_path / "next").symlink_to("2")
        (tmp_path / "next").rename(tmp_path / "file")

    changes.run(after(turn, lambda: changes.file.value == 2))


def test_a_bad_one_changes_nothing_and_is_told_once(tmp_path: Path, logs: LogWatch) -> None:
    path = tmp_path / "file"
    path.write_text("1")
    changes = Changes(path)
    changes.run(
        after(lambda: replace(path, "x"), lambda: any("is no number" in line for line in logs.lines())),
        after(path.unlink, lambda: any("No such file" in line for line in logs.lines())),
        after(lambda: path.write_text("4"), lambda: changes.file.value == 4),
    )
    assert changes.told == [(1, 4)]
    logs.expect("the numbers stay as they were: .*file: is no number", level=logging.ERROR)
    logs.expect("the numbers stay as they were: .*file: No such file", level=logging.ERROR)
