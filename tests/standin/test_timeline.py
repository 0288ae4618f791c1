"""The timeline: when things happened, and how long nothing was heard."""

from __future__ import annotations

from twisted.internet.task import Clock

from boomerang.standin.events import Event, Heard, Manner, Noted
from boomerang.standin.timeline import Timeline

SOUND = Heard(Manner.SAY, "Hello")


def test_timeline() -> None:
    """Events are stamped, told at once, and kept; sounds with the silence before them."""
    clock = Clock()
    clock.advance(100)
    told: list[Event] = []
    timeline = Timeline(clock, told.append)
    clock.advance(1)
    timeline.add(Noted("a"))
    clock.advance(2)
    timeline.add(SOUND)
    clock.advance(1)
    timeline.add(SOUND)
    assert told == timeline.events
    assert told == [Event(1, Noted("a")), Event(3, SOUND, 3), Event(4, SOUND, 1)]


def test_longest_silence() -> None:
    """The longest silence may be one that lasts still."""
    clock = Clock()
    timeline = Timeline(clock, lambda _: None)
    clock.advance(3)
    assert timeline.longest_silence == 3
    timeline.add(SOUND)
    clock.advance(2)
    assert timeline.longest_silence == 3
    clock.advance(2)
    assert (timeline.longest_silence, timeline.seconds) == (4, 7)
