"""What holds for every test: nothing critical is logged, nothing waits for ever."""

from __future__ import annotations

import gc
import inspect
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import settings
from twisted.internet.defer import Deferred
from twisted.logger import ILogObserver, LogEvent, LogLevel, formatEvent, globalLogPublisher
from zope.interface import provider

TEST_LIMIT = 60.0
"""Seconds for an asynchronous test; none comes near it unless it hangs."""

settings.register_profile("boomerang", deadline=None)
settings.load_profile("boomerang")


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--full``: what takes minutes, too."""
    parser.addoption("--full", action="store_true", help="kill the relay a hundred times")


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> None:
    """Give each asynchronous test a limit; one from outside would stop the reactor with it."""
    test: Any = pyfuncitem.obj
    if inspect.iscoroutinefunction(test) and not hasattr(test, "hypothesis"):

        def limited(**arguments: Any) -> Deferred[Any]:
            from twisted.internet import reactor

            return Deferred.fromCoroutine(test(**arguments)).addTimeout(TEST_LIMIT, reactor)

        pyfuncitem.obj = limited


def pytest_collection_finish() -> None:
    """Spare the collector, which runs after each test, what was imported for all of them."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="module", autouse=True)
def _collector_is_spared() -> Iterator[None]:
    """The same for what a module's tests have imported and left in caches."""
    yield
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _nothing_critical_logged() -> Iterator[None]:
    """Fail a test that made something log a traceback, unhandled Deferreds included."""
    critical: list[str] = []

    @provider(ILogObserver)
    def observe(event: LogEvent) -> None:
        if event.get("log_level") is LogLevel.critical:
            failure = event.get("log_failure")
            critical.append(f"{formatEvent(event)}\n{failure.getTraceback() if failure else ''}")

    globalLogPublisher.addObserver(observe)
    try:
        yield
        gc.collect()
    finally:
        globalLogPublisher.removeObserver(observe)
    assert not critical, "\n".join(critical)
