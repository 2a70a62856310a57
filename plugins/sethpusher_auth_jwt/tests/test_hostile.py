"""Hostile input, by the hundred: a token that was changed is never accepted, and nothing makes the verifier fail."""

from __future__ import annotations

import json
import string
import time
from functools import cache
from typing import Any

from hypothesis import assume, example, given
from hypothesis import strategies as st
from jwt_tokens import EC_KEY, RSA_KEY, SECRET, b64, by_hand, jwk, jwks, public_pem, token
from sethpusher_auth_jwt.capabilities import capabilities_of
from sethpusher_auth_jwt.keys import Key, KeySet, key_of_text, keys_of_jwks
from sethpusher_auth_jwt.settings import JwtSettings
from sethpusher_auth_jwt.tokens import BadToken, Proof, Verifier

from sethpusher_core.settings import Secret

KEYS = KeySet(
    [
        key_of_text(SECRET, "HS256", "shared"),
        key_of_text(public_pem(RSA_KEY), "RS256", "rsa"),
        key_of_text(public_pem(EC_KEY), "ES256"),
    ]
)
VERIFIER = Verifier(JwtSettings(key=Secret(SECRET)))
ALPHABET = string.ascii_letters + string.digits + "-_"


@cache
def tokens() -> tuple[str, ...]:
    """A good one of each algorithm."""
    capabilities = {"subscribe": ["news.*"]}
    return (
        token(capabilities=capabilities, kid="shared"),
        token(RSA_KEY, "RS256", capabilities=capabilities, kid="rsa"),
        token(EC_KEY, "ES256", capabilities=capabilities),
    )


def proof_of(text: str) -> Proof | None:
    """What a text proves; None if it is refused, and only a BadToken refuses."""
    try:
        return VERIFIER.verify(text, KEYS)
    except BadToken as error:
        reason = str(error)
    assert reason.isprintable()
    return None


good = st.sampled_from([0, 1, 2]).map(lambda index: tokens()[index])
json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


def test_the_tokens_are_good() -> None:
    for text in tokens():
        proof = proof_of(text)
        assert proof is not None
        assert proof.subscriber_id == "ada"


@given(good, st.data())
def test_one_character_changed(text: str, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(st.sampled_from(ALPHABET + ".=+/ \n\0") | st.characters())
    assume(other != text[place])
    assert proof_of(text[:place] + other + text[place + 1 :]) is None


def test_every_bit_of_every_character_changed() -> None:
    """Not left to chance: of one token all neighbours are tried, the unused bits at the end of a part among them."""
    text = tokens()[0]
    for place, character in enumerate(text):
        for bit in range(7):
            assert proof_of(text[:place] + chr(ord(character) ^ 1 << bit) + text[place + 1 :]) is None, (place, bit)
    for place in (len(text) - 1, text.index(".") - 1, text.rindex(".") - 1):
        for other in set(ALPHABET) - {text[place]}:
            assert proof_of(text[:place] + other + text[place + 1 :]) is None, (place, other)


@given(good, st.data())
def test_something_cut_out_or_put_in(text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 40)))
    inserted = data.draw(st.text(ALPHABET + ".=\n ", max_size=40) | st.text(max_size=4))
    changed = text[:start] + inserted + text[end:]
    assume(changed != text)
    assert proof_of(changed) is None


@given(good, good, st.permutations([0, 1, 2]))
def test_parts_of_different_tokens_put_together(one: str, other: str, order: list[int]) -> None:
    parts, others = one.split("."), other.split(".")
    mixed = ".".join((parts, others, parts)[place][order[place]] for place in range(3))
    assume(mixed not in tokens())
    assert proof_of(mixed) is None


@given(good, st.dictionaries(st.sampled_from(["sub", "exp", "capabilities", "aud", "x"]), json_values, min_size=1))
def test_other_claims_under_the_same_signature(text: str, claims: dict[str, Any]) -> None:
    head, _, signature = text.split(".")
    payload = {"sub": "eve", "exp": int(time.time()) + 3600, **claims}
    assert proof_of(f"{head}.{b64(json.dumps(payload).encode())}.{signature}") is None


@given(st.text() | st.lists(st.text(ALPHABET, max_size=60), min_size=3, max_size=3).map(".".join))
@example("..")
@example("a.b.")
@example("eyJhbGciOiJub25lIn0.e30.")
def test_any_text(text: str) -> None:
    assert proof_of(text) is None


@given(json_values, json_values, st.binary(max_size=300))
def test_any_header_and_payload_without_the_key(header: Any, payload: Any, signature: bytes) -> None:
    assert proof_of(by_hand(header, payload, signature=signature)) is None


@given(
    st.sampled_from(["HS256", "RS256", "ES256", "none"]),
    st.dictionaries(st.sampled_from(["kid", "crit", "b64", "jwk", "jku", "typ", "zip", "x5c"]), json_values),
    st.binary(max_size=300),
)
def test_any_header_of_a_known_algorithm_without_the_key(
    algorithm: str, header: dict[str, Any], signature: bytes
) -> None:
    payload = {"sub": "eve", "exp": int(time.time()) + 3600}
    assert proof_of(by_hand({**header, "alg": algorithm}, payload, signature=signature)) is None


@given(
    st.fixed_dictionaries(
        {"sub": json_values, "exp": json_values | st.integers(int(time.time()) + 60, 1 << 70)},
        optional=dict.fromkeys(("nbf", "iat", "aud", "iss", "jti", "capabilities", "info"), json_values),
    )
)
def test_odd_claims_that_are_well_signed_prove_little_or_nothing(claims: dict[str, Any]) -> None:
    """An issuer that errs must not bring the server down, nor get more for its clients than was meant."""
    proof = proof_of(by_hand({"alg": "HS256"}, claims))
    if proof is None:
        return
    assert proof.subscriber_id == claims["sub"]
    assert isinstance(claims["sub"], str)
    assert claims["sub"]
    assert isinstance(proof.expires_at, float)
    assert time.time() < proof.expires_at < float("inf")
    assert (proof.capabilities is None) == (claims.get("capabilities") is None)
    assert not claims.get("aud"), "it was for somebody in particular, and nobody has said that we are that"


@given(json_values | st.dictionaries(st.sampled_from(["subscribe", "publish", "x"]), json_values))
def test_capabilities_of_any_shape(claim: Any) -> None:
    try:
        capabilities = capabilities_of(claim)
    except ValueError:
        return
    assert capabilities == {action: tuple(patterns) for action, patterns in claim.items()}


def read(data: bytes) -> tuple[list[Key], str]:
    """The keys of a set, or why it is refused."""
    try:
        return keys_of_jwks(data)[0], ""
    except ValueError as error:
        return [], str(error)


@given(st.sampled_from([RSA_KEY, EC_KEY, SECRET]), st.data())
def test_key_sets_with_odd_members(key: Any, data: st.DataObject) -> None:
    entry = jwk(key)
    name = data.draw(st.sampled_from([*entry, "alg", "use", "key_ops", "kid", "d", "x5c"]))
    entry[name] = data.draw(json_values)
    keys, reason = read(jwks(entry).encode())
    assert reason.isprintable()
    assert len(keys) == (0 if reason else 1)
    assert reason or "d" not in entry


@given(st.binary(max_size=200) | json_values.map(lambda value: json.dumps({"keys": value}).encode()))
def test_key_sets_of_any_shape(data: bytes) -> None:
    assert read(data)[1].isprintable()
