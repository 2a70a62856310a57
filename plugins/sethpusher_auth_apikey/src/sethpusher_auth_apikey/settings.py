"""What the plugin can be told."""

from __future__ import annotations

from dataclasses import dataclass

from sethpusher_core.settings import Duration, Secret, setting

__all__ = ["ApiKeySettings", "KeyTable"]


@dataclass(frozen=True, slots=True)
class KeyTable:
    """One ``[[plugins.auth_apikey.keys]]`` table."""

    name: str = setting(required=True, help="For the log, and to tell keys apart.")
    scopes: tuple[str, ...] = setting(required=True, help="Some of publish, subscribe, read, administer.")
    key: Secret | None = setting(None, help="The key, best as a reference.")
    hash: str | None = setting(None, help="Or its hash, as seth-pusher apikey new prints it.")
    channels: tuple[str, ...] = setting(("*",), help="The channels it is for; with * also users and the server.")
    expires: str | None = setting(None, help="When it ends, such as 2027-01-31 or 2027-01-31T12:00:00Z.")


@dataclass(frozen=True, slots=True)
class ApiKeySettings:
    """What the plugin can be told; one of the first three must be given."""

    key: Secret | None = setting(None, required="key", help="One key that may do everything.")
    keys: tuple[KeyTable, ...] = setting((), required="key", help="Keys with names, scopes, channels and ends.")
    keys_file: str | None = setting(None, required="key", help="A TOML file with [[keys]]; re-read when it changes.")
    check_every: Duration = setting("2s", minimum="10ms", help="How often it is looked whether keys_file has changed.")
    argument: str = setting("api_key", help="The query or body argument that may hold a key; empty: none.")
    header: str = setting("Seth-Authentication-Header", help="The header that may hold a key; empty: none.")
    bearer: bool = setting(True, help="Whether Authorization: Bearer may hold a key.")
    failure_delay: Duration = setting("1s", help="By how much answers to failures of one address are delayed at most.")
