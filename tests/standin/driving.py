"""Calls played against servers on real sockets, by a clock that the test moves."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from random import Random
from typing import Any
from urllib.parse import parse_qsl

from attrs import field, frozen
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock, deferLater

from boomerang.standin.events import Answered, Asked, Event, Failed, Heard, Told, Unanswered
from boomerang.standin.play import Played, play
from boomerang.standin.script import Script
from boomerang.standin.surroundings import Limits, Surroundings
from tests.web_servers import Asked as Request
from tests.web_servers import Behaviour, Caller, page

Step = bytes | Callable[[Caller], object] | None
"""An answer's bytes, something to be done with the caller, or silence."""


def twiml(verbs: str = "", *headers: str, status: int = 200) -> bytes:
    """A whole answer with TwiML."""
    body = f"<Response>{verbs}</Response>".encode()
    return page(body, status=status, headers=["Content-Type: text/xml", *headers])


HELLO = twiml("<Say>Hello</Say>")
DOWN = page(b"asleep", status=503)


def resets(caller: Caller) -> None:
    """Drops the connection instead of an answer."""
    caller.reset()


def scripted(**paths: Step | list[Step]) -> Behaviour:
    """Answers by path; of several steps each once, in order, and the last for ever."""
    steps = {path: _steps(given) for path, given in paths.items()}

    def behave(caller: Caller, request: Request) -> None:
        step = next(steps[request.path.partition("?")[0].strip("/")])
        if isinstance(step, bytes):
            caller.send(step)
        elif step is not None:
            step(caller)

    return behave


def _steps(given: Step | list[Step]) -> Iterator[Step]:
    steps = given if isinstance(given, list) else [given]
    yield from steps
    while True:
        yield steps[-1]


def down_once(answer: bytes) -> Behaviour:
    """Fails each call's first request."""
    seen: set[str] = set()

    def behave(caller: Caller, request: Request) -> None:
        sid = fields(request)["CallSid"]
        caller.send(answer if sid in seen else DOWN)
        seen.add(sid)

    return behave


def fields(request: Request) -> dict[str, str]:
    """The parameters of a request, of its form and its query."""
    query = request.path.partition("?")[2]
    pairs = [
        *parse_qsl(query, keep_blank_values=True),
        *parse_qsl(request.body.decode(), keep_blank_values=True),
    ]
    return dict(pairs)


async def eventually(condition: Callable[[], object]) -> None:
    """Let the network do its work until something is the case; the test's time limit ends it."""
    while not condition():
        await deferLater(reactor, 0)


@frozen
class Session:
    """Something that is being played; ``told`` is its timeline so far."""

    clock: Clock
    playing: Deferred[Played]
    told: list[Told]

    async def until(self, kind: type[Told], count: int = 1) -> None:
        """Return when such events have happened so many times."""
        await eventually(lambda: sum(isinstance(one, kind) for one in self.told) >= count)

    async def over(self, *, within: float = 0) -> Played:
        """How it ended, after the clock was moved on."""
        self.clock.advance(within)
        return await self.playing


@frozen
class Stage:
    """Where sessions are played."""

    surroundings: Surroundings
    clock: Clock = field(factory=Clock)

    def begin(self, script: Script) -> Session:
        told: list[Told] = []

        def tell(event: Event) -> None:
            told.append(event.told)

        playing = Deferred.fromCoroutine(play(script, self.surroundings, tell))
        return Session(self.clock, playing, told)

    async def play(self, script: Script) -> Played:
        """Play to the end, without any time passing."""
        return await self.begin(script).playing


@asynccontextmanager
async def stage(*, limits: Limits | None = None, trust_root: Any = None) -> AsyncIterator[Stage]:
    """Where the network is real and time is not; nothing may be left to be done later."""
    await deferLater(reactor, 0)  # for the test's own time limit to begin
    before = set(_waiting(reactor))
    clock = Clock()
    surroundings = Surroundings.of(
        reactor, chance=Random(7), clock=clock, limits=limits, trust_root=trust_root
    )
    yield Stage(surroundings, clock)
    await deferLater(reactor, 0)
    left = {*_waiting(clock), *_waiting(reactor)} - before
    assert not left, f"left to be done later: {left}"


def _waiting(clock: Any) -> Sequence[Any]:
    waiting: Sequence[Any] = clock.getDelayedCalls()
    return waiting


def steps(played: Played) -> list[str]:
    """What was asked, how it was answered, what failed and what was heard, in short."""
    return [word for event in played.events if (word := _short(event.told))]


def _short(told: Told) -> str:
    match told:
        case Asked():
            path = told.url.partition("://")[2].partition("/")[2]
            return f"{told.role.value} {told.method} /{path}"
        case Answered():
            return str(told.status)
        case Unanswered():
            return "-"
        case Failed():
            return f"failed {told.code}"
        case Heard():
            return f"heard {told.what or told.manner.value}"
        case _:
            return ""
