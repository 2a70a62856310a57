"""``seth-pusher token``: makes tokens for development. A plugin of its own, so that it is there before any key is.

It signs with the shared secret of the settings, so what it prints is good for the server that has these settings; or
with a private key in a file, which the server itself never sees.
"""

from __future__ import annotations

import secrets
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from sethpusher_core import RegisterCommand, UsageError, hookimpl
from sethpusher_core.access import ACTIONS
from sethpusher_core.commands.options import read_options
from sethpusher_core.settings import parse_duration

from .settings import JwtSettings

if TYPE_CHECKING:
    from sethpusher_core.settings import Resolved

__all__ = ["commands"]

name = "token"

USAGE: Final = (
    "write seth-pusher token [--user=ada] [--lasts=1h] [--ACTION=news.*,room.7 for any of "
    f"{', '.join(ACTIONS)}] [--key-file=private.pem] [--kid=K], or seth-pusher token key (a new shared secret)"
)
_OPTIONS: Final = ("user", "lasts", "key-file", "kid", *ACTIONS)
REFUSED: Final = 1
"""Exit code where the server with these settings would refuse the token."""


@hookimpl
def commands(register: RegisterCommand) -> None:
    """See :func:`sethpusher_core.hookspecs.commands`."""
    register("token", _run, help="Make a JSON Web Token for development: token --user=ada")


def _run(arguments: Sequence[str], resolved: Resolved) -> int:
    if list(arguments) == ["key"]:
        print(secrets.token_urlsafe(32))
        return 0
    options = read_options("token", arguments, _OPTIONS, USAGE)
    settings = _settings(resolved)
    claims = _claims(options, settings)
    key, algorithm, kid = _key(options, settings)
    from .signing import signed  # not above: it loads PyJWT, which no other sub-command should have to

    token = signed(claims, key, algorithm, options.get("kid", kid))
    print(token)
    return 0 if settings is None else _checked(token, settings)


def _settings(resolved: Resolved) -> JwtSettings | None:
    """What the server is told; None where it has no key."""
    try:
        settings: JwtSettings | None = resolved.of("auth_jwt")
    except KeyError:  # switched off
        return None
    return settings


def _claims(options: Mapping[str, str], settings: JwtSettings | None) -> dict[str, Any]:
    now = int(time.time())
    try:
        lasts = parse_duration(options.get("lasts", "1h"))
    except ValueError as error:
        raise UsageError(f"token: --lasts {error}") from None
    claims: dict[str, Any] = {"iat": now, "exp": now + max(1, int(lasts))}
    if "user" in options:
        claims["sub"] = options["user"]
    granted = {action: options[action].split(",") for action in ACTIONS if action in options}
    if granted:
        claims["capabilities" if settings is None else settings.capabilities] = granted
    if settings is not None and settings.audience:
        claims["aud"] = settings.audience[0]
    if settings is not None and settings.issuer:
        claims["iss"] = settings.issuer[0]
    return claims


def _key(options: Mapping[str, str], settings: JwtSettings | None) -> tuple[str, str, str | None]:
    """What to sign with: its text, its algorithm, its name.

    Raises:
        UsageError: There is nothing.
    """
    if "key-file" in options:
        try:
            text = Path(options["key-file"]).read_text()
        except (OSError, ValueError) as error:
            raise UsageError(f"token: --key-file={options['key-file']} cannot be read: {error}") from None
        return text, "", None
    if settings is not None and settings.key is not None and settings.algorithm == "HS256":
        return settings.key.reveal(), "HS256", None
    for table in () if settings is None else settings.keys:
        if table.algorithm == "HS256":
            return table.key.reveal(), "HS256", table.kid
    raise UsageError(
        "token: there is no shared secret in the settings to sign with; make one with: export "
        "SETHPUSHER_AUTH_JWT__KEY=$(seth-pusher token key), or name a private key by --key-file=private.pem"
    )


def _checked(token: str, settings: JwtSettings) -> int:
    """Says so if the server with these settings would refuse the token."""
    from .plugin import JwtAuth
    from .tokens import BadToken, Verifier

    try:
        Verifier(settings).verify(token, JwtAuth(settings).keys)
    except BadToken as error:
        print(f"seth-pusher: with these settings the server refuses this token: {error}", file=sys.stderr)
        return REFUSED
    return 0
