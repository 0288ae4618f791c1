"""The app behind boomerang."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from treq.testing import StubTreq
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from chaos.app import App, sid_of

STUBBORN, OTHER = sid_of(5, kind="c"), sid_of(6, kind="c")


class AppTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.arrived: list[str] = []
        self.treq: Any = StubTreq(App(self.arrived.append))

    def ask(self, path: str, sid: str) -> int:
        asked: Deferred[Any] = self.treq.post(
            f"http://app.example.com{path}", urlencode({"CallSid": sid}).encode()
        )
        return int(self.successResultOf(asked).code)

    def test_voice(self) -> None:
        """A call's webhook fails once, that of a stubborn call twice; then all is well."""
        assert [self.ask("/voice", OTHER) for _ in range(3)] == [503, 200, 200]
        assert [self.ask("/voice", STUBBORN) for _ in range(3)] == [503, 503, 200]

    def test_callbacks(self) -> None:
        """A callback is taken at once, or when it comes again, and then it has arrived."""
        assert self.ask("/ended", OTHER) == 204
        assert self.ask("/ended", STUBBORN) == 503
        assert self.arrived == [OTHER]
        assert self.ask("/ended", STUBBORN) == 204
        assert self.arrived == [OTHER, STUBBORN]

    def test_last_resort(self) -> None:
        """The last resort never fails."""
        assert self.ask("/sorry.xml", STUBBORN) == 200
