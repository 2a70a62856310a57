"""``seth-pusher check`` refuses what the start would refuse: here, what only the backend can tell."""

from __future__ import annotations

from pathlib import Path

import pytest
from plugins_ux.installed import Environment

PLAIN = """
from sethpusher_core.backends.memory import MemoryBackend
from sethpusher_core.hookspecs import hookimpl

class Plain(MemoryBackend):
    capabilities = frozenset()

def undriven(settings):
    import no_such_driver

@hookimpl
def register_backends(register):
    register("plain", lambda settings: Plain(), None)
    register("undriven", undriven, None)
"""


@pytest.fixture
def plain(tmp_path: Path) -> Environment:
    environment = Environment(tmp_path)
    environment.site.add(points="plain = plain_plugin", plain_plugin=PLAIN)
    return environment


@pytest.mark.parametrize("key", ["history", "presence"])
@pytest.mark.parametrize("words", [["check"], ["--port=0"]], ids=["check", "serve"])
def test_a_rule_that_needs_what_the_backend_lacks(plain: Environment, words: list[str], key: str) -> None:
    value = {"history": "5", "presence": "true"}[key]
    file = plain.configured(f'[[channels]]\nmatch = "a"\n[[channels]]\nmatch = "news"\n{key} = {value}\n')
    done = plain.run(*words, file, "--backend=plain")
    assert (done.returncode, done.stdout) == (3, "")
    path = file.removeprefix("--config=")
    assert done.stderr == f"seth-pusher: channels[1].{key} (file {path}): the backend plain does not offer {key}\n"


@pytest.mark.parametrize(("words", "before"), [(["check"], ""), (["--port=0"], "not started: ")])
def test_a_backend_whose_driver_is_missing(plain: Environment, words: list[str], before: str) -> None:
    done = plain.run(*words, "--backend=undriven")
    assert (done.returncode, done.stdout) == (3, "")
    line = f"seth-pusher: {before}backend undriven: ModuleNotFoundError: No module named 'no_such_driver'\n"
    assert done.stderr == line


def test_all_well(plain: Environment) -> None:
    done = plain.run("check", "--backend=plain")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("backend: plain\n")
    assert done.stdout.endswith("\nok\n")
