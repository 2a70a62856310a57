"""A transform: masks what must not be told, such as card numbers, before a publication is stored or sent.

Texts, numbers and names of members are looked at, wherever they stand in the message.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from sethpusher_core import Publication, hookimpl
from sethpusher_core.settings import setting

CARD = "(?<![0-9])[2-6](?:[ -]?[0-9]){12,18}(?![0-9])"


def unusable(pattern: str) -> str | None:
    try:
        return "it matches the empty text" if re.search(pattern, "") else None
    except re.error as error:
        return f"it is no regular expression: {error}"


class Redact:
    @dataclass(frozen=True, slots=True)
    class Settings:
        pattern: str = setting(CARD, check=unusable, help="What is masked: a regular expression.")
        mask: str = setting("[redacted]", help="What stands in its place.")

    def __init__(self, settings: Settings) -> None:
        self._pattern, self._mask = re.compile(settings.pattern), settings.mask

    @hookimpl
    def transform(self, publication: Publication) -> Publication:
        # Also where nothing was masked: of a member that stands twice, the JSON text holds more than the value shows.
        return publication.replace(self._clean(publication.message), sender_id=self._clean(publication.sender_id))

    def _clean(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {self._clean(name): self._clean(item) for name, item in value.items()}
        if isinstance(value, list):
            return [self._clean(item) for item in value]
        if value is None or isinstance(value, bool):
            return value
        text = self._pattern.sub(lambda _: self._mask, str(value))  # a function: in a text, \1 would mean a group
        return value if text == str(value) else text
