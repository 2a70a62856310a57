"""Keys, rings of them, and what is in a file of them."""

from __future__ import annotations

from hashlib import sha256

import pytest
from sethpusher_auth_apikey.keyfile import keys_in
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


@pytest.mark.parametrize("presented", ["sp_key_number_0", "sp_key_number_4", "sp_no_key", ""])
def test_every_key_is_compared_in_constant_time_whichever_is_presented(monkeypatch, presented):
    ring = KeyRing(key_of(fields(name=str(number), key=f"sp_key_number_{number}")) for number in range(5))
    compared = []

    def compare(kept: bytes, given: bytes) -> bool:
        compared.append((kept, given))
        return kept == given

    monkeypatch.setattr("hmac.compare_digest", compare)
    found = ring.find(presented.encode())
    assert (found is not None) == presented.startswith("sp_key")
    assert [kept for kept, _ in compared] == [key.digest for key in ring]
    assert {given for _, given in compared} == {sha256(presented.encode()).digest()}


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


def test_a_file_is_read():
    keys = keys_in(f'[[keys]]\nname = "a"\nkey = "{KEY}"\nscopes = ["read"]\nexpires = 1970-01-02\n'.encode())
    assert [(key.name, key.expires_at) for key in keys] == [("a", 86400.0)]


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
    ],
)
def test_a_bad_file_is_refused_without_showing_a_key(content, reason):
    with pytest.raises(ValueError, match=reason) as caught:
        keys_in(content)
    assert KEY not in str(caught.value)
    assert "\n" not in str(caught.value)
