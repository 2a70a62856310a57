"""What most tests of the settings need: the core, a plugin, and one call that reads them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytest

from sethpusher_core.settings import (
    Component,
    Duration,
    Resolved,
    Secret,
    Size,
    Sources,
    core_component,
    load_file,
    resolve,
    setting,
)


@dataclass(frozen=True, slots=True)
class Key:
    name: str = setting(required=True)
    secret: Secret = setting(required=True)
    scopes: tuple[str, ...] = setting(("publish",))
    note: str = setting("")


@dataclass(frozen=True, slots=True)
class Tls:
    ca: str | None = None
    password: Secret | None = None


@dataclass(frozen=True, slots=True)
class RedisSettings:
    url: Secret = setting(required=True, chosen_default="redis://localhost:6379", help="Where Redis is.")
    timeout: Duration = setting("5s", help="How long to wait.")
    max_body: Size = setting("1MiB")
    db: int = setting(0, minimum=0, maximum=15)
    ratio: float = 0.5
    names: tuple[str, ...] = setting(())
    mode: Literal["one", "many"] = setting("one")
    pool: int | None = None
    fast: bool = False
    user: str = setting("", check=lambda text: "may not contain a space" if " " in text else None)
    keys: tuple[Key, ...] = setting(())
    tls: Tls | None = None


@pytest.fixture
def redis() -> Component:
    return Component("redis", RedisSettings, owner="sethpusher-redis 1.0.0")


@pytest.fixture
def core() -> Component:
    return core_component("1.0.0")


Read = Callable[..., Resolved]


@pytest.fixture
def read(tmp_path: Path, core: Component, redis: Component) -> Read:
    """Resolve core and redis; ``toml`` is written to a file first."""

    def read(
        *argv: str,
        toml: str | None = None,
        environ: Mapping[str, str] | None = None,
        components: tuple[Component, ...] = (),
        **more: Any,
    ) -> Resolved:
        file = None
        if toml is not None:
            path = tmp_path / "seth.toml"
            path.write_text(toml, encoding="utf-8")
            file = load_file(str(path), "--config")
        return resolve([core, redis, *components], Sources(argv, environ or {}, file), **more)

    return read


@pytest.fixture
def problem(read: Read) -> Callable[..., str]:
    """Resolve what must be refused, and give the one refusal; it is checked to be a single line."""

    def problem(*argv: str, **more: Any) -> str:
        found = read(*argv, strict=False, **more).problems
        assert len(found) == 1, found
        assert "\n" not in found[0].text
        return found[0].text

    return problem
