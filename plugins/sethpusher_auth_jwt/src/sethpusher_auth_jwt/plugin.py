"""The plugin: an authenticator and authorizer that goes by JSON Web Tokens."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from sethpusher_core import ALLOW, Address, Allowed, Credentials, Denied, Identity, Rejected, hookimpl
from sethpusher_core.access import covers
from sethpusher_core.addresses import COMMON_CHANNEL
from sethpusher_core.farewell import revoke
from sethpusher_core.watching import WatchedFile

from .presented import Places
from .settings import JwtSettings

if TYPE_CHECKING:
    from sethpusher_core import PushServer

    from .keys import Key, KeySet

__all__ = ["JwtAuth"]

log = logging.getLogger("sethpusher.auth_jwt")

_COMMON: Final = Address.channel(COMMON_CHANNEL)


class JwtAuth:
    """Knows callers by their tokens, and what each token is for."""

    name = "auth_jwt"
    challenge = 'Bearer realm="seth-pusher"'
    proves_ids = True
    takes_tokens = True
    Settings = JwtSettings

    def __init__(self, settings: JwtSettings) -> None:
        """Reads all keys.

        Raises:
            ValueError: One of them, or the file, is wrong.
        """
        # Here and not above: PyJWT loads OpenSSL, and a plugin that is only installed should cost nothing.
        from .keys import KeySet
        from .tokens import BadToken, Verifier

        fixed = _fixed_keys(settings)
        self._file: WatchedFile[KeySet] | None = None
        if settings.jwks_file is not None:
            self._file = WatchedFile(
                settings.jwks_file, lambda data: KeySet([*fixed, *_keys_in(data)]), what="the keys", log=log
            )
        self._fixed = None if self._file is not None else KeySet(fixed)
        self._places = Places(settings.bearer, settings.header, settings.argument, settings.cookie)
        self._verifier = Verifier(settings)
        self._bad = BadToken
        self._interval = settings.check_every
        self._server: PushServer | None = None
        self.reads_cookies = bool(settings.cookie)

    @property
    def keys(self) -> KeySet:
        """The keys that hold now."""
        keys = self._fixed if self._file is None else self._file.value
        assert keys is not None
        return keys

    # ----------------------------------------------------------------------------------------------------------- hooks

    @hookimpl
    def authenticate(self, credentials: Credentials) -> Identity | Rejected | None:
        """See :func:`sethpusher_core.hookspecs.authenticate`.

        Other plugins find in the identity's ``info``: ``claims``, all of them; ``capabilities``, by action, or None;
        ``purpose``, of the credentials; ``presence``, what others may read in a channel's presence (the claim
        ``info``).
        """
        token = self._places.find(credentials)
        if token is None:
            return None
        try:
            proof = self._verifier.verify(token, self.keys)
        except self._bad as error:
            return Rejected(str(error))
        if self._server is not None and len(proof.subscriber_id or "") > self._server.settings.max_id_length:
            return Rejected("the claim sub is longer than max_id_length")
        return Identity(
            proof.subscriber_id,
            proven=proof.subscriber_id is not None,
            info={
                "claims": proof.claims,
                "capabilities": proof.capabilities,
                "presence": proof.claims.get("info"),
                "purpose": credentials.purpose,
                "key": proof.key,
            },
            expires_at=proof.expires_at,
        )

    @hookimpl
    def authorize(self, identity: Identity, action: str, target: Address) -> Allowed | Denied | None:
        """See :func:`sethpusher_core.hookspecs.authorize`; about callers with other credentials it has no opinion.

        A token with capabilities is for those and nothing else; only the channel ``all``, which ``connect`` enters,
        goes by its rule where they do not name it. One without goes by the channels' rules. They are for clients, so
        over HTTP, where they do not hold, such a token is for nothing.
        """
        if identity.plugin != self.name:
            return None
        capabilities = identity.info["capabilities"]
        if capabilities is None:
            over_http = identity.info["purpose"] == "http"
            return Denied("over HTTP its token needs capabilities, and has none") if over_http else None
        if covers(capabilities.get(action, ()), target):
            return ALLOW
        if action == "subscribe" and target == _COMMON:
            return None
        return Denied(f"its token has no capability to {action} here")

    @hookimpl
    def startup(self, server: PushServer) -> None:
        """See :func:`sethpusher_core.hookspecs.startup`."""
        self._server = server
        if self._file is not None:
            self._file.start(self._interval, self._changed)

    @hookimpl
    def shutdown(self) -> None:
        """See :func:`sethpusher_core.hookspecs.shutdown`."""
        if self._file is not None:
            self._file.stop()
        self._server = None

    # ---------------------------------------------------------------------------------------------------------- inside

    def _changed(self, old: KeySet, new: KeySet) -> None:
        """Ends the connections whose tokens were signed by a key that holds no more."""
        gone = old.gone(new)
        log.info("%d keys are read anew; %d are gone", len(new), len(gone))
        if self._server is not None:
            revoke(
                self._server.connections.values(),
                lambda identity: identity.plugin == self.name and identity.info.get("key") in gone,
            )


def _fixed_keys(settings: JwtSettings) -> list[Key]:
    """The keys that the settings themselves hold.

    Raises:
        ValueError: One of them is wrong.
    """
    from .keys import key_of_text  # see JwtAuth.__init__

    keys: list[Key] = []
    try:
        if settings.key is not None:
            keys.append(key_of_text(settings.key.reveal(), settings.algorithm))
    except ValueError as error:
        raise ValueError(f"key {error}") from None
    for place, table in enumerate(settings.keys):
        try:
            keys.append(key_of_text(table.key.reveal(), table.algorithm, table.kid))
        except ValueError as error:
            raise ValueError(f"keys[{place}] {error}") from None
    return keys


def _keys_in(data: bytes) -> list[Key]:
    """The keys of a JWKS file; what is left out is named in the log."""
    from .keys import keys_of_jwks  # see JwtAuth.__init__

    keys, left_out = keys_of_jwks(data)
    for reason in left_out:
        log.info("left out of the key set: %s", reason)
    return keys
