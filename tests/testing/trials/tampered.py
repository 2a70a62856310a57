"""Test modules as authors should not write them, and a few as they may. Collected only when it is named."""

from __future__ import annotations

import pytest

from sethpusher_core import Identity, Rejected, hookimpl
from sethpusher_core.backends.memory import MemoryBackend
from sethpusher_core.testing import (
    AuthenticateCompliance,
    AuthorizeCompliance,
    BackendCompliance,
    DispatchCompliance,
    PersistCompliance,
    PluginCompliance,
    Presented,
    TransformCompliance,
    kit_time,
)
from sethpusher_core.testing.backend_cases.presence import PresenceCases
from sethpusher_core.testing.nodes import BackendBench


class Author(PresenceCases):
    """A class of few cases, all right."""

    backend: type[MemoryBackend] = MemoryBackend

    @pytest.fixture
    def kit(self):
        return BackendBench(lambda: self.backend(clock=kit_time), one_node="in memory", virtual=True)


class TestRight(Author):
    def test_of_the_author(self):
        """More is always welcome."""


class TestDeleted(Author):
    test_first_in_and_last_out = None


class TestRewritten(Author):
    def test_first_in_and_last_out(self):
        """What can go wrong?"""


class TestSkipped(Author):
    @pytest.mark.skip(reason="later")
    def test_first_in_and_last_out(self): ...


class TestNotStrict(Author):
    @pytest.mark.xfail(reason="some day")
    def test_first_in_and_last_out(self): ...


class TestWithoutAReason(Author):
    @pytest.mark.xfail(strict=True)
    def test_first_in_and_last_out(self): ...


class TestOnCondition(Author):
    @pytest.mark.xfail(True, strict=True, reason="on some machines")
    def test_first_in_and_last_out(self): ...


class TestNotRun(Author):
    @pytest.mark.xfail(strict=True, reason="it hangs", run=False)
    def test_first_in_and_last_out(self): ...


class TestTwoMarks(Author):
    @pytest.mark.skipif(True, reason="and never run")
    @pytest.mark.xfail(strict=True, reason="issue 12")
    def test_first_in_and_last_out(self): ...


class Loose:
    def test_first_in_and_last_out(self):
        """Comes first in the order of resolution."""


class TestMixedIn(Loose, Author): ...


class TestGrandchild(TestRewritten): ...


class TestOpened(Author):
    OPEN = frozenset({"test_first_in_and_last_out"})

    def test_first_in_and_last_out(self):
        """What can go wrong?"""


class TestGuardRewritten(Author):
    test_first_in_and_last_out = None

    def test_no_case_is_missing(self):
        """All is well."""


class TestLater(Author): ...


TestLater.test_first_in_and_last_out = lambda self: None


class TestEscaped(Author):
    """Keeps the guard from looking."""

    def __init_subclass__(cls):
        pass


class TestEscapedChild(TestEscaped):
    test_first_in_and_last_out = None


class TestExpected(Author):
    @pytest.mark.xfail(strict=True, reason="issue 12")
    def test_first_in_and_last_out(self): ...

    class backend(MemoryBackend):  # noqa: N801
        async def enter(self, *arguments):
            await super().enter(*arguments)
            return False


class TestExpectedButRight(Author):
    @pytest.mark.xfail(strict=True, reason="issue 12, solved long ago")
    def test_first_in_and_last_out(self): ...


class TestReplacesTheKit(BackendCompliance):
    @pytest.fixture
    def kit(self):
        return BackendBench(lambda: MemoryBackend(clock=kit_time), one_node="in memory", virtual=True)


class TestWithoutAFixture(BackendCompliance): ...


class TestPersisterWithoutAFixture(PersistCompliance): ...


class TestAsyncFixture(BackendCompliance):
    @pytest.fixture
    def make_backend(self):
        async def make():
            return MemoryBackend()

        return make


class TestNoCapabilities(BackendCompliance):
    one_node = "in memory"
    virtual_time = True

    @pytest.fixture
    def make_backend(self):
        class Plain(MemoryBackend):
            capabilities = frozenset()

        return lambda: Plain(clock=kit_time)


class Made:
    @pytest.fixture
    def make_plugin(self):
        return lambda: None


class TestAuthenticatorWithoutAFixture(AuthenticateCompliance): ...


class TestAuthenticatorWithoutCallers(Made, AuthenticateCompliance): ...


class TestAuthorizerWithoutOpinions(Made, AuthorizeCompliance): ...


class TestDispatcherWithoutExchanges(Made, DispatchCompliance): ...


class TestTransformWithoutChanges(Made, TransformCompliance): ...


class TestPluginWithoutAName(PluginCompliance): ...


class TestHookCaseDeleted(TransformCompliance):
    test_changes_are_as_stated = None


class TestPluginCaseDeleted(PluginCompliance):
    def test_it_is_discovered(self):
        """Who would not find it?"""


class TestPlainAuthenticator(AuthenticateCompliance):
    class Plain:
        @hookimpl
        def authenticate(self, credentials):
            word = credentials.headers.get("X-Word")
            return None if word is None else Identity() if word == "open sesame" else Rejected("wrong word")

    @pytest.fixture
    def make_plugin(self):
        return self.Plain

    @pytest.fixture
    def accepted(self):
        return [Presented({"X-Word": "open sesame"})]

    @pytest.fixture
    def refused(self):
        return [Presented({"X-Word": "close sesame"})]
