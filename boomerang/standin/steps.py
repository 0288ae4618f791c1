"""What each verb of TwiML does to a call or message."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from attrs import evolve

from boomerang.standin.events import Heard, Manner, Noted, Role, Silence
from boomerang.standin.keypad import typed
from boomerang.standin.script import API_VERSION, Script
from boomerang.standin.turns import State, Submit, Turn, Wait, ask, over
from boomerang.standin.verbs import (
    Dial,
    Enqueue,
    Gather,
    Hangup,
    Other,
    Pause,
    Record,
    Redirect,
    Reject,
    Reply,
    Sound,
    Verb,
)


def carry_out(state: State, verb: Verb | Submit) -> Turn:
    """Carry out a verb, which is no longer among those of the state."""
    return _STEPS[type(verb)](state, verb)


def _sound(state: State, sound: Sound) -> Turn:
    return Turn(evolve(state, picked_up=True), (Heard(sound.manner, sound.what),))


def _pause(state: State, pause: Pause) -> Turn:
    """As the first verb it delays the moment at which the call is taken."""
    return Turn(state, (Silence(pause.seconds, "<Pause>"),), Wait(pause.seconds))


def _gather(state: State, gather: Gather) -> Turn:
    state = evolve(state, picked_up=True)
    if gather.prompts:
        listening = evolve(gather, prompts=())
        return Turn(evolve(state, verbs=(*gather.prompts, listening, *state.verbs)))
    keys = typed(state.keys if gather.keys else "", most=gather.most, end_key=gather.end_key)
    state = evolve(state, keys=keys.left if gather.keys else state.keys)
    told = (Noted(f"the caller presses {keys.pressed}"),) if keys.pressed else ()
    submit = (Submit(gather.action, keys.entered),) if keys.entered or gather.even_empty else ()
    state = evolve(state, verbs=(*submit, *state.verbs))
    if keys.ended:
        return Turn(state, told)
    silence = Silence(gather.timeout, "no more keys are pressed" if told else "no key is pressed")
    return Turn(state, (*told, silence), Wait(gather.timeout))


def _submit(state: State, submit: Submit) -> Turn:
    return ask(state, Role.ACTION, submit.action, (("Digits", submit.keys),))


def _redirect(state: State, redirect: Redirect) -> Turn:
    return ask(state, Role.REDIRECT, redirect.to)


def _dial(state: State, dial: Dial) -> Turn:
    state = evolve(state, picked_up=True)
    told = (Noted(f"{dial.who} is called, answers, and hangs up"),)
    if dial.action is None:
        return Turn(state, told)
    results = (
        ("DialCallDuration", "1"),
        ("DialCallSid", _sid_like(state.script, "CA")),
        ("DialCallStatus", "completed"),
    )
    return ask(state, Role.ACTION, dial.action, results, told=told)


def _record(state: State, record: Record) -> Turn:
    state = evolve(state, picked_up=True)
    sid = _sid_like(state.script, "RE")
    account = f"https://api.twilio.com/{API_VERSION}/Accounts/{state.script.account_sid}"
    results = (
        ("Digits", "#"),
        ("RecordingDuration", "1"),
        ("RecordingSid", sid),
        ("RecordingUrl", f"{account}/Recordings/{sid}"),
    )
    told = (Noted("the caller is recorded"),)
    return ask(state, Role.ACTION, record.action, results, told=told)


def _enqueue(state: State, enqueue: Enqueue) -> Turn:
    told = (Noted(f"the caller waits in the queue {enqueue.queue}"),)
    return over(evolve(state, picked_up=True), told)


def _hangup(state: State, hangup: Hangup) -> Turn:
    return over(state, (Noted("the app hangs up"),))


def _reject(state: State, reject: Reject) -> Turn:
    manner = "ends the call" if state.picked_up else "does not take the call"
    return over(state, (Noted(f"the app {manner}: {reject.reason}"),))


def _reply(state: State, reply: Reply) -> Turn:
    told = (Heard(Manner.MESSAGE, reply.text),)
    if reply.action is None:
        return Turn(state, told)
    return ask(state, Role.ACTION, reply.action, (("MessageStatus", "sent"),), told=told)


def _other(state: State, other: Other) -> Turn:
    return Turn(state, (Noted(f"<{other.name}> is not played here"),))


def _sid_like(script: Script, prefix: str) -> str:
    """The SID of something that belongs to the call."""
    return prefix + script.sid[2:][::-1]


_STEPS: Final[dict[type[Any], Callable[[State, Any], Turn]]] = {
    Sound: _sound,
    Pause: _pause,
    Gather: _gather,
    Submit: _submit,
    Redirect: _redirect,
    Dial: _dial,
    Record: _record,
    Enqueue: _enqueue,
    Hangup: _hangup,
    Reject: _reject,
    Reply: _reply,
    Other: _other,
}
