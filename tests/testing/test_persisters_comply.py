from __future__ import annotations

import importlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType

import pytest

from sethpusher_core import Publication, hookimpl
from sethpusher_core.testing import Kept, PersistCompliance

EXAMPLE = Path(__file__).parents[2] / "examples/plugins/persist_file/sethpusher_example_persist_file.py"


class ListPersister:
    """The smallest right one."""

    def __init__(self, store: dict[str, Kept]) -> None:
        self.store = store

    @hookimpl
    def persist(self, publications: Sequence[Publication]) -> None:
        for publication in publications:
            self.store.setdefault(publication.id, Kept.of(publication))


class OutOfReach:
    @hookimpl
    async def persist(self, publications: Sequence[Publication]) -> None:
        raise ConnectionError("nobody is there")


class TestList(PersistCompliance):
    @pytest.fixture
    def store(self) -> dict[str, Kept]:
        return {}

    @pytest.fixture
    def make_plugin(self, store: dict[str, Kept]) -> Callable[[], object]:
        return lambda: ListPersister(store)

    @pytest.fixture
    def read_back(self, store: dict[str, Kept]) -> Callable[[], list[Kept]]:
        return lambda: list(store.values())

    @pytest.fixture
    def make_failing(self) -> Callable[[], object]:
        return OutOfReach


class TestExampleOfAFile(PersistCompliance):
    """The example plugin, which writes to a file in a thread."""

    @pytest.fixture
    def example(self, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
        monkeypatch.syspath_prepend(EXAMPLE.parent)
        return importlib.import_module(EXAMPLE.stem)

    @pytest.fixture
    def make_plugin(self, example: ModuleType, tmp_path: Path) -> Callable[[], object]:
        settings = example.FilePersister.Settings(path=str(tmp_path / "log"))
        return lambda: example.FilePersister(settings)

    @pytest.fixture
    def read_back(self, tmp_path: Path) -> Callable[[], list[Kept]]:
        async def read() -> list[Kept]:
            log = tmp_path / "log"
            rows = map(json.loads, log.read_bytes().splitlines()) if log.exists() else ()
            return [Kept(row["id"], row["message"], row["channel"], row["user"], row["sender_id"]) for row in rows]

        return read
