"""What the tests of the core and of all plugins share."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import hypothesis
import pytest
from support.logs import LogWatch

# How long an example takes says more about the machine than about the code.
hypothesis.settings.register_profile("unhurried", deadline=None)
hypothesis.settings.load_profile("unhurried")


def pytest_collection_finish() -> None:
    """What is there now stays: the garbage collection that ends each server's test need not look at it."""
    gc.collect()
    gc.freeze()


@pytest.fixture
def logs() -> Iterator[LogWatch]:
    """The log; a WARNING or worse that the test has not expected fails it."""
    with LogWatch() as watch:
        yield watch
    watch.check()
