"""Asks an address as Twilio does, for as many tries as it takes, within Twilio's time limits."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from attrs import evolve

from boomerang.standin.answer import Answer
from boomerang.standin.cookies import Cookies
from boomerang.standin.document import Document, read_answer
from boomerang.standin.events import Answered, Asked, Noted, Unanswered
from boomerang.standin.failure import Failure, NoAnswer
from boomerang.standin.overrides import Overrides, parse_overrides
from boomerang.standin.request import Envelope, Request, address, written
from boomerang.standin.script import Script
from boomerang.standin.surroundings import Surroundings
from boomerang.standin.timeline import Timeline
from boomerang.standin.tries import Try, after
from boomerang.standin.turns import Ask
from boomerang.standin.wire import Patience, exchange
from boomerang.urls import BadUrl

_DECISION: Final = "boomerang-decision"
"""The header in which boomerang says what it has decided; others do not have it."""


class Courier:
    """Asks on behalf of one call or message, whose cookies it keeps."""

    def __init__(self, script: Script, timeline: Timeline, surroundings: Surroundings) -> None:
        self._script = script
        self._timeline = timeline
        self._around = surroundings
        self._cookies = Cookies()

    async def ask(self, ask: Ask) -> Document | Failure:
        """What Twilio makes of the answer, if there is one; each try is told on the timeline."""
        overrides = parse_overrides(ask.webhook.url)
        if isinstance(overrides, Failure):
            return overrides
        try:
            address(ask.webhook.url)
        except BadUrl as error:
            return Failure(11100, f"the URL {error}")
        for ignored in overrides.ignored:
            self._timeline.add(Noted(ignored))
        return await self._deliver(ask, overrides)

    async def _deliver(self, ask: Ask, overrides: Overrides) -> Document | Failure:
        envelope = Envelope(
            product=self._script.product,
            token=self._script.auth_token,
            delivery=str(UUID(int=self._around.chance.getrandbits(128), version=4)),
        )
        patience = self._patience(overrides)
        made = Try(Request(ask.webhook, ask.standard, ask.results))
        while True:
            step = after(made, await self._try(ask, made, envelope, patience), overrides)
            if isinstance(step, Failure):
                return step
            if isinstance(step, Answer):
                url = made.request.webhook.url
                return read_answer(step, product=self._script.product, url=url)
            if self._around.clock.seconds() >= patience.deadline:
                return Failure(11203, f"{patience.total:g} s are over, after {made.number} tries")
            made, patience = step, evolve(patience, first=False)

    def _patience(self, overrides: Overrides) -> Patience:
        limits = self._around.limits
        total = min(overrides.total or limits.total, limits.total)
        return Patience(
            connect=overrides.connect or limits.connect,
            read=overrides.read or limits.read,
            total=total,
            deadline=self._around.clock.seconds() + total,
            first=True,
        )

    async def _try(
        self, ask: Ask, made: Try, envelope: Envelope, patience: Patience
    ) -> Answer | NoAnswer:
        webhook = made.request.webhook
        code = dict(ask.results).get("ErrorCode")
        self._timeline.add(
            Asked(ask.role, webhook.method, webhook.url, made.number, made.redirects, code)
        )
        to = address(webhook.url)
        began = self._around.clock.seconds()
        outcome = await exchange(
            written(made.request, to, evolve(envelope, cookies=self._cookies.header(to.url))),
            to,
            patience,
            network=self._around.network,
            clock=self._around.clock,
        )
        seconds = self._around.clock.seconds() - began
        if isinstance(outcome, Answer):
            self._cookies.keep(to.url, outcome)
            decision = outcome.header(_DECISION) or ""
            self._timeline.add(Answered(outcome.status, seconds, decision))
        else:
            self._timeline.add(Unanswered(outcome.words, seconds))
        return outcome
