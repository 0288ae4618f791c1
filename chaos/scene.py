"""What a fault is played on: a daemon under load, hurt and healed, and looked at all the time."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, suppress
from pathlib import Path
from typing import Final, TypeVar

import attrs
from attrs import frozen

from chaos import watching
from chaos.driving import Driver
from chaos.judge import Seen
from chaos.told import Gone, costs
from tests.integration.daemon import COMMAND, Daemon, Daemons, children, eventually
from tests.servers import RedisServer, free_port

T = TypeVar("T")

WAIT: Final = 1.0
"""Seconds of a hold; a minute of 8-second holds would show nothing more."""

DURABLE: Final = ("appendonly yes", "appendfsync always")
"""What README asks of a Redis that has the relay's callbacks."""

_KEPT: Final = 10
"""Connections to the app that wait for the next callback, and the one that asks ``/health``."""

_START: Final = 60.0
"""Seconds that a start may take, with several workers and other faults at the same time."""

_SETTLE: Final = 20.0
"""Seconds that callbacks have to arrive, and the process to let go of connections."""


@frozen(kw_only=True)
class Extent:
    """How much of it: rates per second, times in seconds, calls of a storm; minutes of soak."""

    calls: float
    callbacks: float
    storm: int
    calm: float
    lasting: float
    idle: int
    soak: float


class Scene:
    """A daemon, its load, and when what was done to it."""

    def __init__(self, directory: Path, extent: Extent, say: Callable[[str], None]) -> None:
        self.directory = directory
        self.extent = extent
        self.say = say
        self.remarks: list[str] = []
        self.port = free_port()
        self.gone: list[Gone] = []
        self.injured_at = self.mended_at = 0.0
        self._stack = ExitStack()
        self._daemons = Daemons(directory)
        self._command: tuple[str, ...] = ()
        self._more: Mapping[str, str] = {}

    def __enter__(self) -> Scene:
        return self

    def __exit__(self, *_: object) -> None:
        self._daemons.kill_all()
        self._stack.close()

    def enter(self, context: AbstractContextManager[T]) -> T:
        """Enter a context that is left when the scene is over."""
        return self._stack.enter_context(context)

    def redis(self, *config: str, password: str | None = None) -> RedisServer:
        """A Redis that forgets nothing."""
        config = (*DURABLE, *config)
        return self.enter(RedisServer(self.directory, config=config, password=password))

    @property
    def file(self) -> Path:
        """Where a daemon on SQLite has its file, unless told otherwise."""
        return self.directory / "boomerang.db"

    def start(
        self,
        *options: str,
        store: str | None = None,
        prefix: Sequence[str] = (),
        more: Mapping[str, str] | None = None,
    ) -> Daemon:
        """A daemon under load, and well; with SQLite unless another store is named."""
        self._command = (
            *prefix,
            *COMMAND,
            f"--listen=tcp:{self.port}:interface=127.0.0.1",
            f"--store={store or f'sqlite:{self.file}'}",
            f"--retry-wait={WAIT}",
            *options,
        )
        self._more = {"BOOMERANG_RELAY_SCHEDULE": "0.2s,0.5s,1s", **(more or {})}
        self.daemon = self._launch()
        self._watch = watching.Watch(self.port)
        eventually(self._watch.is_well, within=_START)
        self._descriptors = watching.descriptors(*self.pids)
        self.load = self.enter(
            Driver(
                self.port,
                calls=self.extent.calls,
                callbacks=self.extent.callbacks,
                log=self.directory / "load.log",
            )
        )
        eventually(lambda: self.load.ended_calls() > self.extent.calls * self.extent.calm)
        self.weigh()
        return self.daemon

    def weigh(self) -> None:
        """Take the memory that the process takes now for what it needs."""
        self._kib = watching.kib(*self.pids)

    def figures(self) -> str:
        """How the process stands."""
        return (
            f"{self.load.ended_calls()} calls, {watching.kib(*self.pids) / 1024:.1f} MiB,"
            f" {watching.descriptors(*self.pids)} descriptors"
        )

    @property
    def pids(self) -> tuple[int, ...]:
        """The daemon's process, whatever it was started with, and its workers'."""
        own = self.daemon.process.pid
        return (own, *children(own))

    def cut(self, *, until: float) -> None:
        """Count those as cut off who had asked until then, and were not answered yet."""
        self.gone.append(Gone(self.injured_at, until, abrupt=True))

    def restart(self, *, abrupt: bool) -> None:
        """Start a daemon like the one that is gone; ``abrupt``: it could not end its work."""
        self.daemon = self._launch()
        self.gone.append(Gone(self.injured_at, time.monotonic(), abrupt=abrupt))
        self._descriptors = watching.descriptors(*self.pids)

    def _launch(self) -> Daemon:
        return self._daemons.launch(*self._command, more=self._more).wait_until_ready(within=_START)

    def injure(self, hurt: Callable[[], object]) -> None:
        """Do harm while calls of a storm are held; another storm comes right after it."""
        self.load.storm(self.extent.storm)
        time.sleep(WAIT / 2)
        self.injured_at = time.monotonic()
        hurt()
        self.load.storm(self.extent.storm)
        time.sleep(self.extent.lasting)

    def mend(self, heal: Callable[[], object] = lambda: None) -> None:
        """End the harm; returns once the daemon is well, and some calm time later."""
        heal()
        self.mended_at = time.monotonic()
        with suppress(AssertionError):  # a verdict is made of it later
            eventually(self._watch.is_well, within=_SETTLE)
        self.load.storm(self.extent.storm)
        time.sleep(self.extent.calm)

    def seen(self) -> Seen:
        """End the load, and look what it has cost."""
        self.load.end(within=2 * _SETTLE)
        with suppress(AssertionError):
            eventually(lambda: not self.load.told().missing, within=_SETTLE)
        with suppress(AssertionError):
            eventually(lambda: self._grown() <= _KEPT, within=_SETTLE)
        self._watch.stop()
        told, looks = self.load.told(), self._watch.looks
        became = attrs.asdict(costs(told.calls, wait=WAIT, gone=self.gone, lags=told.lags))
        self.remarks += became.pop("reasons")
        return Seen(
            **became,
            acknowledged=len(told.acknowledged),
            refused=told.refused + told.unanswered,
            missing=len(told.missing),
            recovered=watching.recovered(looks, mended=self.mended_at),
            degraded=watching.degraded(looks, since=self.injured_at),
            descriptors=self._grown(),
            kib=watching.kib(*self.pids) - self._kib,
            mistakes=tuple(self._daemons.mistakes()),
        )

    def _grown(self) -> int:
        return watching.descriptors(*self.pids) - self._descriptors

    def log_of_mistakes(self) -> list[str]:
        """What the daemon's log says around the first line that speaks of a bug, or at its end."""
        lines, wrong = self.daemon.log().splitlines(), self.daemon.mistakes()
        first = lines.index(wrong[0]) if wrong else max(0, len(lines) - 5)
        return lines[first : first + 40]
