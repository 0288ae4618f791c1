"""Annotations of starts and outages."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from attrs import evolve
from twisted.internet.defer import Deferred, fail
from twisted.logger import LogLevel, capturedLogs

from boomerang import __version__
from boomerang.monitor.librato.annotations import (
    ATTEMPTS,
    LAST_WORDS,
    MOST_WAITING,
    LibratoAnnotations,
)
from boomerang.monitor.librato.annotator import (
    MOST_UNWRITTEN,
    OUTAGES,
    PATIENCE,
    STARTS,
    TOPIC,
    Annotator,
)
from boomerang.monitor.outage import Outage
from boomerang.monitor.result import Reason, Result
from boomerang.settings.checks import Check
from boomerang.stores.interfaces import StoreUnavailable
from boomerang.stores.notes_memory import MemoryNotes
from tests.fakes.librato_answers import (
    Trouble,
    dropped,
    garbage,
    maintenance,
    rate_limited,
    slow,
)
from tests.fakes.librato_bench import EPOCH, TAGS, LibratoBench
from tests.monitor.librato.driving import logged, run, stop

NOW = int(EPOCH)
WEB = Outage(
    check="web",
    began=EPOCH - 30.25,
    reason=Reason.TIMEOUT,
    detail="no answer within 10 s",
    affects=("app", "api"),
)
WEB_ENDED = evolve(WEB, ended=EPOCH + 99.75)
DNS = Outage(check="dns", began=EPOCH - 1, reason=Reason.DNS, detail="no such name")


class Notes(MemoryNotes):
    """A store that can be away, or silent, and counts what it is asked."""

    away = False
    silent = False
    asked = 0

    def read(self, topic: str) -> Deferred[Any]:
        return self._trouble() or super().read(topic)

    def write(self, topic: str, notes: Any) -> Deferred[None]:
        return self._trouble() or super().write(topic, notes)

    def _trouble(self) -> Deferred[Any] | None:
        self.asked += 1
        if self.silent:
            return Deferred()
        return fail(StoreUnavailable("gone fishing")) if self.away else None


class Bench(LibratoBench):
    """Annotations, their stand-in, and a store that outlives a restart."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.notes = Notes(self.clock)
        self.annotations = self.another()

    def another(self, environment: str = "test") -> LibratoAnnotations:
        """The annotations of another process with the same store."""
        annotator = Annotator(self.api, environment=environment, notes=self.notes, clock=self.clock)
        return LibratoAnnotations(annotator, clock=self.clock, wall_clock=self.wall_clock)

    def restart(self) -> None:
        """End this process, and start another."""
        self.annotations.stopService()
        self.pass_seconds(LAST_WORDS)
        self.annotations = self.another()
        self.annotations.startService()

    def made(self, stream: str = OUTAGES) -> list[dict[str, Any]]:
        """The annotations of a stream, without what is not set."""
        return [
            {key: value for key, value in event.items() if value not in (None, []) and key != "id"}
            for event in self.librato.streams.get(stream, {}).values()
        ]

    def noted(self) -> dict[str, str]:
        """What the store has of annotations."""
        found: list[dict[str, str]] = []
        self.notes.read(TOPIC).addCallback(found.append)
        return found[0]

    def ends(self) -> list[tuple[str, int | None]]:
        """Of each outage at Librato, in the order of creation, its check and its end."""
        return [(event["title"].split()[0], event.get("end_time")) for event in self.made()]


@pytest.fixture
def bench() -> Bench:
    bench = Bench()
    bench.annotations.startService()
    bench.pass_seconds(1)
    return bench


class TestMade:
    """What is said."""

    def test_start(self, bench: Bench) -> None:
        """Each start of the daemon is one, with its version."""
        start = {
            "title": "boomerang started",
            "source": "test",
            "description": __version__,
            "start_time": NOW,
        }
        assert bench.made(STARTS) == [start]
        bench.restart()
        assert bench.made(STARTS)[1:] == [{**start, "start_time": NOW + 3}]

    def test_outage(self, bench: Bench) -> None:
        """An outage is one from its first failure on, and is closed when it ends."""
        bench.annotations.began(WEB)
        open_ = {
            "title": "web is down",
            "source": "test.web",
            "description": "timeout: no answer within 10 s; affects app, api",
            "start_time": NOW - 31,
        }
        assert bench.made() == [open_]
        bench.annotations.ended(WEB_ENDED)
        assert bench.made() == [{**open_, "end_time": NOW + 99}]
        last = bench.librato.asked[-1]
        assert (last.method, last.document) == ("PUT", {"end_time": NOW + 99})

    def test_nothing_affected(self, bench: Bench) -> None:
        """Without others that are affected, none are named."""
        bench.annotations.began(DNS)
        assert bench.made()[0]["description"] == "dns: no such name"

    def test_dialect(self) -> None:
        """Annotations are the same where measurements have tags."""
        bench = Bench(settings=TAGS)
        bench.annotations.startService()
        bench.annotations.began(WEB)
        assert bench.made()[0]["source"] == "test.web"

    def test_runs(self, bench: Bench) -> None:
        """A run is no event."""
        asked = len(bench.librato.asked)
        check = Check(name="web", url="https://app.example.com/")
        bench.annotations.checked(check, Result(at=EPOCH, seconds=1.0), affected=False)
        assert len(bench.librato.asked) == asked

    def test_again(self, bench: Bench) -> None:
        """A later outage of the same check is another annotation."""
        bench.annotations.began(WEB)
        bench.annotations.ended(WEB_ENDED)
        again = evolve(WEB, began=EPOCH + 200)
        bench.annotations.began(again)
        bench.annotations.ended(evolve(again, ended=EPOCH + 300))
        assert bench.ends() == [("web", NOW + 99), ("web", NOW + 300)]


class TestRestart:
    """Outages that outlive a process."""

    def test_closed(self, bench: Bench) -> None:
        """An outage that began before the restart is closed after it, and then forgotten."""
        bench.annotations.began(WEB)
        bench.restart()
        bench.annotations.ended(WEB_ENDED)
        assert bench.ends() == [("web", NOW + 99)]
        assert bench.noted() == {}

    def test_end_not_told(self, bench: Bench) -> None:
        """An end that Librato did not take before the restart is told after it."""
        bench.annotations.began(WEB)
        bench.librato.trouble = maintenance()
        bench.annotations.ended(WEB_ENDED)
        bench.librato.trouble = None
        bench.librato.troubles.append(dropped())
        bench.restart()
        assert bench.ends() == [("web", NOW + 99)]
        assert bench.noted() == {}

    def test_ended_meanwhile(self, bench: Bench) -> None:
        """An end that was left, and has been told since, is not told again."""
        annotator = Annotator(bench.api, environment="test", notes=bench.notes, clock=bench.clock)
        asked = len(bench.librato.asked)
        run(annotator.finish("test/web/1.000"))
        assert len(bench.librato.asked) == asked

    def test_environments(self, bench: Bench) -> None:
        """Environments that share a store do not close each other's."""
        bench.annotations.began(WEB)
        bench.librato.trouble = maintenance()
        bench.annotations.ended(WEB_ENDED)
        bench.annotations.stopService()
        bench.librato.trouble = None
        other = bench.another("other")
        other.startService()
        other.ended(WEB_ENDED)
        assert bench.ends() == [("web", None), ("web", NOW + 99)]

    @pytest.mark.parametrize("note", ["", "{}", "[]", "7", '{"id": 1, "end": "x"}', '{"id": 1}'])
    def test_strange_note(self, bench: Bench, note: str) -> None:
        """A note that cannot be read is as good as none."""
        bench.notes.write(TOPIC, {f"test/web/{WEB.began:.3f}": note})
        bench.restart()
        bench.annotations.ended(WEB_ENDED)
        assert bench.ends() == [("web", NOW + 99)]

    def test_never_began(self, bench: Bench) -> None:
        """An outage without an annotation gets one when it ends."""
        bench.annotations.ended(WEB_ENDED)
        assert bench.made() == [
            {
                "title": "web is down",
                "source": "test.web",
                "description": "timeout: no answer within 10 s; affects app, api",
                "start_time": NOW - 31,
                "end_time": NOW + 99,
            }
        ]


class TestTroubles:
    """Librato is not well."""

    @pytest.mark.parametrize(
        "trouble",
        [maintenance(), rate_limited(), rate_limited(403), dropped(), garbage()],
        ids=["503", "429", "403", "dropped", "garbage"],
    )
    def test_later(self, bench: Bench, trouble: Trouble) -> None:
        """It is tried again, in the old order, and told once."""
        bench.librato.trouble = trouble
        with logged() as lines:
            bench.annotations.began(WEB)
            bench.annotations.began(DNS)
            bench.annotations.ended(WEB_ENDED)
            bench.pass_seconds(60)
            assert bench.made() == []
            bench.librato.trouble = None
            bench.pass_seconds(60)
        assert bench.ends() == [("web", NOW + 99), ("dns", None)]
        waits, again = lines()
        assert waits.startswith("annotations have to wait: ")
        assert again == "annotations are made again"

    def test_pauses(self, bench: Bench) -> None:
        """The pauses grow up to five minutes, and after ten tries it is given up."""
        bench.librato.trouble = maintenance()
        with logged() as lines:
            bench.annotations.began(WEB)
            instants = [0]
            for second in range(1, 3600):
                asked = len(bench.librato.asked)
                bench.pass_seconds(1)
                if len(bench.librato.asked) > asked:
                    instants.append(second)
        gaps = [after - before for before, after in pairwise(instants)]
        assert gaps == [5, 10, 20, 40, 80, 160, 300, 300, 300]
        assert len(instants) == ATTEMPTS
        assert lines()[1:] == [
            "Librato gets no annotation of web's outage: 503: system: The API is in maintenance"
        ]

    def test_given_up(self, bench: Bench) -> None:
        """When an outage's beginning was given up, its end tells of all of it."""
        bench.librato.trouble = maintenance()
        bench.annotations.began(WEB)
        bench.pass_seconds(1500)
        bench.librato.trouble = None
        bench.annotations.ended(WEB_ENDED)
        assert bench.ends() == [("web", NOW + 99)]

    @pytest.mark.parametrize(("after", "second"), [("1", 5), ("30", 30), ("1000", 1000)])
    def test_retry_after(self, bench: Bench, after: str, second: int) -> None:
        """Librato says when it wants to be asked again."""
        bench.librato.troubles.append(rate_limited(retry_after=after))
        bench.annotations.began(WEB)
        bench.pass_seconds(second - 1)
        assert bench.made() == []
        bench.pass_seconds(1)
        assert bench.ends() == [("web", None)]

    @pytest.mark.parametrize("status", [400, 401, 404])
    def test_refused(self, bench: Bench, status: int) -> None:
        """What is refused is given up with a line, and the next one is made."""
        bench.librato.troubles.append(garbage(status, b'{"errors": {"request": "no"}}'))
        with logged() as lines:
            bench.annotations.began(WEB)
            bench.annotations.began(DNS)
        assert bench.ends() == [("dns", None)]
        assert lines() == [f"Librato gets no annotation of web's outage: {status}: request: no"]

    def test_refused_end(self, bench: Bench) -> None:
        """An end that is refused (somebody deleted the annotation) is forgotten, too."""
        bench.annotations.began(WEB)
        bench.librato.streams.clear()
        with logged() as lines:
            bench.annotations.ended(WEB_ENDED)
        assert lines() == [
            "Librato gets no annotation of the end of web's outage: 404: request: Not Found"
        ]
        assert bench.noted() == {}

    @pytest.mark.parametrize("body", [b"", b"[]", b'{"title": "web is down"}'])
    def test_no_id(self, bench: Bench, body: bytes) -> None:
        """Without its id an annotation cannot be closed, and that is told."""
        bench.librato.troubles.append(garbage(201, body))
        with logged() as lines:
            bench.annotations.began(WEB)
        assert lines() == [
            "Librato gets no annotation of web's outage: an answer without the annotation's id"
        ]

    def test_strange_id(self, bench: Bench) -> None:
        """An id is not trusted to be a number."""
        bench.librato.troubles.append(garbage(201, b'{"id": "../7?x"}'))
        bench.annotations.began(WEB)
        bench.annotations.ended(WEB_ENDED)
        assert bench.librato.asked[-1].path == "/v1/annotations/boomerang-outages/..%2F7%3Fx"

    def test_bound(self, bench: Bench) -> None:
        """With too many waiting, the oldest that is not being made is given up."""
        bench.librato.trouble = slow()
        with logged() as lines:
            for number in range(MOST_WAITING + 2):
                bench.annotations.began(evolve(DNS, check=f"dns-{number}"))
        assert lines() == [
            f"Librato gets no annotation of dns-{number}'s outage: too many others wait"
            for number in (1, 2)
        ]
        bench.librato.trouble = None
        bench.release()
        assert [check for check, _ in bench.ends()] == [
            "dns-0",
            *(f"dns-{number}" for number in range(3, MOST_WAITING + 2)),
        ]


class TestStore:
    """The store is not well."""

    def test_away(self, bench: Bench) -> None:
        """Outages are annotated and closed without it, and what it missed is written later."""
        bench.notes.away = True
        with logged() as lines:
            bench.annotations.began(WEB)
            bench.annotations.began(DNS)
            bench.annotations.ended(WEB_ENDED)
        assert bench.ends() == [("web", NOW + 99), ("dns", None)]
        assert lines() == ["annotations cannot be noted in the store: gone fishing"]
        bench.notes.away = False
        bench.annotations.began(evolve(DNS, check="other"))
        bench.restart()
        bench.annotations.ended(evolve(DNS, ended=EPOCH + 5))
        assert bench.ends() == [("web", NOW + 99), ("dns", NOW + 5), ("other", None)]

    def test_away_for_long(self, bench: Bench) -> None:
        """Of what it missed, only so much is kept."""
        bench.notes.away = True
        for number in range(MOST_UNWRITTEN + 5):
            bench.annotations.began(evolve(DNS, check=f"dns-{number}"))
        bench.notes.away = False
        bench.annotations.began(WEB)
        assert len(bench.noted()) == MOST_UNWRITTEN

    def test_silent(self, bench: Bench) -> None:
        """A store that does not answer is waited for a little."""
        bench.notes.silent = True
        bench.annotations.began(WEB)
        bench.annotations.began(DNS)
        assert bench.ends() == [("web", None)]
        with logged() as lines:
            bench.clock.advance(PATIENCE)
        assert bench.ends() == [("web", None), ("dns", None)]
        assert lines() == ["annotations cannot be noted in the store: no answer in time"]

    def test_away_after_a_restart(self, bench: Bench) -> None:
        """Who has forgotten which annotation it was waits until the store says so."""
        bench.annotations.began(WEB)
        bench.notes.away = True
        bench.restart()
        assert len(bench.made(STARTS)) == 2
        bench.annotations.ended(WEB_ENDED)
        bench.pass_seconds(30)
        assert bench.ends() == [("web", None)]
        bench.notes.away = False
        bench.pass_seconds(60)
        assert bench.ends() == [("web", NOW + 99)]


class TestStopping:
    """The end of the process."""

    def test_idle(self, bench: Bench) -> None:
        """With nothing to do it is there at once."""
        assert stop(bench.annotations)()
        assert bench.clock.getDelayedCalls() == []

    def test_before_start(self) -> None:
        """It does not need to have been started."""
        assert stop(Bench().annotations)()

    def test_under_way(self, bench: Bench) -> None:
        """What is under way is waited for, and what waits is made."""
        bench.librato.troubles.append(slow())
        bench.annotations.began(WEB)
        bench.annotations.ended(WEB_ENDED)
        stopped = stop(bench.annotations)
        assert not stopped()
        bench.release()
        assert stopped()
        assert bench.ends() == [("web", NOW + 99)]

    def test_too_slow(self, bench: Bench) -> None:
        """But for two seconds at most."""
        bench.librato.trouble = slow()
        bench.annotations.began(WEB)
        bench.annotations.began(DNS)
        stopped = stop(bench.annotations)
        bench.clock.advance(LAST_WORDS - 0.1)
        assert not stopped()
        with logged() as lines:
            bench.clock.advance(0.1)
        assert stopped()
        assert lines() == ["2 annotations could not be made before the end"]
        assert bench.clock.getDelayedCalls() == []

    @pytest.mark.parametrize("well_again", [True, False])
    def test_pausing(self, bench: Bench, well_again: bool) -> None:
        """A pause ends with the process, and Librato is asked once more."""
        bench.librato.trouble = maintenance()
        bench.annotations.began(WEB)
        bench.annotations.began(DNS)
        asked = len(bench.librato.asked)
        if well_again:
            bench.librato.trouble = None
        assert stop(bench.annotations)()
        assert len(bench.librato.asked) == asked + (2 if well_again else 1)
        assert bench.ends() == ([("web", None), ("dns", None)] if well_again else [])
        assert bench.clock.getDelayedCalls() == []


class TestMistakes:
    @pytest.fixture(autouse=True)
    def _nothing_critical_logged(self) -> None:
        """Here something critical is to be logged, and each test says what."""

    def test_mistake(self, bench: Bench) -> None:
        """A mistake of our own costs one annotation."""
        broken: Any = evolve(WEB, detail="x")
        object.__setattr__(broken, "began", None)
        with capturedLogs() as events:
            bench.annotations.began(broken)
            bench.annotations.began(DNS)
        critical = [each for each in events if each["log_level"] is LogLevel.critical]
        assert [each["log_failure"].type for each in critical] == [TypeError]
        assert bench.ends() == [("dns", None)]
