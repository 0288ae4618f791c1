"""Single fallback requests, made by `boomerang.standin` as it makes them in the calls it plays.

For tests of what a daemon makes of one request, or remembers of those before: whole calls are
played with `boomerang.standin.play_call`. These tests are not asynchronous: time passes for the
stand-in while they wait here, for an answer or otherwise.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from itertools import count
from random import Random
from typing import Final
from urllib.parse import urlencode

from attrs import field, frozen
from pytest_twisted import blockon  # type: ignore[import-untyped]
from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred, gatherResults
from twisted.internet.task import deferLater

from boomerang.standin import Call, Message, Surroundings, Webhook
from boomerang.standin.courier import Courier
from boomerang.standin.document import Document
from boomerang.standin.events import Answered, Role, Told
from boomerang.standin.failure import Failure
from boomerang.standin.request import Envelope, Request, address, written
from boomerang.standin.script import Script, failure_parameters, standard_parameters
from boomerang.standin.timeline import Timeline
from boomerang.standin.turns import Ask
from boomerang.standin.verbs import Redirect

LATE: Final = 0.9
"""Seconds that an answer may come after its time on a machine that is busy with other things."""

EARLY: Final = 0.01
"""Seconds that an answer may seem to come before its time: who is busy notes late that he asked."""

_NOWHERE: Final = Webhook("https://app.example.com/")
"""The first address of calls whose beginning is not played."""

TWILIO: Final = Surroundings.of(reactor, chance=Random(1))
"""What all is played with: the network as it is, Twilio's time limits, SIDs that differ."""

_numbers = count(1)


def _new_sid() -> str:
    return f"CA{next(_numbers):032x}"


def let_pass(seconds: float) -> None:
    """Let the stand-in go on for a while."""
    blockon(deferLater(TWILIO.clock, seconds))


def until(instant: float) -> None:
    """Let the time pass to an instant of the monotonic clock, where time itself is the matter."""
    let_pass(max(0.0, instant - time.monotonic()))


@frozen
class FailedCall:
    """A webhook of a call or message that has failed, and how its fallback is set up."""

    error_url: str = "https://app.example.com/voice?step=1&lang=de"
    sid: str = field(factory=_new_sid)
    product: str = "voice"
    method: str = "POST"
    error_code: str = "11200"
    options: Mapping[str, str] = field(factory=dict)

    @property
    def script(self) -> Script:
        """The call or message that the stand-in speaks for."""
        if self.product == "voice":
            return Call(first=_NOWHERE, sid=self.sid)
        return Message(first=_NOWHERE, sid=f"SM{self.sid[2:]}", body="Grüße & mehr")

    def fallback(self, port: int) -> Ask:
        """The request to ``/retry`` of whoever listens at the port."""
        options = f"?{urlencode(self.options)}" if self.options else ""
        return Ask(
            Role.FALLBACK,
            Webhook(f"http://127.0.0.1:{port}/retry{options}", self.method),
            standard_parameters(self.script),
            failure_parameters(int(self.error_code), self.error_url),
        )

    def returning(self, port: int, target: str) -> Ask:
        """The request with which the call comes back to where it was told to."""
        to = Webhook(f"http://127.0.0.1:{port}{target}")
        return Ask(Role.REDIRECT, to, standard_parameters(self.script))

    def request(self, port: int) -> bytes:
        """The bytes of the fallback request, for tests that send them in ways of their own.

        Another may follow on the same connection, which the stand-in closes after each.
        """
        ask = self.fallback(port)
        request = Request(ask.webhook, ask.standard, ask.results)
        envelope = Envelope(self.product, token=None, delivery=self.sid)
        data = written(request, address(ask.webhook.url), envelope)
        return data.replace(b"Connection: close\r\n", b"")


@frozen
class Answer:
    """What came of a request; ``seconds`` from its beginning, ``at`` by the monotonic clock.

    ``found`` is what Twilio makes of it.
    """

    told: Answered
    found: Document | Failure
    at: float

    @property
    def status(self) -> int:
        return self.told.status

    @property
    def decision(self) -> str:
        """What boomerang says of it, such as ``retry; attempt=1``."""
        return self.told.decision

    @property
    def seconds(self) -> float:
        return self.told.seconds

    @property
    def document(self) -> Document:
        """The TwiML, with nothing in it that Twilio would warn of."""
        assert isinstance(self.found, Document), self.found
        assert not self.found.warned
        return self.found

    @property
    def redirect(self) -> tuple[str, str]:
        """Method and URL of the one verb that the TwiML has."""
        (verb,) = self.document.verbs
        assert isinstance(verb, Redirect)
        return verb.to.method, verb.to.url


class Caller:
    """A request that is being made, and whose answer is still to come."""

    def __init__(self, script: Script, ask: Ask) -> None:
        self.sent_at = time.monotonic()
        self._told: list[Told] = []
        self._answering = Deferred.fromCoroutine(self._ask(script, ask))

    async def _ask(self, script: Script, ask: Ask) -> Answer | None:
        timeline = Timeline(TWILIO.clock, lambda event: self._told.append(event.told))
        found = await Courier(script, timeline, TWILIO).ask(ask)
        last = self._told[-1]
        return Answer(last, found, time.monotonic()) if isinstance(last, Answered) else None

    @property
    def is_answered(self) -> bool:
        return self._answering.called

    def answer(self) -> Answer:
        """Wait for the answer; there must be one."""
        (answer,) = answers([self])
        return answer

    async def ended(self) -> Answer:
        """The answer; there must be one."""
        answer = await self._answering
        assert answer is not None, self._told
        return answer

    def ending(self) -> Answer | None:
        """Wait for the end, with an answer or without."""
        ended: Answer | None = blockon(self._answering)
        return ended

    def is_closed(self) -> bool:
        """Wait for the end; true if there was no answer."""
        return self.ending() is None

    def hang_up(self) -> None:
        """Drop the connection, if it is still there."""
        self._answering.addErrback(lambda failure: failure.trap(CancelledError)).cancel()
        let_pass(0)


def answers(callers: Iterable[Caller]) -> list[Answer]:
    """The callers' answers, in their order."""
    ended = [Deferred.fromCoroutine(caller.ended()) for caller in callers]
    found: list[Answer] = blockon(gatherResults(ended, consumeErrors=True))
    return found


def untimely(found: Iterable[Answer], wait: float) -> list[float]:
    """After how many seconds those came that were not held for ``wait``, or were held longer."""
    seconds = (answer.seconds for answer in found)
    return [each for each in seconds if not wait - EARLY <= each <= wait + LATE]


def unanswered(callers: Iterable[Caller]) -> int:
    """How many callers have heard nothing yet."""
    let_pass(0.01)
    return sum(not caller.is_answered for caller in callers)
