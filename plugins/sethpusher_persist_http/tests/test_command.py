"""``seth-pusher outbox``: beside a running server, and without one."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.endpoint import Endpoint, Reply
from support.logs import LogWatch
from support.server import RunningServer
from support.timing import UNIT

Posting = Callable[..., RunningServer]
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """``run("status")``, with the folder that ``posting`` uses."""

    def run(*words: str, folder: Path | None = tmp_path / "state") -> subprocess.CompletedProcess[str]:
        flags = [f"--state-dir={folder}"] if folder is not None else []
        return subprocess.run(
            [sys.executable, "-m", "sethpusher_core", *flags, "--load-plugins=outbox", "outbox", *words],
            env={"PATH": os.environ["PATH"], "PYTHONIOENCODING": "utf-8"},
            capture_output=True,
            text=True,
            timeout=4 * UNIT,
        )

    return run


def refuse_odd(endpoint: Endpoint) -> None:
    def answer(post: Any) -> Reply:
        odd = any(one["message"] % 2 for one in post.publications)
        return Reply(400, "ungerade: ü".encode()) if odd else Reply()

    endpoint.answer = answer


def wait_for_dead(server: RunningServer, count: int) -> None:
    def dead() -> bool:
        plugin = next(one.plugin for one in server.push.hooks._registry.plugins if one.name == "persist_http")
        counts = plugin._office._outbox.counts  # type: ignore[attr-defined]
        return bool(counts.dead == count and not counts.waiting)

    server.wait_until(dead, f"{count} dead letters")


def test_beside_a_running_server(posting: Posting, endpoint: Endpoint, logs: LogWatch, run: Run) -> None:
    refuse_odd(endpoint)
    server = posting()
    ids = [server.publish("news", number).json["id"] for number in range(6)]
    wait_for_dead(server, 3)
    logs.expect("has refused 1 publications", level=40)

    status = run("status")
    assert (status.returncode, status.stderr) == (0, "")
    assert re.search(rf"^server +process {os.getpid()}$", status.stdout, re.MULTILINE)
    assert re.search(r"^waiting +0, 0 bytes$", status.stdout, re.MULTILINE)
    assert re.search(r"^dead letters +3, \d+ bytes, the first of 20\S+Z$", status.stdout, re.MULTILINE)

    rows = [json.loads(line) for line in run("dead-letters").stdout.splitlines()]
    assert [(row["id"], row["channel"], row["why"], row["retry"]) for row in rows] == [
        (ids[number], "news", "HTTP 400: ungerade: ü", False) for number in (1, 3, 5)
    ]
    assert json.loads(rows[0]["body"])["message"] == 1

    assert run("purge", ids[1]).stdout == "1 dead letters are gone\n"
    endpoint.answer = lambda post: Reply()
    assert run("retry", ids[5]).stdout == "1 dead letters will be posted again, by the server that runs\n"
    assert endpoint.wait_for_taken(4)[-1]["id"] == ids[5]
    assert run("retry").stdout.startswith("1 dead letters")
    assert endpoint.wait_for_taken(5)[-1]["id"] == ids[3]
    wait_for_dead(server, 0)
    refused = run("purge", "--waiting")
    assert refused.returncode != 0
    assert "belongs to a running server" in refused.stderr
    assert refused.stderr.count("\n") == 1


def test_the_page_shows_what_it_prints(posting: Posting, run: Run) -> None:
    page = (Path(__file__).parents[3] / "docs/persist-http.md").read_text()
    [shown] = re.findall(r"outbox status\n(.*?)```", page, re.DOTALL)
    posting()
    labels = [line[:14] for line in run("status").stdout.splitlines()]
    assert labels == [line[:14] for line in shown.splitlines()]


def test_without_a_server(posting: Posting, endpoint: Endpoint, logs: LogWatch, run: Run) -> None:
    refuse_odd(endpoint)
    server = posting()
    ids = [server.publish("news", number).json["id"] for number in range(2)]
    wait_for_dead(server, 1)
    endpoint.stop()
    server.publish("news", 2)
    logs.expect("has refused", level=40)
    logs.expect("cannot be posted", level=40)
    server.stop()
    assert "none runs" in run("status").stdout
    assert run("retry").stdout == "1 dead letters will be posted again, by the server that starts next\n"
    [row] = [json.loads(line) for line in run("dead-letters").stdout.splitlines()]
    assert row["retry"] is True
    endpoint.answer = lambda post: Reply()
    endpoint.start()
    server = posting()
    assert [one["message"] for one in endpoint.wait_for_taken(3)][-2:] == [2, 1]
    assert endpoint.publications[-1]["id"] == ids[1]


def test_what_waits_can_be_thrown_away_while_no_server_runs(
    posting: Posting, endpoint: Endpoint, logs: LogWatch, run: Run
) -> None:
    endpoint.stop()
    server = posting()
    server.publish("news", 1)
    logs.expect("cannot be posted", level=40)
    server.stop()
    assert run("purge", "--waiting").stdout == "1 waiting publications are gone, and will not be posted\n"
    assert "waiting       0" in run("status").stdout


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        ((), 2, "write seth-pusher outbox status"),
        (("stats",), 2, "write seth-pusher outbox status"),
        (("status", "now"), 2, "it takes no 'now'"),
        (("retry", "nobody"), 2, "no dead letter has such an id"),
        (("purge", "--all"), 2, "write seth-pusher outbox status"),
    ],
)
def test_words_that_are_wrong(posting: Posting, run: Run, words: tuple[str, ...], code: int, text: str) -> None:
    posting().stop()
    done = run(*words)
    assert (done.returncode, done.stdout) == (code, "")
    assert text in done.stderr
    assert done.stderr.count("\n") == 1


def test_where_there_is_none(run: Run, tmp_path: Path) -> None:
    assert "state_dir is not set" in run("status", folder=None).stderr
    assert run("status", folder=tmp_path).stderr == f"seth-pusher: outbox: there is no outbox in {tmp_path}\n"
    (tmp_path / "persist-http.sqlite").write_bytes(b"nonsense" * 1000)
    assert "cannot be used" in run("status", folder=tmp_path).stderr
    (tmp_path / "persist-http.sqlite").unlink()
    connection = sqlite3.connect(tmp_path / "persist-http.sqlite")
    connection.execute("CREATE TABLE mine (x)")
    connection.close()
    assert "is no outbox of this release" in run("status", folder=tmp_path).stderr
