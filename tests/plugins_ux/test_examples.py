"""The plugins under examples/plugins: one of each kind, installed, found by the command, and at work in its server.

Nothing here or there is known to the core: it finds them by their entry points.
"""

from __future__ import annotations

import base64
import json
import os
import re
import resource
import shutil
import socket
import subprocess
import sys
import tokenize
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from plugins_ux.installed import EXAMPLES, ROOT, Environment, project_of
from support.clients import Bare

from sethpusher_core.plugins.inspection import read_specs

Install = Callable[..., Environment]

NAMES = sorted(path.parent.name for path in EXAMPLES.glob("*/pyproject.toml"))
HOOKS = {
    "auth_basic": {"authenticate"},
    "direct": {"authorize"},
    "guestbook": {"connected", "disconnected", "subscribed", "unsubscribed"},
    "persist_file": {"persist", "startup", "shutdown"},
    "redact": {"transform"},
    "ring": {"commands"},
    "tap": {"register_backends"},
    "whoami": {"dispatch"},
    "whoison": {"routes"},
}
USERS = '[plugins.auth_basic.users]\nada = "lovelace"\nbob = { env = "BOB" }\n'
BOB = {"BOB": "cousin"}
CARD = "4111 1111 1111 1111"


@pytest.fixture
def install(tmp_path: Path) -> Install:
    """Makes an environment with some of the examples: ``install("tap", "whoami")``."""
    return lambda *names: Environment(tmp_path, *names)


def basic(name: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()}


ADA, AS_BOB = basic("ada", "lovelace"), basic("bob", BOB["BOB"])


def messages(client: Any) -> list[Any]:
    """What was published to a client; notices aside."""
    return [envelope["message"] for envelope in client.take() if "channel" in envelope or "target_id" in envelope]


# ------------------------------------------------------------------------------------------------ as distributions


def test_there_is_one_of_each_kind():
    assert set(NAMES) == set(HOOKS)
    ours = "\n".join(path.read_text() for path in ROOT.glob("plugins/*/src/**/*.py"))
    shown = set().union(*HOOKS.values())
    assert shown <= set(read_specs())
    for hook in set(read_specs()) - shown:
        assert re.search(rf"@hookimpl[^\n]*\n +(async )?def {hook}\(", ours), f"nobody uses {hook}"


@pytest.mark.parametrize("name", NAMES)
def test_a_distribution_of_one_small_module(name):
    folder, project = EXAMPLES / name, project_of(name)
    [module] = folder.glob("*.py")
    assert module.name == f"sethpusher_example_{name}.py"
    assert (folder / project["readme"]).read_text().startswith(f"# {name}: ")
    assert project["dependencies"] == ["sethpusher-core>=1.0,<2"]
    [(point, target)] = project["entry-points"]["sethpusher"].items()
    assert point == name
    assert target.partition(":")[0] == module.stem
    assert lines_of_code(module) < 40


def lines_of_code(path: Path) -> int:
    """Lines with code on them: neither blank, nor comment, nor docstring."""
    silent = {tokenize.COMMENT, tokenize.NL}
    between = {tokenize.ENCODING, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}
    lines: set[int] = set()
    begins = True  # a statement; a text that does so is a docstring
    with path.open("rb") as file:
        for token in tokenize.tokenize(file.readline):
            if token.type in silent:
                continue
            if token.type not in between and not (token.type == tokenize.STRING and begins):
                lines.update(range(token.start[0], token.end[0] + 1))
            begins = token.type in between
    return len(lines)


def test_the_core_knows_none_of_them():
    for path in (ROOT / "sethpusher_core").rglob("*.py"):
        assert not re.search(r"sethpusher.example|examples/plugins", path.read_text()), path


# --------------------------------------------------------------------------------------------- found by the command


SETTINGS: dict[str, tuple[list[str], dict[str, str], str]] = {
    # By name: flags, variables, settings file. Each way is used by some.
    "auth_basic": ([], BOB, USERS),
    "direct": ([], {}, '[plugins.direct]\nprefix = "private:"\n'),
    "guestbook": (["--guestbook-level=debug"], {}, ""),
    "persist_file": ([], {"SETHPUSHER_PERSIST_FILE__PATH": "messages.jsonl"}, ""),
    "redact": (["--redact-mask=XXX"], {}, ""),
    "ring": (["--ring-url", "http://127.0.0.1:1"], {"SETHPUSHER_RING__AUTHORIZATION": "Basic Zm9v"}, ""),
    "tap": (["--tap-path=bus.jsonl"], {}, ""),
    "whoami": ([], {}, ""),
    "whoison": (["--whoison-refresh=90s"], {}, ""),
}
SHOWN = {
    "auth_basic": 'users = { ada = "***", bob = "***" }   # file {file} via environment BOB',
    "direct": 'prefix = "private:"   # file {file}',
    "guestbook": 'level = "debug"   # command line',
    "persist_file": 'path = "messages.jsonl"   # environment SETHPUSHER_PERSIST_FILE__PATH',
    "redact": 'mask = "XXX"   # command line',
    "ring": 'authorization = "***"   # environment SETHPUSHER_RING__AUTHORIZATION',
    "tap": 'path = "bus.jsonl"   # command line',
    "whoison": 'refresh = "90s"   # command line',
}
REQUIRE = {"auth_basic": "users", "persist_file": "path", "tap": "path"}


@pytest.mark.parametrize("name", NAMES)
def test_installed_it_is_listed_and_with_its_settings_it_is_active(install, name):
    environment = install(name)
    flags, variables, toml = SETTINGS[name]
    words = [*flags, environment.configured(toml)]

    [idle, *builtin] = environment.rows().values()
    assert (idle["name"], idle["version"], idle["distribution"]) == (name, "1.0.0", project_of(name)["name"])
    assert idle["status"] == ("available" if name in REQUIRE else "active")
    assert set(idle["hooks"]) == HOOKS[name]
    assert idle["path"] == str(environment.site.root / f"sethpusher_example_{name}.py")
    assert {row["distribution"] for row in builtin} == {"sethpusher-core"}

    active = environment.rows(*words, **variables)[name]
    assert active == {**idle, "status": "active", "order": 1}

    shown = environment.run("--show-config", *words, **variables)
    assert shown.returncode == 0
    if name in SHOWN:
        assert f"[plugins.{name}]" in shown.stdout
        assert SHOWN[name].replace("{file}", str(environment.folder / "settings.toml")) in shown.stdout.splitlines()
    for secret in ("lovelace", BOB["BOB"], "Zm9v"):
        assert secret not in shown.stdout


def test_the_help_has_all_their_settings_and_the_list_all_of_them(install):
    environment = install(*NAMES)
    help = environment.run("--help")
    assert (help.returncode, help.stderr) == (0, "")
    for name in set(NAMES) - {"whoami"}:
        assert f"\n{name} ({project_of(name)['name']} 1.0.0):\n" in help.stdout
    for flag in ("--direct-prefix=TEXT", "--tap-path=TEXT", "--whoison-refresh=DURATION"):
        assert f"\n  {flag}" in help.stdout
    assert re.search(r"\n  ring +Ring a user: ring NAME \[TEXT \.\.\.\] \(ring\)\n", help.stdout)
    lines = environment.run("--list-plugins").stdout.splitlines()
    listed = [line.split()[0] for line in lines if not line.endswith((" sethpusher-core", " FROM"))]
    assert [name for name in listed if f"--no-plugin={name}" not in environment.left_out] == NAMES


def test_its_calls_can_be_watched(install):
    environment = install("whoami")
    with environment.serve("--trace-plugins") as server:
        server.client("ada").request({"type": "whoami"})
    assert re.search(r"INFO +sethpusher\.trace: dispatch whoami [0-9]+ us: Handled\n", server.text)
    assert re.search(r"INFO +sethpusher\.trace: dispatch seed_messages [0-9]+ us: Handled\n", server.text)


def test_switched_off_it_is_gone_and_its_settings_are_let_pass(install):
    environment = install("auth_basic", "whoami")
    words = ["--no-plugin=auth-basic", "--no-plugin=sethpusher-example-whoami", environment.configured(USERS)]
    assert [row["status"] for row in environment.rows(*words).values()][:2] == ["disabled", "disabled"]
    with environment.serve(*words) as server:
        assert server.http.post("/api/channels/news/", 1).status == 200
        assert server.client().request({"type": "whoami"})["message"] == "Wrong type: whoami."


# ------------------------------------------------------------------------------------------------- at work: one each


def test_the_backend_delivers_and_keeps_a_copy(install):
    environment = install("tap")
    copy = environment.folder / "bus.jsonl"
    with environment.serve(f"--tap-path={copy}") as server:
        assert "backend: tap; plugins: tap" in server.text
        ada, bob = server.client("ada", "news"), server.client("bob", "news")
        server.http.post("/api/channels/news/", {"n": 1})
        server.http.post("/api/users/bob/", {"n": 2})
        assert messages(ada) == [{"n": 1}]
        assert messages(bob) == [{"n": 1}, {"n": 2}]
    rows = [json.loads(line) for line in copy.read_text().splitlines()]
    assert [name for _, name, payload in rows if '"type":"subscribe"' in payload] == ["news", "news"]
    assert [row[:2] for row in rows if '{"message":{"n": ' in row[2]] == [["channel", "news"], ["user", "bob"]]


def test_the_backend_refuses_the_start_in_one_line(install):
    environment = install("tap")
    failed = environment.run("--port=0", f"--tap-path={environment.folder / 'nowhere' / 'bus'}")
    assert failed.returncode == 3
    line = r"seth-pusher: not started: backend tap: tap\.path: .*No such file or directory: '\S+'\n"
    assert re.fullmatch(line, failed.stderr)
    chosen = environment.run("--port=0", "--backend=tap")
    assert chosen.returncode == 3
    assert "tap.path is required, because tap is chosen by name" in chosen.stderr


def test_the_authenticator_lets_in_who_knows_a_password(install):
    environment = install("auth_basic")
    with environment.serve(environment.configured(USERS), **BOB) as server:
        assert server.http.post("/api/channels/news/", 1).status == 401
        assert server.http.post("/api/channels/news/", 1, basic("ada", "guess")).status == 401
        assert server.http.post("/api/channels/news/", 1, basic("eve", "")).status == 401
        assert server.http.post("/api/channels/news/", 1, {"Authorization": "Basic ~"}).status == 401
        assert server.refusal() == server.refusal(basic("ada", "guess")) == (3500, "invalid credentials")
        ada = server.client(None, "news", headers=ADA)
        assert server.http.post("/api/channels/news/", "hi", AS_BOB).status == 200
        assert messages(ada) == ["hi"]
    assert "auth_basic: wrong name or password for 'ada'" in server.text
    for secret in ("lovelace", "guess", BOB["BOB"]):
        assert secret not in server.text


def test_whom_the_authenticator_knows_is_reached_by_name(install):
    environment = install("auth_basic")
    with environment.serve(environment.configured(USERS), **BOB) as server:
        ada = server.client("ada", headers=ADA)
        assert server.http.post("/api/users/ada/", "hi", AS_BOB).status == 200
        assert server.http.post("/api/channels/all/", "hi all", AS_BOB).status == 200
        assert messages(ada) == ["hi", "hi all"]


def test_an_authenticator_without_settings_is_warned_of(install):
    idle = "plugin auth_basic .* is installed and authenticates nobody: none of its settings is given"
    with install("auth_basic").serve(expect=[idle]) as server:
        assert server.http.post("/api/channels/news/", 1).status == 200


@pytest.mark.parametrize(
    ("users", "reason"),
    [
        ('ada = { env = "NO_SUCH" }', "auth_basic.users.ada .*: environment NO_SUCH, which it refers to, is not set"),
        ("", r"auth_basic.users \(file .*\) is required and may not be empty"),
        ("ada = 1", "auth_basic.users.ada "),
    ],
)
def test_the_authenticator_is_not_half_set(install, users, reason):
    environment = install("auth_basic")
    done = environment.run("--port=0", environment.configured(f"[plugins.auth_basic.users]\n{users}\n"))
    assert done.returncode == 3
    assert re.match(f"seth-pusher: {reason}", done.stderr)


def test_the_persister_has_written_before_the_publisher_is_told(install):
    environment = install("persist_file")
    file = environment.folder / "messages.jsonl"

    def records() -> list[Any]:
        return [json.loads(line) for line in file.read_text().splitlines()]

    with environment.serve(f"--persist-file-path={file}") as server:
        ada = server.client("ada", "news")
        first = server.http.post("/api/channels/news/", {"n": 1, "sender_id": "shop"}).json["id"]
        assert records() == [
            {
                "id": first,
                "channel": "news",
                "user": None,
                "idempotency_key": None,
                "sender_id": "shop",
                "message": {"n": 1, "sender_id": "shop"},
            }
        ]
        once = [server.http.post("/api/users/ada/", 2, {"Idempotency-Key": "two"}).json["id"] for _ in range(2)]
        assert [record["id"] for record in records()] == [first, once[0]] == [first, once[1]]
        assert messages(ada)[0] == {"n": 1, "sender_id": "shop"}

    with file.open("a") as torn:
        torn.write('{"id": "cut sho')
    # The backend forgets at once what has come under which key, so each repeat comes to the persister.
    with environment.serve(f"--persist-file-path={file}", "--idempotency-window=0s") as server:
        assert server.http.post("/api/users/ada/", 2, {"Idempotency-Key": "two"}).json["id"] == once[0]
        for _ in range(2):
            assert server.http.post("/api/channels/news/", 3, {"Idempotency-Key": "three"}).status == 200
    assert [record["message"] for record in records()] == [{"n": 1, "sender_id": "shop"}, 2, 3]


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="needs Linux's prlimit")
def test_what_the_persister_cannot_write_is_not_sent(install):
    environment = install("persist_file")
    file = environment.folder / "messages.jsonl"
    failure = (
        r"ERROR +sethpusher.publish: persist failed for 1 publications: plugin persist_file, hook persist: OSError"
    )
    with environment.serve(f"--persist-file-path={file}", expect=[failure]) as server:
        ada = server.client("ada", "news")
        assert server.http.post("/api/channels/news/", 1).status == 200
        process, limit = server.process.pid, resource.RLIMIT_FSIZE
        _, hard = resource.prlimit(process, limit)
        resource.prlimit(process, limit, (file.stat().st_size + 10, hard))  # a disk with room for ten bytes
        assert server.http.post("/api/channels/news/", 2).status == 503
        resource.prlimit(process, limit, (hard, hard))
        assert server.http.post("/api/channels/news/", 3).status == 200
        assert messages(ada) == [1, 3]
    assert [json.loads(line)["message"] for line in file.read_text().splitlines()] == [1, 3]


def test_the_persister_refuses_the_start_in_one_line(install):
    environment = install("persist_file")
    done = environment.run("--port=0", f"--persist-file-path={environment.folder}")
    assert done.returncode == 3
    assert re.fullmatch(
        r"seth-pusher: not started: plugin persist_file, hook startup: IsADirectoryError: .*\n", done.stderr
    )


def test_the_new_message_type_is_answered(install):
    with install("whoami").serve() as server:
        ada = server.client("ada", "news", "sport")
        told = ada.request({"type": "whoami"})
        assert told.pop("id").startswith("q")
        assert told == {
            "type": "ack",
            "subscriber_id": "ada",
            "proven": False,
            "channels": ["all", "news", "sport"],
            "transport": "rawwebsocket",
            "remote_ip": "127.0.0.1",
        }
        ada.send({"type": "whoami"})
        assert ada.next() == {"type": "error", "code": 1502, "message": "Must provide id for whoami message."}
        assert ada.request({"type": "whoareyou"})["message"] == "Wrong type: whoareyou."


def test_the_transform_masks_whatever_hides_a_card(install):
    environment = install("redact")
    with environment.serve() as server:
        ada = server.client("ada", "news")
        harmless = {"order": 1234567890123456, "phone": "+49 30 1234567"}
        for told, heard in (
            (f"my card is {CARD}.", "my card is [redacted]."),
            ({"cards": [{"number": 4111111111111111}, CARD]}, {"cards": [{"number": "[redacted]"}, "[redacted]"]}),
            ({CARD.replace(" ", "-"): [None, True, 1.5]}, {"[redacted]": [None, True, 1.5]}),
            (harmless, harmless),
        ):
            assert server.http.post("/api/channels/news/", told).status == 200
            assert messages(ada) == [heard]
        server.http.post("/api/channels/news/", b'{"n": "\\u0034111 1111 1111 1111", "n": "what a reader sees"}')
        server.http.post("/api/channels/news/", {"sender_id": CARD})
        ada.request({"type": "unsubscribe", "channel": "fence"})
        assert "1111" not in "".join(ada.inbox)
        twice, sender = ada.take()
        assert twice["message"] == {"n": "what a reader sees"}
        assert (sender["message"], sender["sender_id"]) == ({"sender_id": "[redacted]"}, "[redacted]")


def test_the_transform_takes_another_pattern_and_refuses_a_wrong_one(install):
    environment = install("redact")
    with environment.serve(r"--redact-pattern=(?i)\bsecret\w*", r"--redact-mask=\1") as server:
        ada = server.client("ada", "news")
        server.http.post("/api/channels/news/", f"Secrets are not {CARD}")
        assert messages(ada) == [rf"\1 are not {CARD}"]
    for pattern, reason in (("(", "it is no regular expression: .*"), ("x*", "it matches the empty text")):
        done = environment.run("--port=0", f"--redact-pattern={pattern}")
        assert done.returncode == 2
        where = r"seth-pusher: redact\.pattern \(command line\)"
        assert re.fullmatch(f"{where}: '{re.escape(pattern)}' is refused: {reason}\n", done.stderr)


def test_the_authorizer_lets_in_who_is_named_and_proven(install):
    environment = install("direct", "auth_basic")
    with environment.serve(environment.configured(USERS), **BOB) as server:
        ada = server.client(None, "dm:ada,bob", headers=ADA)
        assert ada.request({"type": "subscribe", "channel": "dm:bob,eve"})["code"] == 1504
        assert server.http.post("/api/channels/dm:ada,bob/", "psst", AS_BOB).status == 200
        assert server.http.post("/api/channels/dm:ada,eve/", "psst", AS_BOB).status == 403
        assert server.http.post("/api/channels/news/", "no opinion", AS_BOB).status == 200
        assert messages(ada) == ["psst"]
    assert "denied subscribe of channel dm:bob,eve to ada: direct: the channel does not name them" in server.text


@pytest.mark.parametrize(("flags", "type"), [((), "error"), (("--direct-trust-claims",), "ack")])
def test_the_authorizer_believes_claims_only_if_told_to(install, flags, type):
    with install("direct").serve(*flags) as server:
        ada = server.client("ada")
        assert ada.request({"type": "subscribe", "channel": "dm:ada,bob"})["type"] == type
        assert ada.request({"type": "subscribe", "channel": "dm:bob,eve"})["type"] == "error"
        assert ada.request({"type": "subscribe", "channel": "news"})["type"] == "ack"


def test_the_guestbook_tells_of_comings_and_goings(install):
    environment = install("guestbook")
    with environment.serve() as server:
        ada = Bare(server.port)
        ada.connect("ada")
        ada.subscribe("news")
        ada.request({"type": "unsubscribe", "channel": "news"})
        ada.close()
        went = server.wait_for(r"sethpusher\.guestbook: ('ada' went .*)")
    lines = re.findall(r"INFO +sethpusher\.guestbook: (.*)", server.text)
    assert lines == [
        "'ada' came over rawwebsocket",
        "'ada' joined 'all'",  # who has said connect hears the notices there
        "'ada' joined 'news'",
        "'ada' left 'news'",
        "'ada' left 'all'",
        went,
    ]
    assert went == "'ada' went with code 1000"


def test_the_page_shows_who_is_on(install):
    with install("whoison").serve("--whoison-refresh=90s") as server:
        server.client("<b>ada", "news & sport")
        for path in ("/whoison/", "/whoison"):
            page = server.http.get(path)
            assert page.status == 200
            assert page.headers["content-type"] == "text/html; charset=UTF-8"
            assert page.headers["refresh"] == "90"
            assert "<dt>news &amp; sport</dt><dd>&lt;b&gt;ada</dd>" in page.text
        assert server.http.post("/whoison/", 1).status == 405


def test_the_page_is_not_for_everybody(install):
    environment = install("whoison", "auth_basic")
    environment.site.add("sethpusher-private", points="private = private_plugin", private_plugin=PRIVATE)
    with environment.serve(environment.configured(USERS), **BOB) as server:
        assert server.http.get("/whoison/").status == 401
        assert server.http.get("/whoison/", AS_BOB).status == 403
        assert server.http.get("/whoison/", ADA).status == 200


PRIVATE = """
from sethpusher_core import Denied, hookimpl

@hookimpl
def authorize(identity, action, target):
    if (action, target.kind) == ("inspect", "server") and identity.subscriber_id != "ada":
        return Denied("only ada may look")
"""


def test_the_sub_command_rings_a_user_of_a_running_server(install):
    environment = install("ring", "auth_basic")
    settings = environment.configured(USERS)
    with environment.serve("--no-plugin=auth_basic") as server:
        ada = server.client("ada/lovelace")
        url = f"--ring-url=http://127.0.0.1:{server.port}/"
        done = environment.run(url, "ring", "ada/lovelace", "lunch", "is", "ready")
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        assert messages(ada) == [{"ring": "lunch is ready"}]
    with environment.serve(settings, **BOB) as server:
        url = f"--ring-url=http://127.0.0.1:{server.port}"
        refused = environment.run(url, "ring", "ada")
        assert refused.returncode == 1
        assert refused.stderr.startswith('ada was not rung: {"message":"Invalid Auth credentials provided"')
        allowed = environment.run("ring", "ada", url, SETHPUSHER_RING__AUTHORIZATION=ADA["Authorization"])
        assert (allowed.returncode, allowed.stderr) == (0, "")


def test_the_sub_command_fails_in_one_line(install):
    environment = install("ring")
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # and does not listen
        nobody = environment.run(f"--ring-url=http://127.0.0.1:{closed.getsockname()[1]}", "ring", "ada")
    assert nobody.returncode == 1
    assert re.fullmatch(r"ada was not rung: .*Connection refused.*\n", nobody.stderr)
    whom = environment.run("ring")
    assert (whom.returncode, whom.stderr) == (2, "seth-pusher: ring whom? write seth-pusher ring NAME [TEXT ...]\n")
    near = environment.run("rimg")
    assert (near.returncode, near.stderr) == (2, "seth-pusher: no command 'rimg'; did you mean ring?\n")


# ------------------------------------------------------------------------------------------------- at work: together


def test_all_of_them_together(install):
    environment = install(*NAMES)
    bus, kept = environment.folder / "bus.jsonl", environment.folder / "messages.jsonl"
    words = [environment.configured(USERS), f"--tap-path={bus}", f"--persist-file-path={kept}"]
    assert {row["status"] for row in environment.rows(*words, **BOB).values()} == {"active"}
    checked = environment.run("check", *words, **BOB)
    assert (checked.returncode, checked.stderr) == (0, "")
    assert checked.stdout.startswith("backend: tap\n")
    assert "\n  dispatch: whoami, " in checked.stdout  # before those that are built in
    assert not bus.exists(), "a check opens nothing"

    with environment.serve(*words, **BOB) as server:
        assert f"backend: tap; plugins: {', '.join(NAMES)}" in server.text
        ada = server.client(None, "dm:ada,bob", headers=ADA)
        assert ada.request({"type": "whoami"})["proven"] is True
        assert server.http.post("/api/channels/dm:ada,bob/", {"pay": CARD}, AS_BOB).status == 200
        assert messages(ada) == [{"pay": "[redacted]"}]
        assert "<dt>dm:ada,bob</dt><dd>ada</dd>" in server.http.get("/whoison/", ADA).text
    assert [json.loads(line)["message"] for line in kept.read_text().splitlines()] == [{"pay": "[redacted]"}]
    assert "[redacted]" in bus.read_text()
    assert CARD not in bus.read_text() + kept.read_text()


# ------------------------------------------------------------------------------------------------ a start stays quick

DRIVEN = """
from dataclasses import dataclass
from sethpusher_core.backends.memory import MemoryBackend
from sethpusher_core.hookspecs import hookimpl
from sethpusher_core.settings import setting

@dataclass(frozen=True, slots=True)
class Settings:
    url: str = setting(required=True)

class Driven:
    Settings = Settings

    def __init__(self, settings):
        import a_driver

    @hookimpl
    def startup(self):
        pass

    @staticmethod
    @hookimpl
    def register_backends(register):
        def factory(settings):
            import the_driver_of_a_backend
            return MemoryBackend()
        register("driven", factory, Settings)
"""
DRIVERS = {"a_driver", "the_driver_of_a_backend"}


@pytest.fixture
def driven(install: Install) -> Environment:
    """An environment with a plugin that has drivers, and with all examples."""
    environment = install(*NAMES)
    environment.site.add("sethpusher-driven", points="driven = driven_plugin:Driven", driven_plugin=DRIVEN)
    for driver in DRIVERS:
        environment.site.module(driver, f"import sys; print('{driver} is loaded', file=sys.stderr)")
    return environment


def test_the_version_imports_neither_a_server_nor_a_plugin(driven):
    modules = driven.modules("--version", "--driven-url=x")
    assert "sethpusher_core.cli" in modules
    assert not [name for name in modules if name.startswith(("tornado", "sethpusher_example", "driven_plugin"))]
    assert not modules & {"asyncio", "importlib_metadata", "pluggy", *DRIVERS}


@pytest.mark.parametrize("words", [["--list-plugins"], ["--help"], ["--show-config"], ["check"]])
def test_no_driver_is_imported_for_an_inactive_plugin(driven, words):
    modules = driven.modules(*words)
    assert {"driven_plugin", "sethpusher_example_whoami"} <= modules
    assert not modules & DRIVERS


def test_no_driver_is_imported_to_list_an_active_plugin(driven):
    assert not driven.modules("--list-plugins", "--driven-url=x") & DRIVERS
    # A check makes the plugin and its backend, so it finds a driver that is missing.
    assert driven.modules("check", "--driven-url=x") & DRIVERS == DRIVERS


def test_the_drivers_of_an_active_plugin_are_imported(driven):
    words = [*(f"--no-plugin={name}" for name in NAMES), "--driven-url=x"]
    with driven.serve(*words, expect=[r"a_driver is loaded\nthe_driver_of_a_backend is loaded"]) as server:
        assert "backend: driven" in server.text


def test_a_plugin_that_is_switched_off_is_not_imported(driven):
    modules = driven.modules("check", "--no-plugin=whoami", "--no-plugin=driven")
    assert not modules & {"driven_plugin", "sethpusher_example_whoami"}
    assert "sethpusher_example_redact" in modules


# ---------------------------------------------------------------------------------------------------- with a real pip


@pytest.mark.slow
def test_pip_installs_and_uninstalls_them(tmp_path):
    def pip(*words: str) -> None:
        command = [tmp_path / "venv/bin/python", "-m", "pip", "--disable-pip-version-check", "--quiet", *words]
        done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
        assert done.returncode == 0, done.stderr

    sources = tmp_path / "sources"  # copies: building leaves folders behind
    for name in NAMES:
        shutil.copytree(EXAMPLES / name, sources / name, ignore=shutil.ignore_patterns("build", "*.egg-info"))
    shutil.copytree(ROOT / "sethpusher_core", sources / "core" / "sethpusher_core")
    for file in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / file, sources / "core")
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True, timeout=120)
    pip("install", "-c", str(ROOT / "constraints.txt"), *(str(path) for path in sources.iterdir()))

    environment = Environment(tmp_path)
    environment.command, environment.left_out = [str(tmp_path / "venv/bin/seth-pusher")], []
    environment.variables = {"PATH": os.environ["PATH"]}
    assert [name for name, row in environment.rows().items() if row["distribution"] != "sethpusher-core"] == NAMES
    with environment.serve("--no-plugin=auth_basic", f"--tap-path={tmp_path / 'bus'}") as server:
        assert "backend: tap; plugins: direct, guestbook, redact, ring, tap, whoami, whoison" in server.text
        ada = server.client("ada", "news")
        assert ada.request({"type": "whoami"})["subscriber_id"] == "ada"
        server.http.post("/api/channels/news/", CARD)
        assert messages(ada) == ["[redacted]"]

    pip("uninstall", "--yes", project_of("whoami")["name"])
    assert "whoami" not in environment.rows()


@pytest.mark.slow
def test_they_are_typed():
    command = [sys.executable, "-m", "mypy", "--strict", *(str(EXAMPLES / name) for name in NAMES)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=600, check=False)
    assert done.returncode == 0, done.stdout
