from __future__ import annotations

import pytest

from sethpusher_core import errors
from sethpusher_core.errors import CLOSE_CODES, ERROR_CODES, CloseCode, ErrorCode, RequestError


def in_module(kind: type) -> list[object]:
    return [value for value in vars(errors).values() if type(value) is kind]


def test_the_tables_hold_every_code_of_the_module_once() -> None:
    assert sorted(map(id, ERROR_CODES)) == sorted(map(id, in_module(ErrorCode)))
    assert sorted(map(id, CLOSE_CODES)) == sorted(map(id, in_module(CloseCode)))


def test_codes_and_names_are_unique() -> None:
    assert len({error.code for error in ERROR_CODES}) == len({error.name for error in ERROR_CODES}) == len(ERROR_CODES)
    assert len({close.code for close in CLOSE_CODES}) == len(CLOSE_CODES)


@pytest.mark.parametrize("error", ERROR_CODES, ids=lambda error: error.name)
def test_error_codes_stay_in_the_core_s_range(error: ErrorCode) -> None:
    assert 1001 <= error.code <= 1999
    assert error.temporary == (error.code <= 1499)
    assert 400 <= error.status <= 599
    assert error.temporary == (error.status in (429, 500, 503)), "a temporary error has a status that says so"


@pytest.mark.parametrize("close", CLOSE_CODES, ids=lambda close: str(close.code))
def test_close_codes_fit_into_a_close_frame(close: CloseCode) -> None:
    assert 3000 <= close.code <= 3999
    assert close.comes_back == (close.code <= 3499)
    assert len(close.reason.encode()) <= 123


def test_a_request_error_speaks_for_its_code_unless_told_otherwise() -> None:
    assert RequestError(errors.DENIED).text == errors.DENIED.text
    assert RequestError(errors.DENIED, "").text == ""
    assert str(RequestError(errors.DENIED, "no")) == "denied: no"
