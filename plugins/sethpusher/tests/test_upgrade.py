"""``pip install -U sethpusher`` over release 0.2.2 leaves a working command."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

from sethpusher_core import __version__

ROOT = Path(__file__).parents[3]
PATIENCE = 300.0
"""Seconds for building a wheel, whose tools are fetched first."""

OLD = "sethpusher-0.2.2"
OLD_FILES = {
    "sethpusher/__init__.py": "",
    "sethpusher/default_server.py": "def main():\n    print('the old one')\n",
    "sethpusher/gone.py": "",
    f"{OLD}.dist-info/METADATA": "Metadata-Version: 2.1\nName: sethpusher\nVersion: 0.2.2\n",
    f"{OLD}.dist-info/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    f"{OLD}.dist-info/entry_points.txt": "[console_scripts]\nseth-pusher = sethpusher.default_server:main\n",
}


def run(*command: str | Path, **environment: str) -> str:
    done = subprocess.run(
        [str(word) for word in command],
        env={"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), **environment},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Wheels of the core and of this distribution, built from copies of the tree."""
    folder = tmp_path_factory.mktemp("wheels")
    built: dict[str, Path] = {}
    for name, source, wanted in (
        ("core", ROOT, ("pyproject.toml", "README.md", "LICENSE", "sethpusher_core")),
        ("sethpusher", ROOT / "plugins" / "sethpusher", ("pyproject.toml", "README.md", "LICENSE", "src")),
    ):
        copy = folder / "source" / name
        copy.mkdir(parents=True)
        for item in wanted:
            if (source / item).is_dir():
                shutil.copytree(source / item, copy / item, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
            else:
                shutil.copy(source / item, copy / item)
        configuration = {key: value for key, value in os.environ.items() if key.startswith("PIP_")}
        run(sys.executable, "-m", "build", "--quiet", "--wheel", "--outdir", folder / name, copy, **configuration)
        [built[name]] = (folder / name).glob("*.whl")
    return built


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    """An environment with release 0.2.2 in it, or what pip makes of something like it."""
    old = tmp_path / f"{OLD}-py3-none-any.whl"
    with zipfile.ZipFile(old, "w") as archive:
        for name, text in OLD_FILES.items():
            archive.writestr(name, text)
        records = "".join(f"{name},,\n" for name in [*OLD_FILES, f"{OLD}.dist-info/RECORD"])
        archive.writestr(f"{OLD}.dist-info/RECORD", records)
    run(sys.executable, "-m", "venv", tmp_path / "env")
    pip(tmp_path / "env", old)
    assert run(tmp_path / "env/bin/seth-pusher") == "the old one\n"
    return tmp_path / "env"


def pip(environment: Path, *wheels: Path) -> None:
    options = ("--quiet", "--no-index", "--no-deps", "--disable-pip-version-check")
    run(environment / "bin/python", "-m", "pip", "install", "-U", *options, *wheels)


@pytest.mark.slow
@pytest.mark.parametrize("order", [("core", "sethpusher"), ("sethpusher", "core")], ids="-".join)
def test_an_upgrade_leaves_a_working_command(
    environment: Path, wheels: dict[str, Path], order: tuple[str, str]
) -> None:
    pip(environment, *(wheels[name] for name in order))
    dependencies = sysconfig.get_path("purelib")  # what ours depend on is there; editable installs are not seen so
    command = environment / "bin/seth-pusher"
    assert run(command, "--version", PYTHONPATH=dependencies) == f"seth-pusher {__version__}\n"
    assert "memory" in run(command, "--list-plugins", PYTHONPATH=dependencies)
    code = "import sethpusher, sethpusher.applications; print(sethpusher.__file__)"
    where = run(environment / "bin/python", "-c", code, PYTHONPATH=dependencies)
    assert Path(where.strip()).is_relative_to(environment)
    assert not (Path(where).parent / "gone.py").exists()
