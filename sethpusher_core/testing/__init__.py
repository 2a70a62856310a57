"""The compliance kit: for each seam one class that says, test by test, what an implementation must hold.

``PluginCompliance`` is for every plugin; ``BackendCompliance``, ``PersistCompliance``, ``AuthenticateCompliance``,
``AuthorizeCompliance``, ``DispatchCompliance`` and ``TransformCompliance`` for what it implements. An author subclasses
a class in a test module and gives what it asks for, mostly one fixture::

    import pytest
    from sethpusher_core.testing import BackendCompliance

    class TestMyBackend(BackendCompliance):
        @pytest.fixture
        def make_backend(self):
            return lambda: MyBackend(Settings(url=...))

pytest does the rest: ``pip install 'sethpusher-core[testing]'``. Rules that hold for every class:

* The cases are plain functions; no plugin of pytest for asyncio is needed, and none is in the way.
* Cases go by the capabilities that an implementation declares. What does not apply is skipped, by the capability's
  name.
* Every case says the contract's sentence that it checks, and what to do when it fails; both are in the report.
* No case can be deleted or rewritten. One that cannot be held for now is marked, with the reason; the mark is all that
  counts, what is run is the kit's own case::

      @pytest.mark.xfail(strict=True, reason="the bus carries at most 64 KiB: issue 12")
      def test_a_megabyte_is_carried(self): ...

* ``SETHPUSHER_TEST_TIME_SCALE`` (1) stretches every wait on a slow machine.

Importing this module needs nothing but the core; a class is looked up, and pytest imported, when it is first used.
"""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .authenticate import AuthenticateCompliance
    from .authorize import AuthorizeCompliance
    from .backend import BackendCompliance
    from .callers import Presented
    from .changes import REFUSED, Change
    from .dispatch import DispatchCompliance
    from .loops import kit_time
    from .opinions import Opinion
    from .persist import PersistCompliance
    from .plugin import PluginCompliance
    from .stores import Kept
    from .talks import Exchange
    from .transform import TransformCompliance

__all__ = [
    "REFUSED",
    "AuthenticateCompliance",
    "AuthorizeCompliance",
    "BackendCompliance",
    "Change",
    "DispatchCompliance",
    "Exchange",
    "Kept",
    "Opinion",
    "PersistCompliance",
    "PluginCompliance",
    "Presented",
    "TransformCompliance",
    "kit_time",
]

_HOMES = {
    "REFUSED": ".changes",
    "AuthenticateCompliance": ".authenticate",
    "AuthorizeCompliance": ".authorize",
    "BackendCompliance": ".backend",
    "Change": ".changes",
    "DispatchCompliance": ".dispatch",
    "Exchange": ".talks",
    "Kept": ".stores",
    "Opinion": ".opinions",
    "PersistCompliance": ".persist",
    "PluginCompliance": ".plugin",
    "Presented": ".callers",
    "TransformCompliance": ".transform",
    "kit_time": ".loops",
}
_WITH_ASSERTIONS = (
    "backend_cases",
    "callers",
    "changes",
    "hook_cases",
    "hooks",
    "installed",
    "node",
    "nodes",
    "opinions",
    "persist_cases",
    "stores",
    "talks",
)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name != "kit_time":
        _prepare_pytest(name)
    value = globals()[name] = getattr(importlib.import_module(_HOMES[name], __name__), name)
    return value


def _prepare_pytest(name: str) -> None:
    try:
        import pytest
    except ModuleNotFoundError as error:
        raise ImportError(
            f"{__name__}.{name} needs pytest: pip install 'sethpusher-core[testing]'", name="pytest"
        ) from error
    # Else a case that fails would show its line, and none of the values in it.
    modules = (f"{__name__}.{module}" for module in _WITH_ASSERTIONS)
    pytest.register_assert_rewrite(*(module for module in modules if module not in sys.modules))


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
