"""The examples hold what the compliance kit asks of their kinds."""

from __future__ import annotations

import base64
import importlib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from plugins_ux.installed import EXAMPLES, Environment

from sethpusher_core import Address, Identity
from sethpusher_core.settings import Secret
from sethpusher_core.testing import (
    AuthenticateCompliance,
    AuthorizeCompliance,
    BackendCompliance,
    Change,
    DispatchCompliance,
    Exchange,
    Kept,
    Opinion,
    PersistCompliance,
    PluginCompliance,
    Presented,
    TransformCompliance,
)

pytestmark = pytest.mark.slow  # many, and only the kit or the examples can break them


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Any]:
    """Imports the module of an example."""

    def example(name: str) -> Any:
        monkeypatch.syspath_prepend(str(EXAMPLES / name))
        return importlib.import_module(f"sethpusher_example_{name}")

    return example


# --------------------------------------------------------------------------------------------------- as plugins


class AsPlugin(PluginCompliance):
    settings_of: Mapping[str, Any] | None = None
    example_name = ""

    @pytest.fixture
    def plugin_name(self) -> str:
        return self.example_name

    @pytest.fixture
    def path(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Sequence[str]:
        root = str(Environment(tmp_path, self.example_name).site.root)
        monkeypatch.syspath_prepend(root)
        return [root]

    @pytest.fixture
    def settings(self, tmp_path: Path) -> Mapping[str, Any] | None:
        if self.settings_of is None:
            return None
        return {name: str(tmp_path / "file") if name == "path" else value for name, value in self.settings_of.items()}


class TestAuthBasicAsPlugin(AsPlugin):
    example_name = "auth_basic"
    settings_of = {"users": {"ada": "lovelace"}}  # noqa: RUF012 - read only


class TestDirectAsPlugin(AsPlugin):
    example_name = "direct"


class TestPersistFileAsPlugin(AsPlugin):
    example_name = "persist_file"
    settings_of = {"path": ""}  # noqa: RUF012 - read only


class TestRedactAsPlugin(AsPlugin):
    example_name = "redact"


class TestRingAsPlugin(AsPlugin):
    example_name = "ring"


class TestTapAsPlugin(AsPlugin):
    example_name = "tap"
    settings_of = {"path": ""}  # noqa: RUF012 - read only


class TestWhoamiAsPlugin(AsPlugin):
    example_name = "whoami"


class TestWhoisonAsPlugin(AsPlugin):
    example_name = "whoison"


# --------------------------------------------------------------------------------------------------- by their hooks


def basic(name: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()}


class TestAuthBasic(AuthenticateCompliance):
    @pytest.fixture
    def make_plugin(self, example: Callable[[str], Any]) -> Callable[[], object]:
        plugin = example("auth_basic").BasicAuth
        users = {"ada": Secret("lovelace"), "böb": Secret("cöusin: x")}
        return lambda: plugin(plugin.Settings(users=users))

    @pytest.fixture
    def accepted(self) -> Sequence[Presented]:
        return [
            Presented(basic("ada", "lovelace"), subscriber_id="ada"),
            Presented(basic("böb", "cöusin: x"), subscriber_id="böb"),
        ]

    @pytest.fixture
    def refused(self) -> Sequence[Presented]:
        return [
            Presented(basic("ada", "guess")),
            Presented(basic("eve", "")),
            Presented({"Authorization": "Basic ~"}),
            Presented({"Authorization": "Basic"}),
        ]


class TestDirect(AuthorizeCompliance):
    @pytest.fixture
    def make_plugin(self, example: Callable[[str], Any]) -> Callable[[], object]:
        plugin = example("direct").Direct
        return lambda: plugin(plugin.Settings())

    @pytest.fixture
    def opinions(self) -> Sequence[Opinion]:
        ada, bob, eve = (Identity(name, proven=True) for name in ("ada", "bob", "eve"))
        theirs, news = Address.channel("dm:ada,bob"), Address.channel("news")
        return [
            Opinion(ada, "subscribe", theirs, True),
            Opinion(bob, "publish", theirs, True),
            Opinion(eve, "subscribe", theirs, False),
            Opinion(Identity("ada"), "presence", theirs, False),
            Opinion(Identity(), "history", theirs, False),
            Opinion(ada, "subscribe", news, None),
        ]


class TestPersistFile(PersistCompliance):
    @pytest.fixture
    def make_plugin(self, example: Callable[[str], Any], tmp_path: Path) -> Callable[[], object]:
        plugin = example("persist_file").FilePersister
        return lambda: plugin(plugin.Settings(path=str(tmp_path / "log")))

    @pytest.fixture
    def read_back(self, tmp_path: Path) -> Callable[[], Sequence[Kept]]:
        def read() -> Sequence[Kept]:
            log = tmp_path / "log"
            rows = map(json.loads, log.read_bytes().splitlines()) if log.exists() else ()
            return [Kept(row["id"], row["message"], row["channel"], row["user"], row["sender_id"]) for row in rows]

        return read


class TestRedact(TransformCompliance):
    @pytest.fixture
    def make_plugin(self, example: Callable[[str], Any]) -> Callable[[], object]:
        plugin = example("redact").Redact
        return lambda: plugin(plugin.Settings())

    @pytest.fixture
    def changes(self) -> Sequence[Change]:
        return [
            Change({"card": "4111 1111 1111 1111"}, {"card": "[redacted]"}),
            Change([4111111111111111, True, None], ["[redacted]", True, None]),
            Change({"4111-1111-1111-1111": 1}, {"[redacted]": 1}),
            Change({"order": "1234"}, {"order": "1234"}),
        ]


class TestTap(BackendCompliance):
    one_node = "it joins no processes"

    @pytest.fixture
    def make_backend(self, example: Callable[[str], Any], tmp_path: Path) -> Callable[[], Any]:
        tap = example("tap")
        return lambda: tap.TapBackend(tap.Settings(path=str(tmp_path / "copy")))

    @pytest.fixture
    def make_unreachable(self, example: Callable[[str], Any], tmp_path: Path) -> Callable[[], Any]:
        tap = example("tap")
        return lambda: tap.TapBackend(tap.Settings(path=str(tmp_path / "nowhere" / "copy")))


class TestWhoami(DispatchCompliance):
    @pytest.fixture
    def make_plugin(self, example: Callable[[str], Any]) -> Callable[[], object]:
        return lambda: example("whoami")

    @pytest.fixture
    def exchanges(self) -> Sequence[Exchange]:
        return [Exchange({"type": "whoami"}, reply={"proven": False, "transport": "rawwebsocket"})]
