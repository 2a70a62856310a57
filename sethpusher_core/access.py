"""Who is calling, and what they may do: the hooks authenticate and authorize, and the rules where no plugin answers."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from . import errors
from .addresses import CHANNEL, SERVER, USER, Address
from .answers import Allowed, Denied, Rejected
from .errors import HookError, RequestError
from .identity import ANONYMOUS, Credentials, Identity
from .protocol import check_name
from .settings.rules import matches

if TYPE_CHECKING:
    from .plugins.hooks import Hooks
    from .plugins.registry import Registered
    from .settings.rules import ChannelRules

__all__ = ["ACTIONS", "NO_TOKENS", "Access", "Anonymous", "Reason", "covers"]

log = logging.getLogger("sethpusher.access_control")

Anonymous: TypeAlias = Literal["none", "connect", "all"]

ACTIONS: Final = ("subscribe", "publish", "presence", "history", "inspect", "administer")
"""What ``authorize`` is asked about."""

_EVERYTHING: Final = frozenset({USER, SERVER.kind})

NO_TOKENS: Final = "No authenticator of this server takes tokens."


@dataclass(frozen=True, slots=True)
class Reason:
    """One step on the way to a decision.

    Attributes:
        allowed: What it says; None: no opinion.
        by: The plugin, rule or setting that says it.
        text: Why.
    """

    allowed: bool | None
    by: str
    text: str


class Access:
    """Asks the plugins, and says no when they fail.

    Attributes:
        proves_ids: Whether an active authenticator can prove who somebody is (its attribute ``proves_ids``): then an id
            that is merely claimed does not count.
        takes_tokens: Whether an active authenticator takes tokens (its attribute ``takes_tokens``).
    """

    def __init__(
        self,
        hooks: Hooks,
        rules: ChannelRules,
        anonymous: Anonymous = "none",
        plugins: Iterable[Registered] = (),
        max_id_length: int = 255,
    ) -> None:
        """Nothing is asked yet.

        Args:
            hooks: The compiled hooks.
            rules: What holds in which channel.
            anonymous: What callers without credentials may do.
            plugins: The active plugins; what they declare is read here.
            max_id_length: Characters that a subscriber_id may have.
        """
        self._hooks = hooks
        self._max_id_length = max_id_length
        self._rules = rules
        self._anonymous = anonymous
        authenticators = [plugin for plugin in plugins if "authenticate" in plugin.hooks]
        self.proves_ids = any(getattr(plugin.plugin, "proves_ids", False) for plugin in authenticators)
        takers = [plugin.name for plugin in authenticators if getattr(plugin.plugin, "takes_tokens", False)]
        self._of_tokens = None if hooks.authenticate is None else hooks.authenticate.only(takers)
        self.takes_tokens = self._of_tokens is not None

    # ------------------------------------------------------------------------------------------------ authentication

    @property
    def asks(self) -> bool:
        """Whether anybody asks who a caller is; else all are ANONYMOUS, whatever they present."""
        return self._hooks.authenticate is not None

    async def authenticate(self, credentials: Credentials) -> Identity:
        """Who a caller is; where nobody knows, the setting ``anonymous`` says whether that will do.

        Raises:
            RequestError: UNAUTHENTICATED, or UNAVAILABLE when an authenticator failed.
        """
        identity = await self.recognize(credentials)
        if identity is not None:
            return identity
        self.check_anonymous(credentials)
        return ANONYMOUS

    async def recognize(self, credentials: Credentials) -> Identity | None:
        """Who a caller is; None for one without credentials.

        Raises:
            RequestError: See :meth:`authenticate`.
        """
        chain = self._hooks.authenticate
        if chain is None:
            return ANONYMOUS
        if credentials.token is not None:
            chain = self._of_tokens
            if chain is None:
                raise RequestError(errors.UNSUPPORTED, NO_TOKENS)
        try:
            plugin, answer = await chain.ask(credentials)
        except HookError as error:
            log.error("refused %r: %s", credentials, error, exc_info=error.__cause__)
            raise RequestError(errors.UNAVAILABLE) from error
        if isinstance(answer, Rejected):
            raise self._refusal(credentials, f"{plugin}: {answer.reason}")
        if answer is None:
            unknown = _unknown_credentials(credentials)
            if unknown:
                raise self._refusal(credentials, unknown)
            return None
        wrong = self._fault_of(answer)
        if wrong:
            log.error("refused %r: plugin %s, hook authenticate: its Identity has %s", credentials, plugin, wrong)
            raise RequestError(errors.UNAVAILABLE)
        if answer.expires_at is not None and answer.expires_at <= time.time():
            raise self._refusal(credentials, f"{plugin}: the credentials have expired")
        if self.proves_ids and not answer.proven:
            return replace(answer, subscriber_id=None, plugin=plugin)
        return replace(answer, plugin=plugin)

    def _fault_of(self, identity: Identity) -> str:
        """What is wrong with an identity that a plugin has made; empty for a sound one. Its values are not shown."""
        id: object = identity.subscriber_id  # a plugin need not keep to the types
        proven: object = identity.proven
        info: object = identity.info
        ends: object = identity.expires_at
        if id is not None:
            if not isinstance(id, str):
                return f"a subscriber_id of type {type(id).__name__}, not a text"
            try:
                check_name("subscriber_id", id, self._max_id_length)
            except RequestError as error:
                return f"a bad subscriber_id: {error.text}"
        if not isinstance(proven, bool):
            return f"a proven of type {type(proven).__name__}, not true or false"
        if not isinstance(info, Mapping):
            return f"an info of type {type(info).__name__}, not a mapping"
        is_moment = isinstance(ends, int | float) and not isinstance(ends, bool) and math.isfinite(ends)
        if ends is not None and not is_moment:
            return "an expires_at that is no finite number"
        return ""

    def check_anonymous(self, credentials: Credentials) -> None:
        """Lets a caller without credentials pass, if the setting ``anonymous`` does.

        Raises:
            RequestError: UNAUTHENTICATED.
        """
        setting = self._anonymous
        if setting == "all" or (setting == "connect" and credentials.purpose == "connection"):
            return
        remedy = "connect or all" if credentials.purpose == "connection" else "all"
        why = f"it has no credentials that any authenticator knows, and anonymous = {setting} (not {remedy})"
        raise self._refusal(credentials, why)

    def _refusal(self, credentials: Credentials, reason: str) -> RequestError:
        log.info("refused %r: %s", credentials, reason)
        return RequestError(errors.UNAUTHENTICATED)

    # ------------------------------------------------------------------------------------------------- authorization

    async def authorize(self, identity: Identity, action: str, target: Address, *, by_client: bool = False) -> None:
        """Lets an action pass, or does not. A refusal does not tell whether the target exists.

        Args:
            identity: Who asks.
            action: See :func:`sethpusher_core.hookspecs.authorize`.
            target: The channel, user or server.
            by_client: Whether a client asks over its connection: then the channel's rule decides where no plugin does.

        Raises:
            RequestError: Denied.
        """
        authorize = self._hooks.authorize
        if authorize is not None:
            plugin, verdict = await authorize.ask(identity, action, target)
            if isinstance(verdict, Denied):
                who = identity.subscriber_id
                log.info("denied %s of %s to %s: %s: %s", action, target, who, plugin, verdict.reason)
                raise RequestError(errors.DENIED)
            if verdict is not None:
                return
        if by_client and not self._by_rule(identity, action, target).allowed:
            raise RequestError(errors.DENIED)

    async def explain(
        self, identity: Identity, action: str, target: Address, *, by_client: bool = True
    ) -> tuple[bool, list[Reason]]:
        """What :meth:`authorize` would say, and why: each opinion in the order in which it is asked for.

        A caller whom no plugin vouches for (``identity.plugin``) counts as one without credentials.
        """
        reasons: list[Reason] = []
        if self._hooks.authenticate is not None and identity.subscriber_id is None and not identity.plugin:
            enough = ("all", "connect") if by_client else ("all",)
            setting = f"anonymous = {self._anonymous}"
            if self._anonymous not in enough:
                return False, [Reason(False, setting, "callers without credentials are refused")]
            reasons.append(Reason(None, setting, "callers without credentials are let in"))
        if self._hooks.authorize is not None:
            opinions = await self._hooks.authorize.explain(identity, action, target)
            reasons += [_reason(plugin, opinion) for plugin, opinion in opinions]
        said = {reason.allowed for reason in reasons} - {None}
        if not said:
            last = self._by_rule(identity, action, target) if by_client else Reason(True, "default", _HTTP_DEFAULT)
            reasons.append(last)
            said = {last.allowed}
        return False not in said, reasons

    def _by_rule(self, identity: Identity, action: str, target: Address) -> Reason:
        if target.kind != CHANNEL:
            return Reason(False, "default", "what is not a channel is not for clients, unless a plugin says so")
        if action == "publish" and self._reads_only(identity):
            return Reason(False, "anonymous = connect", "callers without credentials may not publish")
        rule = self._rules.rule_for(target.name)
        key = {"presence": "presence_read", "history": "history_read"}.get(action, action)
        audience = getattr(rule, key) if action in _BY_RULE else "nobody"
        allowed = audience == "anyone" or (audience == "identified" and identity.subscriber_id is not None)
        return Reason(allowed, f'rule match = "{rule.match}"', f"{key} = {audience}")

    def _reads_only(self, identity: Identity) -> bool:
        """Whether somebody is here without credentials, and may connect and subscribe only."""
        return self._anonymous == "connect" and not identity.plugin and self._hooks.authenticate is not None


def covers(patterns: Iterable[str], target: Address) -> bool:
    """Whether what is limited to some channels is for a target. For authorizers whose credentials name channels.

    Args:
        patterns: Of channels, as in the channel rules; ``*`` alone is no limit and is for users and the server, too.
        target: What ``authorize`` is asked about.
    """
    if target.kind == CHANNEL:
        return any(matches(pattern, target.name) for pattern in patterns)
    return target.kind in _EVERYTHING and "*" in patterns  # a later core may ask about more


def _reason(plugin: str, opinion: Allowed | Denied | None) -> Reason:
    if opinion is None:
        return Reason(None, f"plugin {plugin}", "has no opinion")
    if isinstance(opinion, Denied):
        return Reason(False, f"plugin {plugin}", opinion.reason)
    return Reason(True, f"plugin {plugin}", "says yes")


_BY_RULE: Final = frozenset({"subscribe", "publish", "presence", "history"})
_HTTP_DEFAULT: Final = "a call over HTTP that no plugin has an opinion about"


def _unknown_credentials(credentials: Credentials) -> str:
    """What is presented that no authenticator has taken for its own; such credentials are bad, not missing."""
    if credentials.token is not None:
        return "no authenticator knows the token"
    if "Authorization" in credentials.headers:
        return "no authenticator knows what stands in the header Authorization"
    return ""
