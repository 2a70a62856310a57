"""Transforms that change what they should not, or leak."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any, ClassVar

from msgspec.structs import replace
from testing.trials.marks import fails

from sethpusher_core import Publication, Refused, hookimpl
from sethpusher_core.testing import REFUSED, Change
from sethpusher_core.testing.changes import TransformBench

STATED = [
    Change({"text": "a secret"}, {"text": "a ***"}),
    Change({"text": "no more"}, {"text": "no more"}),
    Change(["secret"], ["secret"]),
    Change({"text": "forbidden"}, REFUSED),
]


class Right:
    """Masks a word in the member ``text``."""

    changes: ClassVar[Sequence[Any]] = STATED

    @hookimpl
    def transform(self, publication: Publication) -> Any:
        return self.outcome(publication)

    def outcome(self, publication: Publication) -> Any:
        message = publication.message
        text = message.get("text") if isinstance(message, dict) else None
        if not isinstance(text, str):
            return publication
        return self.of_text(publication, text)

    def of_text(self, publication: Publication, text: str) -> Any:
        if text == "forbidden":
            return Refused("not that word")
        return publication.replace({**publication.message, "text": text.replace("secret", "***")})

    @classmethod
    def bench(cls) -> TransformBench:
        return TransformBench(cls, cls.changes, cls.make_failing)

    @staticmethod
    def make_failing() -> object:
        class Failing(Right):
            def outcome(self, publication: Publication) -> Any:
                raise LookupError("no list of words")

        return Failing()


@fails("fixture_gives_changes", among_others=True)
class NoChanges(Right):
    changes = ()


@fails("changes_are_as_stated", "persisters_get_what_comes_out")
class DoesNothing(Right):
    def outcome(self, publication: Publication) -> Any:
        return publication


@fails("changes_are_as_stated", among_others=True)
class GivesNoReason(Right):
    def of_text(self, publication: Publication, text: str) -> Any:
        return Refused("") if text == "forbidden" else super().of_text(publication, text)


@fails("changes_are_as_stated", among_others=True)
class MakesANewId(Right):
    def of_text(self, publication: Publication, text: str) -> Any:
        after = super().of_text(publication, text)
        return after if isinstance(after, Refused) else replace(after, id="new")


@fails("what_it_was_given_stays")
class ChangesInPlace(Right):
    def of_text(self, publication: Publication, text: str) -> Any:
        if text == "forbidden":
            return Refused("not that word")
        publication.message["text"] = text.replace("secret", "***")
        return publication.replace(publication.message)


@fails("the_same_comes_to_the_same")
class Counts(Right):
    def __init__(self) -> None:
        self.seen: dict[str, int] = {}

    def outcome(self, publication: Publication) -> Any:
        count = self.seen[publication.id] = self.seen.get(publication.id, 0) + 1
        return Refused("heard that before") if count > 3 else super().outcome(publication)


@fails("the_same_comes_to_the_same")
class ThrowsDice(Right):
    def outcome(self, publication: Publication) -> Any:
        after = super().outcome(publication)
        return after if isinstance(after, Refused) else replace(after, sender=b"%d" % random.getrandbits(60))


@fails("any_message_is_dealt_with")
class TakesObjectsForGranted(Right):
    def outcome(self, publication: Publication) -> Any:
        if publication.message is None:
            raise TypeError("null")
        return super().outcome(publication)


@fails("any_message_is_dealt_with")
class WritesWhatIsNoJson(Right):
    def outcome(self, publication: Publication) -> Any:
        return replace(publication, data=b"") if publication.message == "" else super().outcome(publication)


@fails("any_publication_is_dealt_with")
class TakesChannelsForGranted(Right):
    def outcome(self, publication: Publication) -> Any:
        assert publication.channel is not None
        return super().outcome(publication)


@fails("any_publication_is_dealt_with")
class TakesSendersForTexts(Right):
    def outcome(self, publication: Publication) -> Any:
        assert publication.sender_id is None or isinstance(publication.sender_id, str)
        return super().outcome(publication)


@fails("persisters_get_what_comes_out")
class KnowsTheKit(Right):
    def outcome(self, publication: Publication) -> Any:
        return super().outcome(publication) if publication.id.startswith("publication-") else publication


@fails("when_it_fails_nothing_leaks")
class LeaksInDoubt(Right):
    @staticmethod
    def make_failing() -> object:
        class Doubting(Right):
            def outcome(self, publication: Publication) -> Any:
                return publication

        return Doubting()
