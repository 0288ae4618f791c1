"""A client of Librato's API and the stand-in, joined in memory, on a clock that stands still."""

from __future__ import annotations

from typing import Any, Final

from treq.testing import RequestTraversalAgent
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.web.iweb import IAgent
from zope.interface import implementer

from boomerang.monitor.librato.api import LibratoApi
from boomerang.outbound import Outbound
from boomerang.settings.reports import LibratoSettings
from tests.fakes.librato import TOKEN, USER, FakeLibrato

EPOCH: Final = 1_800_000_000.0
"""What the wall clock says when the other one stands at 0."""

SOURCE: Final = LibratoSettings(user=USER, token=TOKEN)
TAGS: Final = LibratoSettings(url="https://api.appoptics.com/v1", token=TOKEN, dialect="tags")


@implementer(IAgent)
class _Agent:
    """The network: what is written is read at once."""

    def __init__(self, fake: FakeLibrato) -> None:
        self._agent: Any = RequestTraversalAgent(fake.app.resource())

    def request(self, *args: Any, **options: Any) -> Deferred[Any]:
        response: Deferred[Any] = self._agent.request(*args, **options)
        self._agent.flush()
        return response

    def flush(self) -> None:
        self._agent.flush()


class LibratoBench:
    """``librato`` is the stand-in, of the kind that fits the settings; ``api`` the client."""

    def __init__(self, settings: LibratoSettings = SOURCE, *, clock: Clock | None = None) -> None:
        self.clock = clock or Clock()
        self.settings = settings
        kind = "source" if settings.dialect == "source" else "tags"
        self.librato = FakeLibrato(wall_clock=self.wall_clock, kind=kind)
        self._agent = _Agent(self.librato)
        never_asked: Any = object()
        self.outbound = Outbound(self.clock, resolver=never_asked, agent=self._agent)
        self.api = self.api_of(settings)

    def wall_clock(self) -> float:
        return EPOCH + self.clock.seconds()

    def api_of(self, settings: LibratoSettings) -> LibratoApi:
        """A client with other settings."""
        api = LibratoApi.of(settings, self.outbound)
        assert api is not None
        return api

    def release(self) -> None:
        """Answer the requests that are slow."""
        self.librato.release()
        self._agent.flush()

    def pass_seconds(self, seconds: float) -> None:
        """Let time pass, in steps of a second at most."""
        whole = int(seconds)
        self.clock.pump([1.0] * whole + [seconds - whole])
