"""What a token proves, and why it proves nothing."""

from __future__ import annotations

import time
from typing import Any

import jwt
import pytest
from jwt_tokens import EC_KEY, OTHER_SECRET, RSA_KEY, SECRET, b64, by_hand, jwk, private_pem, public_pem, token
from sethpusher_auth_jwt.keys import KeySet, key_of_text
from sethpusher_auth_jwt.settings import JwtSettings
from sethpusher_auth_jwt.tokens import BadToken, Proof, Verifier

from sethpusher_core.settings import Secret

ALL = KeySet(
    [
        key_of_text(SECRET, "HS256", "shared"),
        key_of_text(public_pem(RSA_KEY), "RS256", "rsa"),
        key_of_text(public_pem(EC_KEY), "ES256", "elliptic"),
    ]
)
PUBLIC = KeySet([key_of_text(public_pem(RSA_KEY), "RS256"), key_of_text(public_pem(EC_KEY), "ES256")])
HEADER = {"alg": "HS256", "typ": "JWT"}


def verify(text: str, keys: KeySet = ALL, **settings: Any) -> Proof:
    return Verifier(JwtSettings(key=Secret(SECRET), **settings)).verify(text, keys)


def why(text: str, keys: KeySet = ALL, **settings: Any) -> str:
    with pytest.raises(BadToken) as caught:
        verify(text, keys, **settings)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def in_an_hour() -> int:
    return int(time.time()) + 3600


def from_now(claims: dict[str, Any]) -> dict[str, Any]:
    """Claims, whose times are told in seconds from now: tests may begin minutes after they were collected."""
    times = {name: int(time.time()) + claims[name] for name in ("exp", "nbf", "iat") if claims.get(name)}
    return {**claims, **times}


# --------------------------------------------------------------------------------------------------- what is accepted


@pytest.mark.parametrize("kid", [None, "own", "unknown"])
@pytest.mark.parametrize(
    ("key", "algorithm", "own"),
    [(SECRET, "HS256", "shared"), (RSA_KEY, "RS256", "rsa"), (EC_KEY, "ES256", "elliptic")],
)
def test_each_algorithm(key, algorithm, own, kid):
    text = token(key, algorithm, kid=own if kid == "own" else kid)
    if kid == "unknown":
        assert why(text) == f"there is no key for alg '{algorithm}', kid 'unknown'"
    else:
        proof = verify(text)
        assert proof.subscriber_id == "ada"
        assert proof.key in {key.thumbprint for key in ALL if key.algorithm == algorithm}


def test_what_a_token_says():
    end = in_an_hour()
    proof = verify(token(exp=end, capabilities={"subscribe": ["news.*"], "publish": []}, colour="red"), leeway=5.0)
    assert (proof.subscriber_id, proof.expires_at) == ("ada", end + 5.0)
    assert proof.capabilities == {"subscribe": ("news.*",), "publish": ()}
    assert proof.claims["colour"] == "red"
    service = verify(token(sub=None))
    assert (service.subscriber_id, service.capabilities) == (None, None)


def test_the_claim_of_capabilities_has_the_name_of_the_setting():
    text = token(**{"https://example.com/push": {"publish": ["a"]}, "capabilities": "something else"})
    assert verify(text, capabilities="https://example.com/push").capabilities == {"publish": ("a",)}


def test_all_keys_without_a_name_are_tried():
    keys = KeySet([key_of_text(OTHER_SECRET, "HS256"), key_of_text(SECRET, "HS256")])
    assert verify(token(kid="any"), keys).subscriber_id == "ada"
    assert verify(token(OTHER_SECRET), keys).subscriber_id == "ada"
    assert why(token("x" * 32), keys) == "the token is signed by no key of ours, or was changed since"


# ------------------------------------------------------------------------------------------------------------- claims


@pytest.mark.parametrize(
    ("claims", "settings", "reason"),
    [
        ({"exp": -60}, {}, "has expired"),
        ({"exp": None}, {}, "has no exp"),
        ({"nbf": 600}, {}, "is not valid yet"),
        ({"iat": 600}, {}, "is not valid yet"),
        ({"aud": "push"}, {}, "another audience"),
        ({"aud": ["push"]}, {}, "another audience"),
        ({}, {"audience": ("push",)}, "has no aud"),
        ({"aud": "other"}, {"audience": ("push",)}, "another audience"),
        ({"aud": ["other", 7]}, {"audience": ("push",)}, "another audience"),
        ({"aud": {"push": 1}}, {"audience": ("push",)}, "another audience"),
        ({"aud": "pushy"}, {"audience": ("push",)}, "another audience"),
        ({}, {"issuer": ("us",)}, "has no iss"),
        ({"iss": "them"}, {"issuer": ("us", "you")}, "another issuer"),
        ({"iss": "u"}, {"issuer": ("us",)}, "another issuer"),
        ({"sub": ""}, {}, "sub is empty"),
        ({"capabilities": []}, {}, "capabilities must be an object"),
        ({"capabilities": {"fly": ["*"]}}, {}, "may name subscribe, publish"),
        ({"capabilities": {"subscribe": "*"}}, {}, "must have a list of patterns for subscribe"),
        ({"capabilities": {"subscribe": [1]}}, {}, "must have a list of patterns for subscribe"),
    ],
)
def test_a_claim_that_does_not_hold(claims, settings, reason):
    assert reason in why(token(**from_now(claims)), **settings)


@pytest.mark.parametrize(
    ("claims", "settings"),
    [
        ({"exp": None}, {"require_expiry": False}),
        ({"exp": -60}, {"leeway": 300.0}),
        ({"nbf": 60, "iat": 60}, {"leeway": 300.0}),
        ({"aud": "push"}, {"audience": ("push",)}),
        ({"aud": ["other", "push"]}, {"audience": ("x", "push")}),
        ({"iss": "you"}, {"issuer": ("us", "you")}),
        ({"iss": "anybody"}, {}),
        ({"capabilities": {}}, {}),
    ],
)
def test_a_claim_that_holds(claims, settings):
    assert verify(token(**from_now(claims)), **settings).subscriber_id == "ada"


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        ({"sub": 7, "exp": in_an_hour()}, "is malformed"),
        ({"sub": ["ada"], "exp": in_an_hour()}, "is malformed"),
        ({"sub": "ada", "exp": str(in_an_hour())}, "exp is no number"),
        ({"sub": "ada", "exp": "soon"}, "is malformed"),
        ({"sub": "ada", "exp": True}, "has expired"),
        ({"sub": "ada", "exp": []}, "is malformed"),
        (b'{"sub": "ada", "exp": NaN}', "is malformed"),
        (b'{"sub": "ada", "exp": Infinity}', "is malformed"),
        (b'{"sub": "ada", "exp": 1' + b"0" * 400 + b"}", "exp is too large"),
        (b'{"sub": "ada", "exp": 1' + b"0" * 5000 + b"}", "is malformed"),
        ({"sub": "ada", "exp": in_an_hour(), "nbf": "now"}, "is malformed"),
        ({"sub": "ada", "exp": in_an_hour(), "iat": {}}, "is malformed"),
        ({"sub": "ada", "exp": in_an_hour(), "jti": 1}, "is malformed"),
        (["ada"], "is malformed"),
        (b"ada", "is malformed"),
        (b"\xff", "is malformed"),
        (b"[" * 50_000, "is malformed"),
    ],
)
def test_a_payload_of_a_wrong_shape(payload, reason):
    assert reason in why(by_hand(HEADER, payload))


# ---------------------------------------------------------------------------------------------------- forged headers


@pytest.mark.parametrize(
    "algorithm", ["none", "None", "NONE", "nOnE", "", None, [], ["HS256"], {}, 0, "HS384", "RS512"]
)
@pytest.mark.parametrize("signature", [None, b""])
def test_no_other_algorithm_is_taken(algorithm, signature):
    reason = why(by_hand({**HEADER, "alg": algorithm}, {"sub": "eve", "exp": in_an_hour()}, signature=signature))
    assert reason.startswith("there is no key for alg")


def test_no_algorithm_at_all_is_none():
    payload = {"sub": "eve", "exp": in_an_hour()}
    assert why(by_hand({"typ": "JWT"}, payload)).startswith("there is no key for alg None")
    assert why(f"{b64(b'{}')}.{b64(b'{}')}.").startswith("there is no key for alg None")


@pytest.mark.parametrize("key", [RSA_KEY, EC_KEY])
@pytest.mark.parametrize("trimmed", [False, True])
def test_a_public_key_is_no_shared_secret(key, trimmed):
    """The classic confusion (CVE-2015-9235): HMAC over the text of the public key, which everybody has."""
    text = public_pem(key).strip() if trimmed else public_pem(key)
    forged = by_hand(HEADER, {"sub": "eve", "exp": in_an_hour()}, key=text.encode())
    assert why(forged, PUBLIC).startswith("there is no key for alg 'HS256'")
    assert "no key of ours" in why(forged, ALL)


def test_one_key_does_not_pass_for_another():
    payload = {"sub": "eve", "exp": in_an_hour()}
    signed = token(RSA_KEY, "RS256")
    body, _, signature = signed.rpartition(".")
    assert "no key of ours" in why(by_hand({"alg": "ES256"}, payload, signature=b"\0" * 64))  # CVE-2022-21449
    assert "no key of ours" in why(by_hand({"alg": "RS256"}, payload, signature=b"\0" * 256))
    renamed = b64(b'{"alg":"ES256"}')
    assert "no key of ours" in why(f"{renamed}.{body.partition('.')[2]}.{signature}")
    assert why(token(RSA_KEY, "RS256", kid="elliptic")).startswith("there is no key")


def test_a_key_that_the_token_brings_along_is_not_used():
    stranger = private_pem(EC_KEY)
    for offered in ({"jwk": jwk(EC_KEY)}, {"jku": "http://127.0.0.1:9/"}, {"x5u": "http://127.0.0.1:9/"}, {"x5c": []}):
        text = jwt.encode({"sub": "eve", "exp": in_an_hour()}, stranger, algorithm="ES256", headers=offered)
        assert why(text, KeySet([key_of_text(SECRET, "HS256")])).startswith("there is no key for alg 'ES256'")
        rsa_only = KeySet([key_of_text(public_pem(RSA_KEY), "RS256")])
        assert why(text, rsa_only).startswith("there is no key for alg 'ES256'")


@pytest.mark.parametrize(
    "header",
    [
        {"crit": ["exp"], "exp": 1},
        {"crit": []},
        {"crit": "b64"},
        {"crit": ["b64"], "b64": False},
        {"b64": False},
        {"kid": 7},
        {"kid": ["shared"]},
    ],
)
def test_a_header_that_asks_for_something_else_is_refused(header):
    assert "is malformed" in why(by_hand({**HEADER, **header}, {"sub": "eve", "exp": in_an_hour()}))


@pytest.mark.parametrize("kid", ["../../../dev/null", "' OR 1=1 --", "a\nWARNING forged", "x" * 10_000, "\u202e"])
def test_a_name_of_a_key_is_a_name_and_forges_no_line_of_the_log(kid):
    reason = why(token(kid=kid))
    assert reason.isascii()
    assert reason.isprintable()
    assert len(reason) < 120


@pytest.mark.parametrize(
    "header", [b"[]", b"7", b"null", b"{", b"\xff", b"", b"[" * 50_000, b'{"alg":1' + b"0" * 5000 + b"}"]
)
def test_a_header_of_a_wrong_shape(header):
    assert "is malformed" in why(by_hand(header, {"sub": "eve", "exp": in_an_hour()}))
