"""What the contracts of all stores are tested with."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThreadPool
from twisted.python.threadpool import ThreadPool

from boomerang.threads import Run
from tests.servers import RedisServer


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A Redis for all tests of a module; those that end theirs have one of their own."""
    with RedisServer(tmp_path_factory.mktemp("redis")) as started:
        yield started


@pytest.fixture
def thread() -> Iterator[Run]:
    """A runner with a thread, as in production."""
    pool = ThreadPool(1, 1)
    pool.start()

    def run(work: Callable[[], Any]) -> Deferred[Any]:
        return deferToThreadPool(reactor, pool, work)  # type: ignore[arg-type]

    yield run
    pool.stop()
