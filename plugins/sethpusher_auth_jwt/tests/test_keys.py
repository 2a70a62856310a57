"""Keys: from settings and from key sets, each for one algorithm."""

from __future__ import annotations

import json
from itertools import count

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt_tokens import EC_KEY, OTHER_SECRET, RSA_KEY, SECRET, jwk, jwks, private_pem, public_pem
from sethpusher_auth_jwt.keys import MOST_KEYS, KeySet, key_of_jwk, key_of_text, keys_of_jwks

SHORT = "31 bytes are not enough, really"
WEAK_RSA = rsa.generate_private_key(public_exponent=65537, key_size=1024)
OTHER_CURVE = ec.generate_private_key(ec.SECP384R1())


@pytest.mark.parametrize(
    ("text", "algorithm", "same"),
    [
        (SECRET, "HS256", jwk(SECRET)),
        (public_pem(RSA_KEY), "RS256", jwk(RSA_KEY)),
        (public_pem(EC_KEY), "ES256", jwk(EC_KEY)),
    ],
    ids=count(),  # the keys are new in each process
)
def test_a_key_is_the_same_from_a_setting_and_from_a_set(text, algorithm, same):
    key, of_set = key_of_text(text, algorithm, "k"), key_of_jwk({**same, "kid": "k"})
    assert key == of_set
    assert (key.algorithm, key.kid) == (algorithm, "k")
    assert "jwk" not in repr(key)


def test_the_thumbprint_is_that_of_rfc_7638():
    """Section 3.1 of the RFC."""
    n = (
        "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3ok"
        "njhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu"
        "6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8a"
        "wapJzKnqDKgw"
    )
    key = key_of_jwk({"kty": "RSA", "n": n, "e": "AQAB", "alg": "RS256", "kid": "2011-04-29"})
    assert key.thumbprint == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"


@pytest.mark.parametrize(
    ("text", "algorithm", "reason"),
    [
        (SHORT, "HS256", "at least 32 bytes"),
        ("", "HS256", "at least 32 bytes"),
        (public_pem(RSA_KEY), "HS256", "not a key of another kind"),
        (public_pem(EC_KEY), "HS256", "not a key of another kind"),
        (private_pem(RSA_KEY), "HS256", "not a key of another kind"),
        (json.dumps(jwk(RSA_KEY)), "HS256", "not a key of another kind"),
        (SECRET, "RS256", "public RSA key"),
        (public_pem(EC_KEY), "RS256", "public RSA key"),
        (public_pem(WEAK_RSA), "RS256", "at least 2048 bits"),
        (private_pem(RSA_KEY), "RS256", "is a private key"),
        (private_pem(EC_KEY), "ES256", "is a private key"),
        (public_pem(RSA_KEY), "ES256", "curve P-256"),
        (public_pem(OTHER_CURVE), "ES256", "curve P-256"),
        ("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", "ES256", "curve P-256"),
        (public_pem(RSA_KEY), "RS512", "RS512"),
        ("", "none", "none"),
    ],
    ids=count(),  # the keys are new in each process
)
def test_an_unfit_key_is_refused_and_not_shown(text, algorithm, reason):
    with pytest.raises(ValueError, match=reason) as caught:
        key_of_text(text, algorithm)
    said = str(caught.value)
    assert "\n" not in said
    assert not text or text not in said
    assert "PRIVATE" not in said


def test_a_set_is_read_and_what_is_for_others_is_left_out():
    text = jwks(
        jwk(RSA_KEY, kid="r", use="sig", alg="RS256", x5t="whatever"),
        jwk(RSA_KEY, kid="e", use="enc", alg="RSA-OAEP"),
        jwk(EC_KEY, kid="c", key_ops=["verify"]),
        jwk(EC_KEY, key_ops=["sign"]),
        jwk(RSA_KEY, alg="RS512"),
        jwk(RSA_KEY, alg="HS256"),
        jwk(RSA_KEY, alg=["RS256"]),
        jwk(OTHER_CURVE),
        {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"},
        {"kty": "future"},
        {"kty": ["RSA"]},
        {},
        jwk(SECRET),
    )
    keys, left_out = keys_of_jwks(text.encode())
    assert [(key.algorithm, key.kid) for key in keys] == [("RS256", "r"), ("ES256", "c"), ("HS256", None)]
    assert [line.partition(" ")[0] for line in left_out] == [f"keys[{n}]" for n in (1, 3, 4, 5, 6, 7, 8, 9, 10, 11)]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ("1" * 5000, "is not JSON"),
        ("[]", "must be a JSON Web Key Set"),
        ("{}", "must be a JSON Web Key Set"),
        ('{"keys": {}}', "must be a JSON Web Key Set"),
        ('{"keys": ["x"]}', "must be a JSON Web Key Set"),
        ('{"keys": []}', "no key for tokens"),
        (jwks(jwk(RSA_KEY, use="enc")), r"no key for tokens; keys\[0\] is not for signatures"),
        (jwks(jwk(EC_KEY), jwk(EC_KEY, d="AAAA")), r"keys\[1\] is a private key"),
        (jwks({"kty": "RSA"}), r"keys\[0\] is no key for RS256"),
        (jwks(jwk(RSA_KEY, n="!")), r"keys\[0\] is no key for RS256"),
        (jwks(jwk(RSA_KEY, n=17)), r"keys\[0\] is no key for RS256"),
        (jwks(jwk(RSA_KEY, e="AA")), r"keys\[0\] is no key for RS256"),
        (jwks(jwk(WEAK_RSA)), r"keys\[0\] is no key for RS256, or a weak one"),
        (jwks(jwk(EC_KEY, x="AAAA")), r"keys\[0\] is no key for ES256"),
        (jwks(jwk(EC_KEY, y=None)), r"keys\[0\] is no key for ES256"),
        (jwks(jwk(SHORT)), r"keys\[0\] is no key for HS256, or a weak one"),
        (jwks({"kty": "oct"}), r"keys\[0\] is no key for HS256"),
        (jwks({"kty": "oct", "k": {}}), r"keys\[0\] is no key for HS256"),
        (jwks(jwk(public_pem(RSA_KEY))), r"keys\[0\] is no key for HS256"),
        (jwks(jwk(EC_KEY, kid=7)), r"keys\[0\] has a kid that is no text"),
    ],
    ids=count(),  # the keys are new in each process
)
def test_a_bad_set_is_refused_and_not_shown(content, reason):
    with pytest.raises(ValueError, match=reason) as caught:
        keys_of_jwks(content.encode())
    assert "\n" not in str(caught.value)
    assert SHORT not in str(caught.value)


def test_a_set_that_is_no_text_is_refused():
    with pytest.raises(ValueError, match="is not JSON"):
        keys_of_jwks(b"\xff\xfe\x00")


def test_a_set_has_some_keys_but_not_too_many():
    key = key_of_text(SECRET, "HS256")
    assert len(KeySet([key] * MOST_KEYS)) == MOST_KEYS
    for keys in ([], [key] * (MOST_KEYS + 1)):
        with pytest.raises(ValueError, match="1 to 100 usable keys"):
            KeySet(keys)


def test_a_token_is_tried_with_the_keys_of_its_name_and_algorithm_only():
    named, other = key_of_text(SECRET, "HS256", "a"), key_of_text(OTHER_SECRET, "HS256", "b")
    nameless, elliptic = key_of_text("x" * 32, "HS256"), key_of_text(public_pem(EC_KEY), "ES256", "a")
    keys = KeySet([named, other, nameless, elliptic])
    assert keys.candidates("HS256", "a") == [named, nameless]
    assert keys.candidates("HS256", None) == [named, other, nameless]
    assert keys.candidates("ES256", "a") == [elliptic]
    for algorithm in ("none", "HS512", "", None, ["HS256"]):
        assert keys.candidates(algorithm, "a") == []


def test_keys_are_told_apart_by_what_they_are_not_by_their_names():
    before = KeySet([key_of_text(SECRET, "HS256", "a"), key_of_text(OTHER_SECRET, "HS256", "b")])
    after = KeySet([key_of_text(SECRET, "HS256", "renamed"), key_of_text("x" * 32, "HS256", "b")])
    assert before.gone(after) == {key_of_text(OTHER_SECRET, "HS256").thumbprint}
