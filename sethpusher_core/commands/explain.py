"""``seth-pusher explain``: which rule holds in a channel, and who may do what; each with the reason.

``explain channel NAME`` exits with 0. ``explain access`` is a dry run for continuous integration: it asks the plugins
as the server would, and exits with 0 where the answer is yes and with 1 where it is no.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from ..access import ACTIONS
from ..addresses import SERVER, Address
from ..errors import UsageError
from ..identity import ANONYMOUS, Identity
from ..settings.rules import ChannelRule, ChannelRules
from ..settings.tables import declared
from .options import read_options

if TYPE_CHECKING:
    from ..access import Reason
    from ..start import Start

__all__ = ["HELP", "run"]

HELP: Final = "Explain which rule holds (channel NAME), or who may do what (access)"
DENIED: Final = 1
"""Exit code of ``explain access`` where the answer is no."""
_USAGE: Final = (
    "write seth-pusher explain channel NAME, or explain access --action=A and --channel=C (or --to=USER, or neither: "
    "the server), with --user=U (proven) or --claims=U or neither (no credentials), --by=PLUGIN and --info=JSON for "
    "what an authenticator says of the caller, and --http for a call over HTTP"
)
_WORDS: Final = frozenset({"user", "claims", "channel", "to", "action", "by", "info"})


def run(start: Start) -> int:
    """Prints an explanation and gives the exit code.

    Raises:
        UsageError: The words after ``explain`` are not understood.
    """
    match list(start.resolved.rest):
        case ["channel", name]:
            return _explain_channel(start, name)
        case ["access", *words]:
            return _explain_access(start, words)
        case words:
            raise UsageError(f"explain {' '.join(words)}: {_USAGE}".replace(" :", ":"))


def _explain_channel(start: Start, name: str) -> int:
    explanation = ChannelRules(start.settings.channels).explain(name)
    print(explanation.text)
    for key in declared(ChannelRule):
        print(f"  {key.name} = {key.kind.to_toml(getattr(explanation.rule, key.name))}")
    return 0


def _explain_access(start: Start, words: Sequence[str]) -> int:
    by_client = "--http" not in words
    given = read_options("explain access", [word for word in words if word != "--http"], _WORDS, _USAGE)
    action = given.get("action", "")
    if action not in ACTIONS:
        raise UsageError(f"explain access: --action must be one of {', '.join(ACTIONS)}")
    identity, target = _vouched(start, given, _caller(given)), _target(given)
    access = start.server().access
    allowed, reasons = asyncio.run(access.explain(identity, action, target, by_client=by_client))
    way = "by message" if by_client else "HTTP"
    print(f"{'allowed' if allowed else 'denied'}: {action} of {target} to {_named(identity)}, {way}")
    for reason in reasons:
        print(f"  {_mark(reason)} {reason.by}: {reason.text}")
    return 0 if allowed else DENIED


def _caller(given: Mapping[str, str]) -> Identity:
    if "user" in given and "claims" in given:
        raise UsageError("explain access: --user is proven, --claims is not; give one of them")
    if "user" in given:
        return Identity(given["user"], proven=True)
    return Identity(given["claims"]) if "claims" in given else ANONYMOUS


def _vouched(start: Start, given: Mapping[str, str], identity: Identity) -> Identity:
    """The caller as an authenticator would hand it on."""
    if "by" not in given:
        if "info" in given:
            raise UsageError("explain access: --info is what an authenticator says of the caller; name it with --by")
        return identity
    plugin = start.registry.get(given["by"])
    if plugin is None or "authenticate" not in plugin.hooks:
        raise UsageError(f"explain access: {given['by']} is no active authenticator; see seth-pusher --list-plugins")
    try:
        info = json.loads(given.get("info", "{}"))
    except ValueError:
        info = None
    if not isinstance(info, dict):
        raise UsageError('explain access: --info must be a JSON object, such as {"key": "shop"}')
    return replace(identity, info=info, plugin=plugin.name)


def _named(identity: Identity) -> str:
    vouched = f" (by {identity.plugin})" if identity.plugin else ""
    if identity.subscriber_id is None:
        return f"somebody without an id{vouched}" if vouched else "somebody without credentials"
    return f"{identity.subscriber_id!r}{vouched}" + ("" if identity.proven else " (claimed, not proven)")


def _target(given: Mapping[str, str]) -> Address:
    if "channel" in given and "to" in given:
        raise UsageError("explain access: --channel or --to, not both")
    if "channel" in given:
        return Address.channel(given["channel"])
    return Address.user(given["to"]) if "to" in given else SERVER


def _mark(reason: Reason) -> str:
    return "-" if reason.allowed is None else "yes" if reason.allowed else "no "
