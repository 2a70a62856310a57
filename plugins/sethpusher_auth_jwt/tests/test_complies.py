"""The plugin holds what the compliance kit asks of authenticators, authorizers and plugins."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
from jwt_tokens import OTHER_SECRET, SECRET, bearer, token
from sethpusher_auth_jwt import JwtAuth
from sethpusher_auth_jwt.settings import JwtSettings

from sethpusher_core import SERVER, Address, Identity
from sethpusher_core.settings import Secret
from sethpusher_core.testing import AuthenticateCompliance, AuthorizeCompliance, Opinion, PluginCompliance, Presented

LONG_AGO = int(time.time()) - 3600


def made() -> JwtAuth:
    return JwtAuth(JwtSettings(key=Secret(SECRET), cookie="seth", header="X-Token"))


class TestAuthenticate(AuthenticateCompliance):
    @pytest.fixture
    def make_plugin(self) -> Callable[[], object]:
        return made

    @pytest.fixture
    def accepted(self) -> Sequence[Presented]:
        capabilities = {"subscribe": ["news.*"]}
        return [
            Presented(bearer(token()), subscriber_id="ada"),
            Presented({"X-Token": token(sub="böb", capabilities=capabilities)}, subscriber_id="böb"),
            Presented(query={"access_token": token()}, subscriber_id="ada"),
            Presented(token=token(), subscriber_id="ada"),
        ]

    @pytest.fixture
    def refused(self) -> Sequence[Presented]:
        unsigned = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJldmUifQ."
        return [
            Presented(bearer(token(OTHER_SECRET))),
            Presented(bearer(unsigned)),
            Presented({"Cookie": f"seth={token(OTHER_SECRET)}"}),
            Presented(token=unsigned),
        ]

    @pytest.fixture
    def expired(self) -> Sequence[Presented]:
        return [Presented(bearer(token(exp=LONG_AGO))), Presented(token=token(exp=LONG_AGO))]


class TestAuthorize(AuthorizeCompliance):
    @pytest.fixture
    def make_plugin(self) -> Callable[[], object]:
        return made

    @pytest.fixture
    def opinions(self) -> Sequence[Opinion]:
        def ada(capabilities: Mapping[str, Sequence[str]] | None, purpose: str = "connection") -> Identity:
            info = {"capabilities": capabilities, "claims": {}, "purpose": purpose}
            return Identity("ada", proven=True, info=info, plugin="auth_jwt")

        reader, root, plain = ada({"subscribe": ("news.*",)}), ada({"administer": ("*",), "publish": ("*",)}), ada(None)
        news, sport = Address.channel("news.today"), Address.channel("sport")
        return [
            Opinion(reader, "subscribe", news, True),
            Opinion(reader, "subscribe", sport, False),
            Opinion(reader, "publish", news, False),
            Opinion(reader, "subscribe", Address.channel("all"), None),
            Opinion(root, "administer", SERVER, True),
            Opinion(root, "publish", Address.user("bob"), True),
            Opinion(root, "publish", Address.channel("bob"), True),
            Opinion(plain, "subscribe", news, None),
            Opinion(ada(None, "http"), "publish", news, False),
            Opinion(Identity("ada", proven=True, plugin="auth_apikey"), "publish", news, None),
        ]


class TestPlugin(PluginCompliance):
    @pytest.fixture
    def plugin_name(self) -> str:
        return "auth_jwt"

    @pytest.fixture
    def settings(self) -> Mapping[str, Any]:
        return {"key": SECRET}


class TestCommand(PluginCompliance):
    @pytest.fixture
    def plugin_name(self) -> str:
        return "token"
