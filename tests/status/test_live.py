"""What viewers are sent."""

from __future__ import annotations

import json
from typing import Any

import pytest
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from boomerang.status.live import EVERY, MOST_VIEWERS, Live
from boomerang.status.page import Parts


class Viewer:
    """Somebody who looks at the page."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []

    def send(self, data: bytes) -> None:
        """Each event is sent whole, as the browser expects it."""
        assert data.startswith(b"data: ")
        assert data.endswith(b"\n\n")
        assert data.count(b"\n") == 2
        self.events.append(json.loads(data[6:]))

    @property
    def parts(self) -> list[dict[str, str]]:
        return [each["parts"] for each in self.events]


class LiveCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.html = {"held": "1\n2", "hour": "quiet"}
        self.looks = 0
        self.error: Exception | None = None
        self.live = Live(self.look, clock=self.clock)

    async def look(self) -> Parts:
        self.looks += 1
        if self.error is not None:
            raise self.error
        return Parts(at=self.clock.seconds(), title="t", level="good", html=dict(self.html))


class LiveTests(LiveCase):
    def test_changes(self) -> None:
        """A viewer is sent everything at first, and then each second what has changed."""
        viewer = Viewer()
        self.live.join(viewer.send)
        self.clock.advance(EVERY)
        self.html["held"] = "2"
        self.clock.advance(EVERY)
        assert viewer.parts == [{"held": "1\n2", "hour": "quiet"}, {}, {"held": "2"}]
        assert viewer.events[2] == {
            "at": 2.0,
            "title": "t",
            "level": "good",
            "parts": {"held": "2"},
        }

    def test_several(self) -> None:
        """One look serves all viewers; who comes later gets everything, too."""
        viewers = [Viewer(), Viewer()]
        self.live.join(viewers[0].send)
        self.live.join(viewers[1].send)
        self.clock.advance(EVERY)
        assert self.looks == 2
        assert [each.parts[0] for each in viewers] == [self.html, self.html]

    def test_nobody(self) -> None:
        """While nobody looks nothing is done, and who comes again is served again."""
        viewer = Viewer()
        self.live.join(viewer.send)
        self.live.leave(viewer.send)
        self.live.leave(viewer.send)
        self.clock.advance(10 * EVERY)
        assert (self.looks, len(self.live), self.clock.getDelayedCalls()) == (1, 0, [])
        self.live.join(viewer.send)
        assert len(viewer.events) == 2

    def test_who_leaves_while_being_sent_to(self) -> None:
        """A connection that is lost while it is written to is no longer kept."""
        first, second = Viewer(), Viewer()

        def send(data: bytes) -> None:
            first.send(data)
            self.live.leave(second.send)

        self.live.join(send)
        self.live.join(second.send)
        self.clock.advance(EVERY)
        self.clock.advance(EVERY)
        assert (len(first.events), second.events) == (3, [])

    def test_too_many(self) -> None:
        """There is a bound, since each takes a descriptor."""
        for _ in range(MOST_VIEWERS):
            assert not self.live.full
            self.live.join(Viewer().send)
        assert self.live.full


class MistakeTests(LiveCase):
    @pytest.fixture(autouse=True)
    def _nothing_critical_logged(self) -> None:
        """Here a mistake is to be logged."""

    def test_mistake(self) -> None:
        """A look that fails is logged, and the next one is shown."""
        viewer = Viewer()
        self.error = ZeroDivisionError()
        self.live.join(viewer.send)
        self.error = None
        self.clock.advance(EVERY)
        assert len(self.flushLoggedErrors(ZeroDivisionError)) == 1
        assert len(viewer.events) == 1
