"""What the command's log looks like, whatever is logged."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator

import pytest
from tornado.httputil import HTTPHeaders, HTTPServerRequest, RequestStartLine

from sethpusher_core.logs import hush_tornado, set_up

MALFORMED = "Malformed HTTP message from ::1"
LOGGERS = ("", "sethpusher.access", "asyncio", "tornado.general")


@pytest.fixture
def written(capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[[], str]]:
    """Gives what went to standard error. All that is set up is put back."""
    loggers = [logging.getLogger(name) for name in LOGGERS]
    before = [(one.handlers[:], one.level, one.propagate, one.filters[:]) for one in loggers]
    yield lambda: capsys.readouterr().err
    for one, (handlers, level, propagate, filters) in zip(loggers, before, strict=True):
        one.handlers[:], one.propagate, one.filters[:] = handlers, propagate, filters
        one.setLevel(level)


@pytest.mark.parametrize("name", ["a\n2026-11-26 INFO forged", "\x1b[2J", "\r", "\u2028", "\ud800", "\u202e"])
def test_one_record_is_one_line_of_what_can_be_printed(written: Callable[[], str], name: str) -> None:
    set_up("info", "text")
    logging.getLogger("sethpusher.x").info("denied channel %s", name)
    line = written()
    assert line.endswith(f"INFO    sethpusher.x: denied channel {ascii(name)[1:-1]}\n")
    assert line[:-1].isprintable()


def test_what_can_be_printed_is_left_as_it_is(written: Callable[[], str]) -> None:
    set_up("info", "text")
    logging.getLogger("sethpusher.x").info("channel %s", "Grüße\\n")
    assert "channel Grüße\\n\n" in written()


def test_a_traceback_has_its_lines(written: Callable[[], str]) -> None:
    set_up("info", "text")
    try:
        raise KeyError("oops")
    except KeyError:
        logging.getLogger("sethpusher.x").exception("failed")
    assert "\nKeyError: 'oops'\n" in written()


def test_json_is_one_line(written: Callable[[], str]) -> None:
    set_up("info", "json")
    logging.getLogger("sethpusher.x").info("channel %s", "a\nb")
    [line] = written().splitlines()
    assert json.loads(line)["message"] == "channel a\nb"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("400 GET /page?key=K (::1): Missing argument a", "400 GET /page?key=*** (::1): Missing argument a"),
        (f"{MALFORMED}: Invalid header value 'K\\x01'", f"{MALFORMED}: Invalid header value ***"),
        (f'{MALFORMED}: Invalid header name "it\'s K"', f"{MALFORMED}: Invalid header name ***"),
        (f"{MALFORMED}: no colon in header line", f"{MALFORMED}: no colon in header line"),
        ("nothing to hide: 100%", "nothing to hide: 100%"),
    ],
)
def test_tornados_lines_are_discreet(written: Callable[[], str], text: str, shown: str) -> None:
    set_up("info", "text")
    hush_tornado()
    hush_tornado()  # each server that starts does so
    logging.getLogger("tornado.general").warning("%s", text)
    assert written().endswith(f"tornado.general: {shown}\n")
    assert len(logging.getLogger("tornado.general").filters) == 1


def test_a_request_that_tornado_shows(written: Callable[[], str]) -> None:
    set_up("info", "text")
    hush_tornado()
    start_line = RequestStartLine("GET", "/page?key=K&x", "HTTP/1.1")
    request = HTTPServerRequest(start_line=start_line, headers=HTTPHeaders({"Host": "here"}))
    logging.getLogger("tornado.general").error("Uncaught exception %s\n%r", "GET /page?key=K&x", request)
    assert "uri='/page?key=***&***'" in written()


def test_a_wrong_logging_call_is_not_made_worse(written: Callable[[], str]) -> None:
    set_up("info", "text")
    hush_tornado()
    logging.getLogger("tornado.general").warning("%d of %s", "one")
    assert "--- Logging error ---" in written()
