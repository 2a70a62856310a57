"""The plugin as it is installed: settings, ``--show-config``, ``seth-pusher apikey``."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from sethpusher_auth_apikey.keys import key_of
from support.timing import UNIT

SOURCE = Path(__file__).parents[1]
KEY = "sp_0123456789abcdefghij"


class Command:
    """``seth-pusher`` where nothing but this plugin is installed."""

    def __init__(self, folder: Path) -> None:
        project = tomllib.loads((SOURCE / "pyproject.toml").read_text())["project"]
        info = folder / f"sethpusher_auth_apikey-{project['version']}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
            + "".join(f"Requires-Dist: {line}\n" for line in project["dependencies"])
        )
        points = project["entry-points"]["sethpusher"]
        lines = "".join(f"{name} = {value}\n" for name, value in points.items())
        (info / "entry_points.txt").write_text(f"[sethpusher]\n{lines}")
        self.folder = folder
        self._path = os.pathsep.join([str(folder), str(SOURCE / "src"), str(SOURCE.parents[1])])

    def __call__(self, *words: str, text: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "sethpusher_core", *words],
            env={"PATH": os.environ["PATH"], "PYTHONPATH": self._path, **environment},
            cwd=self.folder,
            input=text,
            capture_output=True,
            text=True,
            timeout=4 * UNIT,
            check=False,
        )


@pytest.fixture
def command(tmp_path: Path) -> Command:
    return Command(tmp_path)


def test_a_key_is_made_before_there_is_any(command: Command) -> None:
    words = ("--name=shop", "--scopes=publish,read", "--channel=shop.*,news", "--expires=2099-01-31")
    done = command("apikey", "new", *words)
    assert (done.returncode, done.stderr) == (0, "")
    [key] = re.findall(r"^sp_[\w-]{43}$", done.stdout, re.MULTILINE)
    [table] = tomllib.loads(done.stdout[done.stdout.index("[[keys]]") :])["keys"]
    made = key_of(table)
    assert (made.name, made.scopes, made.channels) == ("shop", {"publish", "read"}, ("shop.*", "news"))
    assert command("apikey", "hash", text=f"{key}\n").stdout.strip() == table["hash"]
    assert command("apikey", "new").stdout != command("apikey", "new").stdout


@pytest.mark.parametrize("words", [[], ["new", "--scopes=fly"], ["new", "--colour=red"], ["new", "name"], ["hash"]])
def test_what_is_not_understood_is_a_usage_error(command: Command, words: list[str]) -> None:
    done = command("apikey", *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("seth-pusher: apikey")


def test_no_key_is_shown(command: Command) -> None:
    config = command.folder / "seth.toml"
    config.write_text('[[plugins.auth_apikey.keys]]\nname = "a"\nkey = { env = "A" }\nscopes = ["read"]\n')
    for words in (["--show-config"], ["check"], ["--list-plugins", "--json"]):
        done = command(f"--config={config}", *words, SETHPUSHER_AUTH_APIKEY__KEY=KEY, A=KEY[::-1])
        assert done.returncode == 0, done.stderr
        for key in (KEY, KEY[::-1]):
            assert key not in done.stdout + done.stderr
    assert "auth_apikey" in done.stdout


@pytest.mark.parametrize(
    "keys",
    [
        f'name = "a"\nkey = "{KEY}"\nscopes = ["fly"]',
        f'name = "a"\nkey = "{KEY}"\nhash = "{KEY}"\nscopes = ["read"]',
        f'name = "a"\nkey = "{KEY}"\nscopes = ["read"]\n'
        f'[[plugins.auth_apikey.keys]]\nname = "b"\nkey = "{KEY}"\nscopes = ["read"]',
        'name = "a"\nkey = { env = "NO_SUCH" }\nscopes = ["read"]',
    ],
)
def test_wrong_keys_refuse_the_start_in_one_line_without_the_key(command: Command, keys: str) -> None:
    (command.folder / "seth.toml").write_text(f"[[plugins.auth_apikey.keys]]\n{keys}\n")
    done = command("--port=0", f"--config={command.folder}/seth.toml")
    assert done.returncode == 3
    assert done.stderr.count("\n") == 1
    assert KEY not in done.stderr


def test_a_keys_file_that_is_not_there_refuses_the_start(command: Command) -> None:
    done = command("--port=0", "--auth-apikey-keys-file=none.toml")
    assert done.returncode == 3
    assert "none.toml: No such file" in done.stderr


@pytest.mark.parametrize(
    ("words", "code", "line"),
    [
        (["--channel=shop.a"], 0, "yes plugin auth_apikey: says yes"),
        (["--channel=news"], 1, "no  plugin auth_apikey: the key 'shop' is for other channels only"),
        (["--channel=news", "--http"], 1, "is for other channels only"),
        (["--to=ada", "--http"], 1, "the key 'shop' is for other channels only"),
    ],
)
def test_what_a_key_may_do_is_explained_without_a_server(
    command: Command, words: list[str], code: int, line: str
) -> None:
    table = f'name = "shop"\nkey = "{KEY}"\nscopes = ["publish"]\nchannels = ["shop.*"]\n'
    (command.folder / "seth.toml").write_text(f"[[plugins.auth_apikey.keys]]\n{table}")
    asked = ("--by=auth_apikey", '--info={"key": "shop"}', "--action=publish", *words)
    done = command(f"--config={command.folder}/seth.toml", "explain", "access", *asked)
    assert done.returncode == code, done.stderr
    assert line in done.stdout
    assert "to somebody without an id (by auth_apikey)" in done.stdout


@pytest.mark.parametrize("info", ["key", "[1]", ""])
def test_what_an_authenticator_says_is_an_object(command: Command, info: str) -> None:
    asked = ("--by=auth_apikey", f"--info={info}", "--action=publish")
    done = command("explain", "access", *asked, SETHPUSHER_AUTH_APIKEY__KEY=KEY)
    assert done.returncode == 2
    assert "--info must be a JSON object" in done.stderr
