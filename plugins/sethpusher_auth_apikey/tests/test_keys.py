"""Keys, rings of them, and the file that they are read from."""

from __future__ import annotations

import os

import pytest
from sethpusher_auth_apikey.keyfile import LARGEST, KeyFile
from sethpusher_auth_apikey.keys import KeyRing, hash_line, key_of

from sethpusher_core.settings import Secret

KEY = "sp_0123456789abcdefghij"


def fields(**changed: object) -> dict[str, object]:
    return {"name": "shop", "key": KEY, "scopes": ["publish"], **changed}


def test_a_key_and_its_hash_are_the_same_key():
    by_key = key_of(fields())
    by_hash = key_of({"name": "shop", "hash": hash_line(KEY.encode()), "scopes": ["publish"]})
    by_secret = key_of(fields(key=Secret(KEY)))
    assert by_key == by_hash == by_secret
    assert KeyRing([by_key]).find(KEY.encode()) is by_key
    assert KeyRing([by_key]).find(KEY.encode() + b"x") is None
    assert KEY not in repr(by_key)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"name": ""}, "a key needs a name"),
        ({"name": "a\nb"}, "a key needs a name"),
        ({"key": None}, "give it either a key or a hash"),
        ({"hash": hash_line(b"x")}, "give it either a key or a hash"),
        ({"key": ""}, "key must be a text that is not empty"),
        ({"key": None, "hash": "sha256:12"}, "hash must be what seth-pusher apikey new prints"),
        ({"key": None, "hash": "0" * 64}, "hash must be what"),
        ({"key": None, "hash": 5}, "hash must be what"),
        ({"scopes": []}, "scopes must be some of"),
        ({"scopes": "publish"}, "scopes must be a list of texts"),
        ({"scopes": ["fly"]}, "scopes must be some of"),
        ({"channels": []}, "channels must not be empty"),
        ({"expires": "soon"}, "expires must be a date"),
        ({"chanels": ["a"]}, "chanels is unknown"),
    ],
)
def test_what_is_wrong_with_a_key_is_said_without_the_key(changed, reason):
    with pytest.raises(ValueError, match=reason) as caught:
        key_of(fields(**changed))
    assert KEY not in str(caught.value)


@pytest.mark.parametrize("pair", [({}, {"key": "another"}), ({}, {"name": "another"})])
def test_keys_can_be_told_apart(pair):
    with pytest.raises(ValueError, match=r"two keys have the name|are the same key"):
        KeyRing(key_of(fields(**changed)) for changed in pair)


def test_dates_are_utc_unless_they_say_otherwise():
    assert key_of(fields(expires="1970-01-02")).expires_at == 86400
    assert key_of(fields(expires="1970-01-02T01:00:00+01:00")).expires_at == 86400


def test_channel_patterns():
    key = key_of(fields(channels=["news", "shop.*"]))
    assert [key.covers(name) for name in ("news", "shop.", "shop.a", "news.a", "other")] == [
        True,
        True,
        True,
        False,
        False,
    ]
    assert not key.everywhere


def test_a_file_is_read(tmp_path):
    path = tmp_path / "keys.toml"
    file = KeyFile(str(path))
    assert file.changed()
    path.write_text(f'[[keys]]\nname = "a"\nkey = "{KEY}"\nscopes = ["read"]\nexpires = 1970-01-02\n')
    assert file.changed()
    assert not file.changed()
    assert [(key.name, key.expires_at) for key in file.read()] == [("a", 86400.0)]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "must hold"),
        (b"keys = 1", "must hold"),
        (b"keys = [1]", "must be a table"),
        (b"other = 1\n[[keys]]\nname='a'", "must hold"),
        (f"[[keys]]\nkey = {KEY}".encode(), "is not TOML"),
        (b'[[keys]]\nkey = "\xff"', "is not UTF-8"),
        (b"[[keys]]\nname = 'a'\nkey = 'sp_0123456789abcdefghij'", "scopes must be"),
        (b"#" * (LARGEST + 1), "is larger than"),
    ],
)
def test_a_bad_file_is_refused_without_showing_a_key(tmp_path, content, reason):
    path = tmp_path / "keys.toml"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=reason) as caught:
        KeyFile(str(path)).read()
    assert KEY not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(ValueError, match=os.strerror(2)):
        KeyFile(str(tmp_path / "none")).read()
