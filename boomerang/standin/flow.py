"""What comes next in a call or message: a function of where it is, and of what was answered.

Nothing here asks anybody or waits; whoever does comes back with `answered` or `waited`.
"""

from __future__ import annotations

from attrs import evolve

from boomerang.standin.document import Document
from boomerang.standin.events import Failed, Role, Told, Understood
from boomerang.standin.failure import Failure
from boomerang.standin.script import Call, Script, failure_parameters
from boomerang.standin.steps import carry_out
from boomerang.standin.turns import Ask, State, Turn, ask, lost, over
from boomerang.urls import without_fragment


def begin(script: Script) -> Turn:
    """The first step of a call or message."""
    keys = script.digits if isinstance(script, Call) else ""
    return ask(State(script, keys=keys), Role.FIRST, script.first)


def answered(state: State, found: Document | Failure) -> Turn:
    """The step after an answer, or after there was none that could be used."""
    assert state.asked is not None
    if isinstance(found, Failure):
        return _failed(state, state.asked, found)
    url = without_fragment(state.asked.webhook.url)
    if url in state.missing:
        missing = tuple(each for each in state.missing if each != url)
        state = evolve(state, missing=missing, came_back=url)
    told: tuple[Told, ...] = (Understood(found.names), *found.warned)
    return _go_on(Turn(evolve(state, verbs=found.verbs), told))


def waited(state: State) -> Turn:
    """The step after some time has passed."""
    return _go_on(Turn(state))


def _failed(state: State, asked: Ask, failure: Failure) -> Turn:
    """Every failure leads to the fallback, but for its own."""
    url = without_fragment(asked.webhook.url)
    told = (Failed(failure.code, url, failure.words),)
    fallback = state.script.fallback
    if asked.role is Role.FALLBACK:
        return lost(state, f"the fallback failed too: {failure.words}", told)
    if fallback is None:
        return lost(state, f"there is no fallback for {url}: {failure.words}", told)
    missing = tuple(each for each in state.missing if each != url)
    state = evolve(state, missing=(*missing, url))
    return ask(state, Role.FALLBACK, fallback, failure_parameters(failure.code, url), told=told)


def _go_on(turn: Turn) -> Turn:
    """Carry out verbs until there is something to be done."""
    while turn.next is None:
        if not turn.state.verbs:
            return over(turn.state, turn.told)
        verb, *rest = turn.state.verbs
        step = carry_out(evolve(turn.state, verbs=tuple(rest)), verb)
        turn = evolve(step, told=turn.told + step.told)
    return turn
