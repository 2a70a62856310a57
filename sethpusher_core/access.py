"""Who is calling, and what they may do: the hooks authenticate and authorize, and the rules where no plugin answers."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from . import errors
from .addresses import CHANNEL, Address
from .answers import Denied, Rejected
from .errors import HookError, RequestError
from .identity import ANONYMOUS, Credentials, Identity

if TYPE_CHECKING:
    from .plugins.hooks import Hooks
    from .settings.rules import ChannelRules

__all__ = ["Access"]

log = logging.getLogger("sethpusher.access_control")


class Access:
    """Asks the plugins, and says no when they fail."""

    def __init__(self, hooks: Hooks, rules: ChannelRules) -> None:
        """Nothing is asked yet.

        Args:
            hooks: The compiled hooks.
            rules: What holds in which channel.
        """
        self._hooks = hooks
        self._rules = rules

    async def authenticate(self, credentials: Credentials) -> Identity:
        """Who a caller is.

        Raises:
            RequestError: UNAUTHENTICATED, or UNAVAILABLE when an authenticator failed.
        """
        authenticate = self._hooks.authenticate
        if authenticate is None:
            return ANONYMOUS
        try:
            plugin, answer = await authenticate.ask(credentials)
        except HookError as error:
            log.error("refused %r: %s", credentials, error, exc_info=error.__cause__)
            raise RequestError(errors.UNAVAILABLE) from error
        if answer is None or isinstance(answer, Rejected):
            reason = "no credentials that any authenticator knows" if answer is None else f"{plugin}: {answer.reason}"
            log.info("refused %r: %s", credentials, reason)
            raise RequestError(errors.UNAUTHENTICATED)
        return replace(answer, plugin=plugin)

    async def authorize(self, identity: Identity, action: str, target: Address, *, by_client: bool = False) -> None:
        """Lets an action pass, or does not.

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
        if by_client and not self._rule_allows(identity, action, target):
            raise RequestError(errors.DENIED)

    def _rule_allows(self, identity: Identity, action: str, target: Address) -> bool:
        if target.kind != CHANNEL:
            return False
        rule = self._rules.rule_for(target.name)
        audience = {
            "subscribe": rule.subscribe,
            "publish": rule.publish,
            "presence": rule.presence_read,
            "history": rule.history_read,
        }.get(action, "nobody")
        return audience == "anyone" or (audience == "identified" and identity.subscriber_id is not None)
