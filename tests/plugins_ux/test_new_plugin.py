"""``seth-pusher new-plugin`` writes plugins that are found, hold what the kit asks, and run in a server."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from plugins_ux.generated import ACTIVE, KINDS, SIGNED, TRACES, written
from plugins_ux.installed import Environment
from plugins_ux.venvs import OFFLINE, VirtualEnvironment

from sethpusher_core.cli import main


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]):
    """What the command has printed."""
    return lambda: capsys.readouterr().out


def laid_out(project: Path, environment: Environment) -> None:
    """Installs a project as pip would, without pip: its package, and from ``pyproject.toml`` its metadata."""
    table = tomllib.loads((project / "pyproject.toml").read_text())["project"]
    readme = (project / table["readme"]).read_text()
    environment.site.add(
        table["name"],
        table["version"],
        points="\n".join(f"{name} = {target}" for name, target in table["entry-points"]["sethpusher"].items()),
        requires=table["dependencies"],
        fields=f"Summary: {table['description']}\nRequires-Python: {table['requires-python']}\n\n{readme}",
        nothing="",
    )
    shutil.copytree(project / "src", environment.site.root, dirs_exist_ok=True)


@pytest.mark.parametrize(
    "kind", [kind if kind == "auth" else pytest.param(kind, marks=pytest.mark.slow) for kind in KINDS]
)
def test_each_kind_is_found_complies_and_runs(kind: str, tmp_path: Path, said) -> None:
    project = written(kind, tmp_path)
    assert f"pip install -e '{project}[testing]'\n" in said()
    environment = Environment(tmp_path)
    laid_out(project, environment)

    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider", str(project)],
        env={**os.environ, "PYTHONPATH": environment.variables["PYTHONPATH"], "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        cwd=project,
    )
    assert done.returncode == 0, done.stdout
    assert done.stdout.startswith("."), "the first one is: I am discovered"

    variables = {name: value.replace("messages", str(tmp_path / "messages")) for name, value in ACTIVE[kind].items()}
    row = environment.rows(**variables)[f"my_{kind}"]
    assert (row["status"], row["version"], row["distribution"]) == ("active", "0.1.0", f"sethpusher-my-{kind}")
    with environment.serve("--trace-plugins", **variables) as server:
        backend = "my_backend" if kind == "backend" else "memory"
        assert f"backend: {backend}; plugins: " in server.text
        ada = server.client("ada", "news", headers=SIGNED)
        ada.request({"type": f"my_{kind}", "text": "one two", "id": 1})
        assert server.http.post("/api/channels/news/", "a secret", SIGNED).status == 200
        expected = "a ***" if kind == "transform" else "a secret"
        assert ada.take()[-1]["message"] == expected
    if kind in TRACES:
        assert re.search(rf"sethpusher\.trace: {TRACES[kind]} [0-9]+ us: ", server.text)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_is_installed_by_pip(kind: str, tmp_path: Path, said) -> None:
    place = VirtualEnvironment(tmp_path)
    project = written(kind, tmp_path)
    said()
    place.run("python", "-m", "pip", "install", "--quiet", *OFFLINE, str(project))
    tests = place.run("python", "-m", "pytest", "-q", "-p", "no:cacheprovider", str(project / "tests"))
    assert tests.startswith("."), "the first one is: I am discovered"
    rows = {
        row["name"]: row for row in json.loads(place.run("seth-pusher", "--list-plugins", "--json", **ACTIVE[kind]))
    }
    assert rows[f"my_{kind}"]["status"] == "active"
    assert str(tmp_path / "venv") in rows[f"my_{kind}"]["path"], "a wheel, not the source"
    assert "ok" in place.run("seth-pusher", "check", **ACTIVE[kind]).splitlines()


def test_what_it_writes_is_in_order(tmp_path: Path, said) -> None:
    for kind in KINDS:
        written(kind, tmp_path)
    said()
    rules = "--select=A,B,C4,E,F,I,N,PIE,PT,RET,RUF,SIM,UP,W"
    lint = ["check", rules, "--ignore=RUF009", "--target-version=py311"]  # RUF009: setting() is a declaration
    for words in (["format", "--check"], lint):
        command = [sys.executable, "-m", "ruff", *words, "--isolated", "--no-cache", "--line-length=120", "."]
        for project in tmp_path.iterdir():
            done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=project, timeout=60)
            assert done.returncode == 0, done.stdout
    texts = {path: path.read_text() for path in tmp_path.rglob("*") if path.is_file()}
    assert not [path for path, text in texts.items() if re.search(r"\$[a-z{]|MODULE|PLUGIN", f"{path.name} {text}")]


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ([], "write seth-pusher new-plugin NAME --kind="),
        (["--kind=auth", "one"], "write seth-pusher new-plugin NAME --kind="),
        (["one", "two", "--kind=auth"], "new-plugin does not know two; write seth-pusher new-plugin NAME --kind="),
        (["one"], "there is no kind ''; there is backend, auth, persist, dispatch, transform"),
        (["one", "--kind=magic"], "there is no kind 'magic'"),
        (["one", "--colour=red"], "new-plugin does not know --colour=red"),
        (["1st", "--kind=auth"], "'1st' is no name for a plugin"),
        (["Größe", "--kind=auth"], "is no name for a plugin"),
        (["class", "--kind=auth"], "'class' is no name for a plugin"),
        (["redis", "--kind=backend"], "redis is the name of a plugin that exists"),
        (["sethpusher-auth-jwt", "--kind=auth"], "auth_jwt is the name of a plugin that exists"),
        (["memory", "--kind=backend"], "memory is the name of a plugin that exists"),
    ],
)
def test_what_it_refuses(words: list[str], reason: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--no-plugins", "new-plugin", *words]) == 2
    out, err = capsys.readouterr()
    assert reason in err
    assert out == ""


def test_it_overwrites_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    project = written("auth", tmp_path)
    text = (project / "README.md").read_text()
    (project / "README.md").write_text("mine")
    assert main(["--no-plugins", "new-plugin", "sethpusher_my_auth", "--kind=auth", f"--into={tmp_path}"]) == 3
    assert "is there already" in capsys.readouterr().err
    assert (project / "README.md").read_text() == "mine" != text
