"""Daemons and an app for the tests of this folder."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.app import App
from tests.integration.daemon import Daemon, Daemons, ended


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> object:
    """Run tests that are not asynchronous beside the reactor, so that they can wait for it."""
    if inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    names = inspect.signature(pyfuncitem.obj).parameters
    pyfuncitem.obj(**{name: pyfuncitem.funcargs[name] for name in names})
    return True


@pytest.fixture
def daemons(tmp_path: Path) -> Iterator[Daemons]:
    """Daemons that end with the test, which fails if one of their logs speaks of a bug."""
    with ended(Daemons(tmp_path)) as daemons:
        yield daemons


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """One daemon for a whole module, for tests whose calls do not know of each other; waits 1 s."""
    with ended(Daemons(tmp_path_factory.mktemp("daemons"))) as daemons:
        yield daemons.start(wait=1)


@pytest.fixture
def app() -> Iterator[App]:
    """An app that sleeps."""
    made = App()
    made.start()
    yield made
    made.port.stopListening()
