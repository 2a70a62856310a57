"""The plugin holds what the compliance kit asks of authenticators, authorizers and plugins."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
from sethpusher_auth_apikey import ApiKeyAuth
from sethpusher_auth_apikey.settings import ApiKeySettings, KeyTable

from sethpusher_core import SERVER, Address, Identity
from sethpusher_core.settings import Secret
from sethpusher_core.testing import AuthenticateCompliance, AuthorizeCompliance, Opinion, PluginCompliance, Presented

ROOT = "sp_root_key_0123456789"
SHOP = "sp_shop_key_0123456789"
LONG_AGO = "sp_expired_key_0123456789"
SETTINGS = ApiKeySettings(
    key=Secret(ROOT),
    keys=(
        KeyTable("shop", key=Secret(SHOP), scopes=("publish",), channels=("shop.*",)),
        KeyTable("expired", key=Secret(LONG_AGO), scopes=("publish",), expires="2001-01-01"),
    ),
    failure_delay=0.0,
)


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


class TestAuthenticate(AuthenticateCompliance):
    @pytest.fixture
    def make_plugin(self) -> Callable[[], object]:
        return lambda: ApiKeyAuth(SETTINGS)

    @pytest.fixture
    def accepted(self) -> Sequence[Presented]:
        return [
            Presented(bearer(ROOT)),
            Presented({"Seth-Authentication-Header": SHOP}),
            Presented(query={"api_key": SHOP}),
        ]

    @pytest.fixture
    def refused(self) -> Sequence[Presented]:
        return [Presented(bearer("sp_wrong_key_0123456789")), Presented(query={"api_key": ""})]

    @pytest.fixture
    def expired(self) -> Sequence[Presented]:
        return [Presented(bearer(LONG_AGO))]


class TestAuthorize(AuthorizeCompliance):
    @pytest.fixture
    def make_plugin(self) -> Callable[[], object]:
        return lambda: ApiKeyAuth(SETTINGS)

    @pytest.fixture
    def opinions(self) -> Sequence[Opinion]:
        root, shop, gone = (Identity(info={"key": key}, plugin="auth_apikey") for key in ("key", "shop", "gone"))
        shoes, news, ada = Address.channel("shop.shoes"), Address.channel("news"), Address.user("ada")
        return [
            Opinion(root, "administer", SERVER, True),
            Opinion(root, "publish", ada, True),
            Opinion(shop, "publish", shoes, True),
            Opinion(shop, "publish", news, False),
            Opinion(shop, "subscribe", shoes, False),
            Opinion(shop, "publish", ada, False),
            Opinion(gone, "publish", shoes, False),
            Opinion(Identity("ada", proven=True, plugin="auth_jwt"), "publish", shoes, None),
        ]


class TestPlugin(PluginCompliance):
    @pytest.fixture
    def plugin_name(self) -> str:
        return "auth_apikey"

    @pytest.fixture
    def settings(self) -> Mapping[str, Any]:
        return {"key": ROOT}


class TestCommand(PluginCompliance):
    @pytest.fixture
    def plugin_name(self) -> str:
        return "apikey"
