"""The steps of a call or message as values, and those that lead to a request or to the end."""

from __future__ import annotations

from typing import Final

from attrs import evolve, frozen

from boomerang.standin.events import Ended, Heard, Manner, Noted, Outcome, Role, Told
from boomerang.standin.script import VOICE, Pairs, Script, Webhook, standard_parameters
from boomerang.standin.verbs import Verb

MOST_REQUESTS: Final = 100
"""Webhooks of one call. Twilio documents no such limit; something must end a loop."""


@frozen
class Ask:
    """An address is to be asked; see `boomerang.standin.request.Request` for the parameters."""

    role: Role
    webhook: Webhook
    standard: Pairs
    results: Pairs = ()


@frozen
class Wait:
    """So many seconds are to pass."""

    seconds: float


@frozen
class Over:
    """That was all."""

    outcome: Outcome
    reason: str


Next = Ask | Wait | Over


@frozen
class Submit:
    """Not a verb of TwiML: what is left of a <Gather> once its time is up."""

    action: Webhook
    keys: str


@frozen
class State:
    """Where a call or message is.

    ``asked`` is the request under way, ``verbs`` are still to be carried out, ``keys`` still to be
    pressed. ``missing`` are the addresses that failed and have not answered since, ``came_back`` is
    the last that did.
    """

    script: Script
    asked: Ask | None = None
    verbs: tuple[Verb | Submit, ...] = ()
    keys: str = ""
    picked_up: bool = False
    missing: tuple[str, ...] = ()
    came_back: str = ""
    requests: int = 0


@frozen
class Turn:
    """A step: where it leads, what happened in it, and what is to be done next, if not more."""

    state: State
    told: tuple[Told, ...] = ()
    next: Next | None = None


def ask(
    state: State,
    role: Role,
    webhook: Webhook,
    results: Pairs = (),
    *,
    told: tuple[Told, ...] = (),
) -> Turn:
    """Ask an address: the document so far is left for good."""
    if state.requests == MOST_REQUESTS:
        return lost(state, f"no end after {MOST_REQUESTS} requests", told)
    standard = standard_parameters(state.script, picked_up=state.picked_up)
    asked = Ask(role, webhook, standard, results)
    state = evolve(state, asked=asked, verbs=(), requests=state.requests + 1)
    return Turn(state, told, asked)


def over(state: State, told: tuple[Told, ...] = ()) -> Turn:
    """It ends as the app wants, or whoever answered in its place."""
    if state.missing:
        reason = f"{state.missing[-1]} failed, and did not answer again"
        return _end(state, told, Outcome.APOLOGISED, reason)
    if state.came_back:
        return _end(state, told, Outcome.SAVED, f"{state.came_back} answered when asked again")
    return _end(state, told, Outcome.SAVED, "nothing failed")


def lost(state: State, reason: str, told: tuple[Told, ...]) -> Turn:
    """What Twilio does when all is lost: its standard message, or an entry in the Debugger."""
    if state.script.product == VOICE:
        last: Told = Heard(Manner.STANDARD_MESSAGE)
    else:
        last = Noted("the message stays without an answer")
    return _end(state, (*told, last), Outcome.LOST, reason)


def _end(state: State, told: tuple[Told, ...], outcome: Outcome, reason: str) -> Turn:
    return Turn(state, (*told, Ended(outcome, reason)), Over(outcome, reason))
