"""What all workers say, asked at once."""

from __future__ import annotations

from twisted.internet.task import Clock

from boomerang.workers.gathering import PATIENCE, Gathering


class Asked:
    """A gathering, and whom it has asked in which round."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.asked: list[tuple[int, int]] = []
        self.gathering = Gathering(
            lambda worker, number: self.asked.append((worker, number)), clock=self.clock
        )
        self.answers: list[object] = []

    def gather(self, *workers: int) -> None:
        self.gathering.gather(workers).addCallback(self.answers.append)


def test_all_say_it() -> None:
    """The answer is there once all have said it, in their order, and no timer stays behind."""
    asked = Asked()
    asked.gather(0, 1)
    assert asked.asked == [(0, 1), (1, 1)]
    asked.gathering.heard(1, 1, "b")
    assert asked.answers == []
    asked.gathering.heard(0, 1, "a")
    assert asked.answers == [{0: "a", 1: "b"}]
    assert asked.clock.getDelayedCalls() == []


def test_together() -> None:
    """Who asks meanwhile gets the same answer; who asks later starts anew."""
    asked = Asked()
    asked.gather(0)
    asked.gather(0)
    assert len(asked.asked) == 1
    asked.gathering.heard(0, 1, "a")
    asked.gather(0)
    asked.gathering.heard(0, 2, "b")
    assert asked.answers == [{0: "a"}, {0: "a"}, {0: "b"}]


def test_silence() -> None:
    """Who says nothing in time is left out; what was said before is known all the same, and what
    is said too late, too."""
    asked = Asked()
    asked.gather(0, 1)
    asked.gathering.heard(0, 1, "a")
    asked.clock.advance(PATIENCE)
    assert asked.answers == [{0: "a"}]
    assert asked.gathering.last == {0: "a"}
    asked.gathering.heard(1, 1, "late")
    assert asked.gathering.last == {0: "a", 1: "late"}


def test_gone() -> None:
    """Nobody waits for a worker that has died; what it said last is given once."""
    asked = Asked()
    asked.gather(0, 1)
    asked.gathering.heard(0, 1, "a")
    assert asked.gathering.gone(1) is None
    assert asked.answers == [{0: "a"}]
    assert asked.gathering.gone(0) == "a"
    assert asked.gathering.gone(0) is None
    assert asked.gathering.last == {}


def test_nobody() -> None:
    """Where there is nobody to ask, the answer is empty at once."""
    asked = Asked()
    asked.gather()
    assert asked.answers == [{}]
