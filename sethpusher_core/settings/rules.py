"""Channel rules: what holds in which channel. An ordered list, of which the first match holds.

A pattern is taken literally but for ``*``, which stands for any characters, also none, dots and slashes included:
"news.*" matches "news.", "news.sport" and "news.sport/today", not "news". Nothing else is special: no ``?``, no
brackets.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, TypeAlias

from .declare import setting
from .values import Duration, Size

__all__ = ["DEFAULT_RULE", "Audience", "ChannelRule", "ChannelRules", "Explanation", "OnSlow", "matches"]

Audience: TypeAlias = Literal["anyone", "identified", "nobody"]
OnSlow: TypeAlias = Literal["disconnect", "drop_oldest", "drop_newest"]


@dataclass(frozen=True, slots=True)
class ChannelRule:
    """One ``[[channels]]`` table. Its defaults are those of a server without any: as release 0.2.2 behaved."""

    match: str = setting(
        required=True, help="The channels it holds for; * stands for any characters, everything else is literal."
    )
    history: int = setting(0, minimum=0, help="Publications kept; 0 keeps none, and then there is no position.")
    history_age: Duration = setting("10m", minimum="1s", help="How long a publication is kept.")
    history_bytes: Size = setting("4MiB", minimum="1KiB", help="What the publications kept may take together.")
    presence: bool = setting(False, help="Whether the channel knows its members.")
    announce: bool = setting(True, help="Whether subscribing and unsubscribing send notices.")
    subscribe: Audience = setting("anyone", help="Who may subscribe, where no plugin decides.")
    publish: Audience = setting("nobody", help="Which clients may publish; HTTP publishing goes by scope.")
    presence_read: Audience = setting("anyone", help="Which clients may ask for the members.")
    history_read: Audience = setting("anyone", help="Which clients may read the history, and recover from it.")
    on_slow: OnSlow = setting("disconnect", help="What happens to a subscriber whose outbound queue is full.")


DEFAULT_RULE = ChannelRule(match="*")
"""What holds for a channel that no rule matches."""


def matches(pattern: str, channel: str) -> bool:
    """Whether a pattern matches the whole channel name; linear in its length, whatever the pattern."""
    first, *parts = pattern.split("*")
    if not parts:
        return pattern == channel
    last = parts.pop()
    if len(channel) < len(first) + len(last) or not (channel.startswith(first) and channel.endswith(last)):
        return False
    # Between the ends, taking each part where it first occurs leaves most room for the next: no need to go back.
    position, end = len(first), len(channel) - len(last)
    for part in parts:
        position = channel.find(part, position, end)
        if position < 0:
            return False
        position += len(part)
    return True


@dataclass(frozen=True, slots=True, eq=False)
class Explanation:
    """Which rule holds for a channel.

    Attributes:
        channel: The channel asked about.
        rule: The rule that holds.
        index: Its place in the list, from 0; None for the built-in default.
        text: The same in a sentence.
    """

    channel: str
    rule: ChannelRule
    index: int | None
    text: str


class ChannelRules:
    """The rules of a server, in order.

    Args:
        rules: As the settings list them.
        default: What holds where none matches.
        remembered: How many channels' rules are remembered; beyond it the one not asked for longest is forgotten, so
            that clients who invent names cannot fill the memory.
    """

    __slots__ = ("_find", "default", "rules")

    def __init__(
        self,
        rules: Iterable[ChannelRule] = (),
        *,
        default: ChannelRule = DEFAULT_RULE,
        remembered: int = 10_000,
    ) -> None:
        self.rules = tuple(rules)
        self.default = default
        self._find = lru_cache(maxsize=remembered)(self._search)

    def rule_for(self, channel: str) -> ChannelRule:
        """Give the rule of a channel; a remembered one costs a lookup."""
        return self._find(channel)

    def _search(self, channel: str) -> ChannelRule:
        return next((rule for rule in self.rules if matches(rule.match, channel)), self.default)

    def explain(self, channel: str) -> Explanation:
        """Say which rule holds for a channel, and why."""
        for index, rule in enumerate(self.rules):
            if matches(rule.match, channel):
                before = f", after {index} that {'does' if index == 1 else 'do'} not" if index else ""
                text = f'{channel!r} goes by channels[{index}], match = "{rule.match}": the first that matches{before}'
                return Explanation(channel, rule, index, text)
        tried = f"none of {len(self.rules)} rules matches" if self.rules else "there are no rules"
        return Explanation(channel, self.default, None, f"{channel!r} goes by the built-in default: {tried}")

    def unreachable(self) -> tuple[tuple[int, int], ...]:
        """List rules that can never hold, each with the earlier one that matches whatever they match."""
        # A pattern that matches another pattern's text matches all that the other stands for, since only its own * can
        # have taken the other's.
        return tuple(
            (index, earlier)
            for index, rule in enumerate(self.rules)
            for earlier in [_first_covering(self.rules[:index], rule.match)]
            if earlier is not None
        )


def _first_covering(rules: tuple[ChannelRule, ...], pattern: str) -> int | None:
    return next((index for index, rule in enumerate(rules) if matches(rule.match, pattern)), None)
