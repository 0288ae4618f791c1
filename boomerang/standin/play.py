"""Plays one call or one incoming message: decides with `boomerang.standin.flow`, and does it."""

from __future__ import annotations

from attrs import field, frozen
from twisted.internet.task import deferLater

from boomerang.standin.courier import Courier
from boomerang.standin.events import Event, Outcome
from boomerang.standin.flow import answered, begin, waited
from boomerang.standin.script import Call, Message, Script, with_sid
from boomerang.standin.surroundings import Surroundings
from boomerang.standin.timeline import Tell, Timeline
from boomerang.standin.turns import Over, Turn, Wait


@frozen
class Played:
    """How a call or message went.

    ``seconds`` is how long it took, ``silence`` the longest time without a sound.
    """

    sid: str
    outcome: Outcome
    reason: str
    seconds: float
    silence: float
    events: tuple[Event, ...] = field(repr=False)


def nobody(event: Event) -> None:
    """Nobody is told."""


async def play_call(call: Call, surroundings: Surroundings, *, tell: Tell = nobody) -> Played:
    """Play a call from its beginning to its end, telling each event when it happens."""
    return await play(call, surroundings, tell)


async def play_message(
    message: Message, surroundings: Surroundings, *, tell: Tell = nobody
) -> Played:
    """Play an incoming message until there is nothing left to be done, telling each event."""
    return await play(message, surroundings, tell)


async def play(script: Script, surroundings: Surroundings, tell: Tell = nobody) -> Played:
    """Play a call or a message."""
    script = with_sid(script, surroundings.chance)
    timeline = Timeline(surroundings.clock, tell)
    courier = Courier(script, timeline, surroundings)
    turn = begin(script)
    while True:
        for told in turn.told:
            timeline.add(told)
        if isinstance(turn.next, Over):
            return Played(
                sid=script.sid,
                outcome=turn.next.outcome,
                reason=turn.next.reason,
                seconds=timeline.seconds,
                silence=timeline.longest_silence,
                events=tuple(timeline.events),
            )
        turn = await _next_turn(turn, courier, surroundings)


async def _next_turn(turn: Turn, courier: Courier, surroundings: Surroundings) -> Turn:
    if isinstance(turn.next, Wait):
        await deferLater(surroundings.clock, turn.next.seconds)
        return waited(turn.state)
    assert turn.state.asked is not None
    return answered(turn.state, await courier.ask(turn.state.asked))
