"""Work that blocks, done in threads that cannot hold up the end of the process."""

from __future__ import annotations

from collections.abc import Callable
from threading import Thread
from typing import Any, Protocol, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThreadPool
from twisted.python.threadpool import ThreadPool

T = TypeVar("T")


class Run(Protocol):
    """Runs work that blocks, elsewhere, and tells of its end; tests do it at once."""

    def __call__(self, work: Callable[[], T], /) -> Deferred[T]: ...


class _DaemonThread(Thread):
    """A thread that a server which never answers, or a disk, cannot make the process wait for."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options, daemon=True)


def daemon_threads(reactor: Any, *, name: str, most: int) -> Run:
    """A runner with up to ``most`` threads of its own; none is started before it is needed."""
    pool = ThreadPool(0, most, name=name)
    pool.threadFactory = _DaemonThread

    def run(work: Callable[[], T], /) -> Deferred[T]:
        if not pool.started:  # not before: a thread does not survive the fork of a daemon
            pool.start()
        return deferToThreadPool(reactor, pool, work)

    return run
