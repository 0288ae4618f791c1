"""The process of a worker: ``python -m boomerang.workers.worker``, started by the supervisor only.

It is the daemon without ``twistd``, which has done its part (user, directory, log) in the parent.
"""

from __future__ import annotations

import os
import pickle
import signal
import sys
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import globalLogBeginner

from boomerang import logs
from boomerang.clocks import count_by_monotonic_clock
from boomerang.listening import CannotListen
from boomerang.monitor.libraries import MissingExtra
from boomerang.stores.address import SqliteAddress
from boomerang.workers.cores import stay_on_core
from boomerang.workers.messages import ORDERS
from boomerang.workers.workplace import Channel, Orders, Workplace, by_pipes


def main() -> None:
    """Run until told to stop, then exit with 0."""
    with os.fdopen(ORDERS, "rb") as pipe:
        orders: Orders = pickle.load(pipe)
    from twisted.internet import reactor

    from boomerang.service import build

    count_by_monotonic_clock(reactor)
    settings = orders.settings
    if isinstance(settings.store, SqliteAddress):
        stay_on_core(orders.worker)
    sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    observer = logs.observer(sys.stdout, style=settings.log_format, worker=orders.worker.number)
    globalLogBeginner.beginLoggingTo([observer])
    channel = Channel(by_pipes(reactor), clock=reactor)
    workplace = Workplace(orders, channel)
    try:
        host = build(settings, reactor, observer=None, workplace=workplace)
    except (CannotListen, MissingExtra, OSError) as error:
        raise SystemExit(f"boomerang: {error}") from None
    host.privilegedStartService()
    host.startService()
    _run(reactor, host, channel)


def _run(reactor: Any, host: Any, channel: Channel) -> None:
    def stop() -> Deferred[None]:
        return Deferred.fromCoroutine(_stop(host, channel))

    reactor.addSystemEventTrigger("before", "shutdown", stop)
    reactor.callWhenRunning(_hear_signals)
    reactor.run()


async def _stop(host: Any, channel: Channel) -> None:
    """The counts are told after everything else has ended, since all of it may count."""
    try:
        await host.stopService()
    finally:
        await channel.leave()


def _hear_signals() -> None:
    """From now on SIGTERM ends this process in good order; see `spawning` for what was before.

    Ctrl-C goes to the whole group: it is the supervisor that says what comes of it.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGINT, signal.SIGTERM))


if __name__ == "__main__":
    main()
