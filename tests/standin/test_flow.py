"""What comes next in a call or message: the flow of requests, played without any."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from attrs import evolve

from boomerang.standin.document import Document
from boomerang.standin.events import (
    Ended,
    Failed,
    Heard,
    Manner,
    Noted,
    Outcome,
    Role,
    Silence,
    Told,
    Understood,
    Warned,
)
from boomerang.standin.failure import Failure
from boomerang.standin.flow import answered, begin, waited
from boomerang.standin.script import Call, Message, Script, Webhook, standard_parameters
from boomerang.standin.turns import MOST_REQUESTS, Ask, Over, Turn, Wait
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

VOICE_URL = Webhook("https://app.example.com/voice#rt=5000")
RETRY = Webhook("https://boomerang.example.com/retry")
SORRY = Webhook("https://static.example.com/sorry.xml", "GET")
MENU = Webhook("https://app.example.com/menu")

CALL = Call(first=VOICE_URL, fallback=RETRY, sid="CA123", digits="42#7")
MESSAGE = Message(first=VOICE_URL, fallback=RETRY, sid="SM123", body="Hello")

DOWN = Failure(11217, "answered 503")
HELLO = Sound(Manner.SAY, "Hello")
HEARD = Heard(Manner.SAY, "Hello")
STANDARD_MESSAGE = Heard(Manner.STANDARD_MESSAGE)

OVER = Ended(Outcome.SAVED, "nothing failed")


def document(*verbs: Verb) -> Document:
    return Document(verbs, tuple(type(verb).__name__ for verb in verbs))


def back(webhook: Webhook) -> Document:
    """What a fallback answers to send the call somewhere."""
    return document(Redirect(webhook))


def asked(turn: Turn) -> Ask:
    """What is asked next."""
    assert isinstance(turn.next, Ask)
    assert turn.state.asked is turn.next
    return turn.next


def played(script: Script, answers: Sequence[Document | Failure]) -> tuple[list[Ask], Turn]:
    """All that is asked when it is answered so, and where that ends."""
    turn = begin(script)
    asks = []
    for answer in answers:
        asks.append(asked(turn))
        turn = answered(turn.state, answer)
    return asks, turn


def ways(asks: Sequence[Ask]) -> list[tuple[Role, str]]:
    return [(ask.role, ask.webhook.url) for ask in asks]


FIRST = (Role.FIRST, VOICE_URL.url)
FALLBACK = (Role.FALLBACK, RETRY.url)
SENT_BACK = (Role.REDIRECT, "https://app.example.com/voice")
SENT_ON = (Role.REDIRECT, MENU.url)
SENT_BACK_TO = Webhook(SENT_BACK[1])


@pytest.mark.parametrize("script", [CALL, MESSAGE])
def test_begin(script: Script) -> None:
    """It begins with the first URL, asked with the standard parameters."""
    turn = begin(script)
    assert turn.told == ()
    assert asked(turn) == Ask(Role.FIRST, VOICE_URL, standard_parameters(script))


@pytest.mark.parametrize("script", [CALL, MESSAGE])
def test_failure(script: Script) -> None:
    """What fails leads to the fallback, which is told the code and the URL, fragment aside."""
    turn = answered(begin(script).state, DOWN)
    assert turn.told == (Failed(11217, SENT_BACK[1], "answered 503"),)
    error = (("ErrorCode", "11217"), ("ErrorUrl", SENT_BACK[1]))
    assert asked(turn) == Ask(Role.FALLBACK, RETRY, standard_parameters(script), error)


@pytest.mark.parametrize("script", [CALL, MESSAGE])
@pytest.mark.parametrize(
    ("answers", "expected", "outcome", "reason"),
    [
        ([document()], [FIRST], Outcome.SAVED, "nothing failed"),
        (
            [DOWN, back(SENT_BACK_TO), document()],
            [FIRST, FALLBACK, SENT_BACK],
            Outcome.SAVED,
            "https://app.example.com/voice answered when asked again",
        ),
        (
            [DOWN, back(SENT_BACK_TO), DOWN, back(SENT_BACK_TO), document()],
            [FIRST, FALLBACK, SENT_BACK, FALLBACK, SENT_BACK],
            Outcome.SAVED,
            "https://app.example.com/voice answered when asked again",
        ),
        (
            [DOWN, back(SENT_BACK_TO), back(MENU), DOWN, back(MENU), document()],
            [FIRST, FALLBACK, SENT_BACK, SENT_ON, FALLBACK, SENT_ON],
            Outcome.SAVED,
            "https://app.example.com/menu answered when asked again",
        ),
        (
            [DOWN, document()],
            [FIRST, FALLBACK],
            Outcome.APOLOGISED,
            "https://app.example.com/voice failed, and did not answer again",
        ),
        (
            [DOWN, back(SENT_BACK_TO), DOWN, back(SORRY), document()],
            [FIRST, FALLBACK, SENT_BACK, FALLBACK, (Role.REDIRECT, SORRY.url)],
            Outcome.APOLOGISED,
            "https://app.example.com/voice failed, and did not answer again",
        ),
        (
            [back(MENU), DOWN, back(SENT_BACK_TO), document()],
            [FIRST, SENT_ON, FALLBACK, SENT_BACK],
            Outcome.APOLOGISED,
            "https://app.example.com/menu failed, and did not answer again",
        ),
        (
            [DOWN, Failure(11205, "no answer within 15 s")],
            [FIRST, FALLBACK],
            Outcome.LOST,
            "the fallback failed too: no answer within 15 s",
        ),
        (
            [DOWN, back(SENT_BACK_TO), DOWN, back(SORRY), DOWN, Failure(11217, "answered 500")],
            [FIRST, FALLBACK, SENT_BACK, FALLBACK, (Role.REDIRECT, SORRY.url), FALLBACK],
            Outcome.LOST,
            "the fallback failed too: answered 500",
        ),
    ],
)
def test_ways(
    script: Script,
    answers: Sequence[Document | Failure],
    expected: Sequence[tuple[Role, str]],
    outcome: Outcome,
    reason: str,
) -> None:
    """Who is asked in turn, and what that is called in the end."""
    asks, turn = played(script, answers)
    assert ways(asks) == list(expected)
    assert turn.next == Over(outcome, reason)
    assert turn.told[-1] == Ended(outcome, reason)


@pytest.mark.parametrize(
    ("script", "last"),
    [
        (CALL, STANDARD_MESSAGE),
        (MESSAGE, Noted("the message stays without an answer")),
    ],
)
def test_no_fallback(script: Script, last: Told) -> None:
    """Without a fallback all is lost at once: a caller hears the standard message."""
    turn = answered(begin(evolve(script, fallback=None)).state, DOWN)
    url = SENT_BACK[1]
    reason = f"there is no fallback for {url}: answered 503"
    assert turn.told == (Failed(11217, url, DOWN.words), last, Ended(Outcome.LOST, reason))
    assert turn.next == Over(Outcome.LOST, reason)


def test_no_end() -> None:
    """A loop ends after a hundred requests, and counts as lost."""
    turn = begin(CALL)
    for _ in range(MOST_REQUESTS):
        turn = answered(turn.state, back(asked(turn).webhook))
    assert turn.next == Over(Outcome.LOST, "no end after 100 requests")


def test_warnings() -> None:
    """What is understood of an answer is told, warnings included, before anything is heard."""
    warned = Warned(12200, "<Foo> is no verb")
    found = Document((HELLO,), ("Foo", "Say"), (warned,))
    assert answered(begin(CALL).state, found).told == (
        Understood(("Foo", "Say")),
        warned,
        HEARD,
        OVER,
    )


def test_left_behind() -> None:
    """A redirect leaves the rest of its document behind for good."""
    turn = answered(begin(CALL).state, document(Redirect(MENU), HELLO))
    turn = answered(turn.state, document())
    assert turn.told == (Understood(()), OVER)


def first_turn(*verbs: Verb, script: Script = CALL) -> Turn:
    """What a document leads to as the first of a call; without the word that it was understood."""
    turn = answered(begin(script).state, document(*verbs))
    return evolve(turn, told=turn.told[1:])


@pytest.mark.parametrize(
    ("verbs", "told"),
    [
        ((HELLO,), (HEARD,)),
        ((Sound(Manner.PLAY, "a"), HELLO), (Heard(Manner.PLAY, "a"), HEARD)),
        ((Hangup(), HELLO), (Noted("the app hangs up"),)),
        ((Reject("busy"), HELLO), (Noted("the app does not take the call: busy"),)),
        ((HELLO, Reject("busy")), (HEARD, Noted("the app ends the call: busy"))),
        ((Dial("+1"), HELLO), (Noted("+1 is called, answers, and hangs up"), HEARD)),
        ((Enqueue("q"), HELLO), (Noted("the caller waits in the queue q"),)),
        ((Other("Leave"), HELLO), (Noted("<Leave> is not played here"), HEARD)),
    ],
)
def test_verbs_to_the_end(verbs: Sequence[Verb], told: Sequence[Told]) -> None:
    """What verbs do that neither ask anybody nor wait."""
    turn = first_turn(*verbs)
    assert turn.told == (*told, OVER)
    assert turn.next == Over(Outcome.SAVED, "nothing failed")


def test_pause() -> None:
    """A pause is waited for, and the document goes on after it."""
    turn = first_turn(HELLO, Pause(30), HELLO)
    assert turn.told == (HEARD, Silence(30, "<Pause>"))
    assert turn.next == Wait(30)
    assert waited(turn.state).told == (HEARD, OVER)


RECORDING = "https://api.twilio.com/2010-04-01/Accounts/AC00000000000000000000000000000001"


@pytest.mark.parametrize(
    ("verb", "results"),
    [
        (Redirect(MENU), {}),
        (
            Dial("+1", MENU),
            {"DialCallStatus": "completed", "DialCallSid": "CA321", "DialCallDuration": "1"},
        ),
        (
            Record(MENU),
            {
                "RecordingUrl": f"{RECORDING}/Recordings/RE321",
                "RecordingSid": "RE321",
                "RecordingDuration": "1",
                "Digits": "#",
            },
        ),
        (Gather(MENU), {"Digits": "42"}),
        (Reply("Hi", MENU), {"MessageStatus": "sent"}),
    ],
)
def test_results(verb: Verb, results: dict[str, str]) -> None:
    """A verb's action is told its results, and what comes after it is not reached."""
    ask = asked(first_turn(verb, HELLO))
    assert ask.webhook == MENU
    assert ask.role is (Role.REDIRECT if isinstance(verb, Redirect) else Role.ACTION)
    assert dict(ask.results) == results


@pytest.mark.parametrize(
    ("verbs", "status"),
    [
        ((), "ringing"),
        ((Pause(1),), "ringing"),
        ((HELLO,), "in-progress"),
        ((Dial("+1"),), "in-progress"),
        ((Gather(MENU, most=9, keys=False),), "in-progress"),
    ],
)
def test_picked_up(verbs: Sequence[Verb], status: str) -> None:
    """A call is in progress once something was to be heard; a pause alone delays that."""
    turn = first_turn(*verbs, Redirect(MENU))
    while isinstance(turn.next, Wait):
        turn = waited(turn.state)
    assert dict(asked(turn).standard)["CallStatus"] == status


@pytest.mark.parametrize("verb", [Record(MENU), Dial("+1", MENU), Gather(MENU, most=1)])
def test_picked_up_for_an_action(verb: Verb) -> None:
    """So it is when an action is asked."""
    assert dict(asked(first_turn(verb)).standard)["CallStatus"] == "in-progress"


# Gather


def test_prompts() -> None:
    """The prompts are heard, then keys are pressed; the rest of them is for the next one."""
    gather = Gather(MENU, (HELLO, Pause(2), HELLO))
    turn = first_turn(gather)
    assert (turn.told, turn.next) == ((HEARD, Silence(2, "<Pause>")), Wait(2))
    turn = waited(turn.state)
    assert turn.told == (HEARD, Noted("the caller presses 42#"))
    assert asked(turn).results == (("Digits", "42"),)
    turn = answered(turn.state, document(Gather(MENU, most=1)))
    assert asked(turn).results == (("Digits", "7"),)


@pytest.mark.parametrize(
    ("digits", "gather", "told", "digits_sent"),
    [
        ("", Gather(MENU), [Silence(5, "no key is pressed")], None),
        ("", Gather(MENU, timeout=9), [Silence(9, "no key is pressed")], None),
        ("", Gather(MENU, even_empty=True), [Silence(5, "no key is pressed")], ""),
        ("1", Gather(MENU, keys=False), [Silence(5, "no key is pressed")], None),
        ("#", Gather(MENU), [Noted("the caller presses #")], None),
        (
            "12",
            Gather(MENU, most=3),
            [Noted("the caller presses 12"), Silence(5, "no more keys are pressed")],
            "12",
        ),
        ("12", Gather(MENU, most=2), [Noted("the caller presses 12")], "12"),
    ],
)
def test_gather(digits: str, gather: Gather, told: Sequence[Told], digits_sent: str | None) -> None:
    """Without keys the document goes on, after the time in which they were awaited."""
    turn = first_turn(gather, HELLO, script=evolve(CALL, digits=digits))
    seen = list(turn.told)
    if isinstance(turn.next, Wait):
        assert turn.next == Wait(gather.timeout)
        turn = waited(turn.state)
        seen += turn.told
    if digits_sent is None:
        assert seen == [*told, HEARD, OVER]
    else:
        assert seen == told
        assert asked(turn).results == (("Digits", digits_sent),)


def test_keys_are_kept() -> None:
    """Keys that were not asked for are there for the next <Gather>."""
    turn = waited(first_turn(Gather(MENU, keys=False), Gather(MENU)).state)
    assert asked(turn).results == (("Digits", "42"),)


# Messages


def test_replies() -> None:
    """The sender of a message gets what it is answered with."""
    turn = first_turn(Reply("Hi"), Reply("there"), script=MESSAGE)
    assert turn.told == (Heard(Manner.MESSAGE, "Hi"), Heard(Manner.MESSAGE, "there"), OVER)
