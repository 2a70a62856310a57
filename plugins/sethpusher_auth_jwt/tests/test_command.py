"""The plugin as it is installed: settings, what it costs, ``seth-pusher token``."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
import tomllib
from pathlib import Path
from typing import Any

import jwt
import pytest
from jwt_tokens import EC_KEY, OTHER_SECRET, RSA_KEY, SECRET, jwk, jwks, private_pem, public_pem
from support.timing import UNIT

SOURCE = Path(__file__).parents[1]
KEY = {"SETHPUSHER_AUTH_JWT__KEY": SECRET}


class Command:
    """``seth-pusher`` where nothing but this plugin is installed."""

    def __init__(self, folder: Path) -> None:
        project = tomllib.loads((SOURCE / "pyproject.toml").read_text())["project"]
        info = folder / f"sethpusher_auth_jwt-{project['version']}.dist-info"
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

    def __call__(self, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "sethpusher_core", *words],
            env={"PATH": os.environ["PATH"], "PYTHONPATH": self._path, **environment},
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=4 * UNIT,
            check=False,
        )

    def token(self, *words: str, **environment: str) -> str:
        done = self("token", *words, **environment)
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout.strip()


@pytest.fixture
def command(tmp_path: Path) -> Command:
    return Command(tmp_path)


def test_a_secret_is_made_before_there_is_any(command: Command) -> None:
    made = command.token("key")
    assert re.fullmatch(r"[\w-]{43}", made)
    assert made != command.token("key")
    assert command.token("--user=ada", SETHPUSHER_AUTH_JWT__KEY=made).count(".") == 2


def test_a_token_of_the_shared_secret(command: Command) -> None:
    words = ("--user=ada", "--lasts", "10m", "--subscribe=news.*,room.7", "--publish=room.7", "--kid=k")
    claims = ("--auth-jwt-audience=push,other", "--auth-jwt-issuer=us", "--auth-jwt-capabilities=seth")
    text = command.token(*words, *claims, **KEY)
    payload = jwt.decode(text, SECRET, algorithms=["HS256"], audience="push", issuer="us")
    assert payload["sub"] == "ada"
    assert payload["seth"] == {"subscribe": ["news.*", "room.7"], "publish": ["room.7"]}
    assert 590 < payload["exp"] - time.time() <= 600
    assert jwt.get_unverified_header(text)["kid"] == "k"
    assert "sub" not in jwt.decode(command.token(**KEY), SECRET, algorithms=["HS256"])


@pytest.mark.parametrize(("key", "algorithm"), [(RSA_KEY, "RS256"), (EC_KEY, "ES256")])
def test_a_token_of_a_private_key(command: Command, key: Any, algorithm: str) -> None:
    (command.folder / "private.pem").write_text(private_pem(key))
    (command.folder / "jwks.json").write_text(jwks(jwk(key, kid="k")))
    words = ("--user=ada", "--key-file=private.pem", "--kid=k", "--auth-jwt-jwks-file=jwks.json")
    assert jwt.decode(command.token(*words), public_pem(key), algorithms=[algorithm])["sub"] == "ada"


def test_a_token_that_the_server_would_refuse(command: Command) -> None:
    (command.folder / "private.pem").write_text(private_pem(EC_KEY))
    done = command("token", "--user=ada", "--key-file=private.pem", **KEY)
    assert done.returncode == 1
    assert "the server refuses this token: there is no key for alg 'ES256', kid None" in done.stderr
    assert done.stdout.count(".") == 2


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--colour=red"], "does not know --colour=red"),
        (["ada"], "does not know ada"),
        (["--user"], "does not know --user"),
        (["--user=ada", "--lasts=soon"], "--lasts"),
        (["--user=ada"], "there is no shared secret in the settings"),
        (["--user=ada", "--key-file=none.pem"], "cannot be read"),
        (["--user=ada", "--key-file=public.pem"], "no key to sign with"),
        (["--user=ada", "--auth-jwt-jwks-file=jwks.json"], "there is no shared secret in the settings"),
    ],
)
def test_what_is_not_understood_is_a_usage_error(command: Command, words: list[str], reason: str) -> None:
    (command.folder / "public.pem").write_text(public_pem(RSA_KEY))
    (command.folder / "jwks.json").write_text(jwks(jwk(RSA_KEY)))
    done = command("token", *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("seth-pusher: token")
    assert reason in done.stderr


def test_no_key_is_shown(command: Command) -> None:
    (command.folder / "seth.toml").write_text(
        f'[plugins.auth_jwt]\nkey = {{ env = "A" }}\n[[plugins.auth_jwt.keys]]\nkey = "{OTHER_SECRET}"\n'
    )
    for words in (["--show-config"], ["check"], ["--list-plugins", "--json"]):
        done = command("--config=seth.toml", *words, A=SECRET)
        assert done.returncode == 0, done.stderr
        for secret in (SECRET, OTHER_SECRET):
            assert secret not in done.stdout + done.stderr
    assert "auth_jwt" in done.stdout


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ('key = "short"', "key is no key for HS256"),
        (f'key = "{SECRET}"\nalgorithm = "RS256"', "key is no key for RS256"),
        (f'key = "{SECRET}"\nalgorithm = "none"', "is not one of HS256, RS256, ES256"),
        ('jwks_file = "none.json"', "none.json: No such file"),
        ('audience = ["push"]', "is required"),
        ('[[plugins.auth_jwt.keys]]\nkey = { file = "private.pem" }\nalgorithm = "RS256"', "is a private key"),
    ],
)
def test_wrong_settings_refuse_the_start_in_one_line(command: Command, settings: str, reason: str) -> None:
    (command.folder / "private.pem").write_text(private_pem(RSA_KEY))
    (command.folder / "seth.toml").write_text(f"[plugins.auth_jwt]\n{settings}\n")
    done = command("--port=0", "--config=seth.toml")
    assert done.returncode == 3
    assert done.stderr.count("\n") == 1
    assert reason in done.stderr
    assert SECRET not in done.stderr


def test_one_that_is_only_installed_costs_nothing(command: Command) -> None:
    """PyJWT loads OpenSSL; a server that has no keys for tokens does without both."""
    probe = (
        "import sys; from sethpusher_core.cli import main; code = main(sys.argv[1:]); print({'jwt'} & set(sys.modules))"
    )
    for environment, loaded in (({}, "set()"), (KEY, "{'jwt'}")):
        done = subprocess.run(
            [sys.executable, "-c", probe, "check"],
            env={"PATH": os.environ["PATH"], "PYTHONPATH": command._path, **environment},
            cwd=command.folder,
            capture_output=True,
            text=True,
            timeout=4 * UNIT,
            check=False,
        )
        assert done.stdout.splitlines()[-1] == loaded, done.stderr


def test_without_cryptography_there_is_hs256(command: Command) -> None:
    """Of a distribution that is not installed its import fails, as here."""
    (command.folder / "cryptography").mkdir()
    (command.folder / "cryptography" / "__init__.py").write_text("raise ModuleNotFoundError(name=__name__)\n")
    assert command.token("--user=ada", **KEY).count(".") == 2
    (command.folder / "seth.toml").write_text(
        f"[plugins.auth_jwt]\nkey = '''{public_pem(EC_KEY)}'''\nalgorithm = 'ES256'\n"
    )
    done = command("--port=0", "--config=seth.toml")
    assert "ES256 needs the package cryptography: pip install 'sethpusher-auth-jwt[crypto]'" in done.stderr
