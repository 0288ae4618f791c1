"""A worker's side: what it was given at its start, and how it speaks to the supervisor."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import count
from typing import Any, Final

from attrs import field, frozen
from twisted.application.service import Service
from twisted.internet.defer import Deferred, succeed
from twisted.internet.stdio import StandardIO
from twisted.logger import Logger

from boomerang.retry.keys import drawn
from boomerang.settings import Settings
from boomerang.workers.identity import Worker
from boomerang.workers.messages import FROM_SUPERVISOR, LAST, METRICS, TO_SUPERVISOR, Messages
from boomerang.workers.sockets import Accepting, Passed

GATHERING: Final = 3.0
"""Seconds within which the supervisor says what the other workers say."""

LAST_WORDS: Final = 1.0
"""Seconds that the supervisor has to take the last words of a worker."""

NUDGED: Final = 0.005
"""Seconds in which several nudges become one."""


@frozen
class Orders:
    """What a worker is started with; the settings are those of the supervisor's own start.

    ``host`` names all workers of this host among the hosts that share a store. ``token_keys`` are
    those of the tokens of held calls (`boomerang.workers.keyring`).
    """

    settings: Settings = field(repr=False)
    worker: Worker
    host: str
    sockets: tuple[Passed, ...]
    token_keys: tuple[bytes, ...] = field(factory=drawn, repr=False)


class Channel:
    """The messages to and from the supervisor; see `boomerang.workers.messages`.

    ``connect`` connects a protocol with it.
    """

    def __init__(self, connect: Callable[[Messages], object], *, clock: Any) -> None:
        self._connect = connect
        self._clock = clock
        self._handlers: Mapping[str, Callable[[dict[str, Any]], None]] = {}
        self._lost: Callable[[], None] = lambda: None
        self._last_words: Callable[[], None] = lambda: None
        self._is_open = False
        self._left: Deferred[None] = Deferred()
        self.messages = Messages(self._heard, self._close)
        self._gathered: dict[int, Deferred[Any]] = {}
        self._numbers = count(1)
        self._nudging = False

    def open(
        self,
        handlers: Mapping[str, Callable[[dict[str, Any]], None]],
        *,
        lost: Callable[[], None],
        last_words: Callable[[], None],
    ) -> None:
        """Begin to listen. ``handlers`` are by what a message has; ``lost``: nobody is there.

        ``last_words`` says what there is to say before the worker leaves.
        """
        self._handlers, self._lost, self._last_words = handlers, lost, last_words
        self._is_open = True
        self._connect(self.messages)

    def leave(self) -> Deferred[None]:
        """Say the last words; fires when they are out, since what is not is lost at the exit."""
        if not self._is_open:
            return succeed(None)
        self._last_words()
        transport: Any = self.messages.transport
        transport.loseConnection()  # writes first what there is to write
        return self._left.addTimeout(LAST_WORDS, self._clock, onTimeoutCancel=lambda *_: None)

    def send(self, **message: Any) -> None:
        self.messages.send(**message)

    def tell_state(self, state: str) -> None:
        """As systemd is told: ``READY=1``, ``WATCHDOG=1``, ``STOPPING=1``."""
        self.send(state=state)

    def tell_keys(self, keys: Sequence[bytes]) -> None:
        """Tell which keys tokens are signed with, for the worker that is started next."""
        if self._is_open:
            self.send(token_keys=[key.hex() for key in keys])

    def nudge(self) -> None:
        """Tell worker 0 that there may be something to deliver."""
        if not self._nudging:
            self._nudging = True
            self._clock.callLater(NUDGED, self._nudge)

    def gather(self, what: str) -> Deferred[Any]:
        """What all workers together say. Fails with `TimeoutError` when nobody says it."""
        number = next(self._numbers)
        answer = self._gathered[number] = Deferred()
        self.send(gather=what, number=number)

        def over(result: Any) -> Any:
            self._gathered.pop(number, None)
            return result

        return answer.addTimeout(GATHERING, self._clock).addBoth(over)

    def _close(self) -> None:
        self._is_open = False
        self._left.callback(None)
        self._lost()

    def _nudge(self) -> None:
        self._nudging = False
        self.send(nudge=True)

    def _heard(self, message: dict[str, Any]) -> None:
        if "gathered" in message:
            answer = self._gathered.get(message["number"])
            if answer is not None and not answer.called:
                answer.callback(message["gathered"])
            return
        for name, handle in self._handlers.items():
            if name in message:
                handle(message)


def by_pipes(reactor: Any) -> Callable[[Messages], object]:
    """Connects with the supervisor through the descriptors that a worker has for it."""
    connect: Any = StandardIO  # mypy sees the one for Windows, without descriptors
    return lambda protocol: connect(protocol, FROM_SUPERVISOR, TO_SUPERVISOR, reactor)


@frozen(eq=False)
class Workplace:
    """Where a worker works."""

    orders: Orders
    channel: Channel

    @property
    def name(self) -> str:
        """What the worker is called among all processes that share the store."""
        return f"{self.orders.host}.{self.orders.worker.number}"


class Post(Service):
    """Does what the supervisor says, while the daemon runs. It is the daemon's listening, too.

    ``tells`` are what it is asked for; ``hurry`` lets go of who is held, ``nudge`` looks for
    deliveries, ``quit`` ends the process.
    """

    _log = Logger(namespace="boomerang.workers")

    def __init__(
        self,
        workplace: Workplace,
        *,
        accepting: Accepting,
        tells: Mapping[str, Callable[[], Any]],
        hurry: Callable[[], None],
        nudge: Callable[[], None],
        quit: Callable[[], None],
        clock: Any,
    ) -> None:
        self._channel = workplace.channel
        self._worker = workplace.orders.worker
        self._accepting = accepting
        self._tells = tells
        self._hurry = hurry
        self._nudge = nudge
        self._quit = quit
        self._clock = clock

    def startService(self) -> None:
        super().startService()
        self._channel.open(
            {
                "accept": lambda message: self._accept(message["accept"]),
                "tell": self._tell,
                "nudge": lambda message: self._nudge(),
                "hurry": lambda message: self._hurry(),
            },
            lost=self._orphaned,
            # A scrape that comes later is not to miss what was counted since the last one.
            last_words=lambda: self._tell({"tell": METRICS, "round": LAST}),
        )

    def stopService(self) -> Deferred[None]:
        """Accept who waits, and then no more."""
        super().stopService()
        return self._accepting.close()

    def _accept(self, workers: Sequence[int]) -> None:
        if self.running:
            self._accepting.accept(workers)

    def _tell(self, message: dict[str, Any]) -> None:
        what, round_ = message["tell"], message["round"]
        self._channel.send(told=self._tells[what](), of=what, round=round_)

    def _orphaned(self) -> None:
        if self.running:
            self._log.error("the supervisor is gone, stopping")
            self._quit()
