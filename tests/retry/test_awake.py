"""Asking an app that calls are held for whether it is awake."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from attrs import define, field
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from boomerang.outbound import Outbound
from boomerang.retry.awake import ASK_EVERY, TIMEOUT, Questions, asking
from tests.outbound.clients import client
from tests.web_servers import answers, closed_port, page, serving

ONE = "https://one.example.com/health"
TWO = "https://two.example.com/health"


@define
class Apps:
    """Apps that answer at once, or when the test says so, or never."""

    clock: Clock
    awake: set[str] = field(factory=set)
    slow: bool = False
    asked: list[tuple[float, str]] = field(factory=list)
    waiting: list[Deferred[bool]] = field(factory=list)
    given_up: int = 0

    def ask(self, url: str) -> Deferred[bool]:
        self.asked.append((self.clock.seconds(), url))
        if not self.slow:
            return succeed(url in self.awake)
        answer: Deferred[bool] = Deferred(self._give_up)
        self.waiting.append(answer)
        return answer

    def _give_up(self, _: object) -> None:
        self.given_up += 1


class QuestionsTests(SynchronousTestCase):
    """`Questions` on a clock that stands still."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.apps = Apps(self.clock)
        self.questions = Questions(self.clock, ask=self.apps.ask)
        self.heard: list[tuple[float, str]] = []

    def listener(self, name: str) -> Callable[[], None]:
        return lambda: self.heard.append((self.clock.seconds(), name))

    def test_every_second(self) -> None:
        """An app is asked at once and then every second, and each answer is told."""
        one = self.listener("one")
        self.questions.begin(ONE, one)
        self.clock.pump([0.5] * 5)
        self.apps.awake.add(ONE)
        self.clock.pump([0.5] * 3)
        assert self.apps.asked == [(seconds * ASK_EVERY, ONE) for seconds in range(5)]
        assert self.heard == [(3.0, "one"), (4.0, "one")]
        self.questions.end(ONE, one)
        assert self.clock.getDelayedCalls() == []

    def test_one_question_for_all(self) -> None:
        """All that wait for the same URL hear of the one answer; who no longer waits does not."""
        one, other = self.listener("one"), self.listener("other")
        self.questions.begin(ONE, one)
        self.clock.advance(0.5)
        self.questions.begin(ONE, other)
        self.apps.awake.add(ONE)
        self.clock.advance(0.5)
        assert self.heard == [(1.0, "one"), (1.0, "other")]
        self.questions.end(ONE, one)
        self.clock.advance(1.0)
        assert self.heard[2:] == [(2.0, "other")]
        assert len(self.apps.asked) == 3
        self.questions.end(ONE, other)
        assert self.clock.getDelayedCalls() == []

    def test_each_url_for_itself(self) -> None:
        """Another URL is another question."""
        one, two = self.listener("one"), self.listener("two")
        self.apps.awake.add(TWO)
        self.questions.begin(ONE, one)
        self.questions.begin(TWO, two)
        self.clock.advance(1.0)
        assert self.heard == [(0.0, "two"), (1.0, "two")]
        self.questions.end(ONE, one)
        self.questions.end(TWO, two)
        assert self.clock.getDelayedCalls() == []

    def test_asked_anew(self) -> None:
        """After the last one has gone nobody asks, and the next who comes asks at once."""
        one = self.listener("one")
        self.questions.begin(ONE, one)
        self.clock.advance(0.25)
        self.questions.end(ONE, one)
        self.clock.advance(10.0)
        self.questions.begin(ONE, one)
        assert [at for at, _ in self.apps.asked] == [0.0, 10.25]
        self.questions.end(ONE, one)

    def test_slow_answer(self) -> None:
        """An app that is slow to answer is not asked twice at the same time."""
        one = self.listener("one")
        self.apps.slow = True
        self.questions.begin(ONE, one)
        self.clock.pump([0.5] * 5)
        assert len(self.apps.asked) == 1
        self.apps.waiting[0].callback(True)
        assert self.heard == [(2.5, "one")]
        self.clock.advance(0.5)
        assert [at for at, _ in self.apps.asked] == [0.0, 3.0]
        self.questions.end(ONE, one)

    def test_given_up(self) -> None:
        """The question is dropped when nobody waits any more, and its answer disturbs nobody."""
        one, other = self.listener("one"), self.listener("other")
        self.apps.slow = True
        self.questions.begin(ONE, one)
        self.questions.end(ONE, one)
        assert self.apps.given_up == 1
        self.questions.begin(ONE, other)
        self.apps.waiting[1].callback(True)
        assert self.heard == [(0.0, "other")]
        self.questions.end(ONE, other)
        assert self.clock.getDelayedCalls() == []

    def test_ended_by_the_answer(self) -> None:
        """Whoever leaves at the answer, as all do, may do so while it is being told."""

        def leave(name: str) -> Callable[[], None]:
            def left() -> None:
                self.heard.append((self.clock.seconds(), name))
                self.questions.end(ONE, left)

            return left

        self.questions.begin(ONE, leave("one"))
        self.questions.begin(ONE, leave("other"))
        self.apps.awake.add(ONE)
        self.clock.advance(1.0)
        assert self.heard == [(1.0, "one"), (1.0, "other")]
        assert self.clock.getDelayedCalls() == []
        self.clock.advance(5.0)
        assert len(self.apps.asked) == 2

    def test_failing_question(self) -> None:
        """A question that fails means no, and is asked again."""
        asked: list[str] = []

        def ask(url: str) -> Deferred[bool]:
            asked.append(url)
            return fail(OSError("no"))

        one = self.listener("one")
        questions = Questions(self.clock, ask=ask)
        questions.begin(ONE, one)
        self.clock.pump([1.0] * 3)
        assert (len(asked), self.heard) == (4, [])
        questions.end(ONE, one)


@pytest.mark.parametrize(
    ("status", "awake"),
    [(200, True), (204, True), (302, True), (399, True), (400, False), (404, False), (503, False)],
)
async def test_answers(status: int, awake: bool) -> None:
    """An app that answers with 2xx or 3xx is awake; a page of a router that it is not there, not.

    A redirect is not followed: it may lead anywhere.
    """
    moved = ["Location: http://192.0.2.1/"] if 300 <= status < 400 else []
    async with serving(answers(page(status=status, headers=moved))) as app:
        async with client() as outbound:
            assert await asking(outbound)(app.url("/health?x=1")) is awake
        assert [each.line for each in app.requests] == ["GET /health?x=1 HTTP/1.1"]


async def test_nobody_there() -> None:
    """An app that is not there is not awake."""
    async with client() as outbound:
        assert await asking(outbound)(f"http://127.0.0.1:{closed_port()}/") is False


@define
class Silence:
    """A network from which nothing ever comes."""

    given_up: int = 0

    def request(self, *args: Any, **options: Any) -> Deferred[Any]:
        return Deferred(self._give_up)

    def _give_up(self, _: object) -> None:
        self.given_up += 1


class SilentAppTests(SynchronousTestCase):
    """An app that takes the question, and does not answer."""

    def setUp(self) -> None:
        self.clock, self.silence = Clock(), Silence()
        never_asked: Any = object()
        agent: Any = self.silence
        self.outbound = Outbound(self.clock, resolver=never_asked, agent=agent)

    def test_no_answer(self) -> None:
        """It is not awake, which is known after two seconds."""
        answer = asking(self.outbound)(ONE)
        self.clock.advance(TIMEOUT - 0.125)
        self.assertNoResult(answer)
        self.clock.advance(0.125)
        assert self.successResultOf(answer) is False
        assert self.clock.getDelayedCalls() == []

    def test_end_of_the_process(self) -> None:
        """A question that is under way at the end is dropped, without an error."""
        answer = asking(self.outbound)(ONE)
        self.successResultOf(self.outbound.close())
        assert self.successResultOf(answer) is False
        assert (self.silence.given_up, self.clock.getDelayedCalls()) == (1, [])
        assert self.successResultOf(asking(self.outbound)(ONE)) is False
