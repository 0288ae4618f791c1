"""What happens in a call or message, as values, each with the instant at which it did."""

from __future__ import annotations

from enum import Enum

from attrs import field, frozen


class Role(Enum):
    """Why an address is asked."""

    FIRST = "first"
    REDIRECT = "redirect"
    ACTION = "action"
    FALLBACK = "fallback"


class Outcome(Enum):
    """How it ended for the caller, or for the message.

    ``saved``: whatever had failed has answered when it was asked again, or nothing had failed.
    ``apologised``: something else came in its place. ``lost``: nothing did.
    """

    SAVED = "saved"
    APOLOGISED = "apologised"
    LOST = "lost"


class Manner(Enum):
    """What sort of thing is heard."""

    SAY = "say"
    PLAY = "play"
    STANDARD_MESSAGE = "standard message"
    """Twilio's own, that an application error has occurred."""

    MESSAGE = "message"


@frozen
class Asked:
    """A request is made: the ``number`` of the try, and how many redirects led to it.

    ``error_code`` is what a fallback is told.
    """

    role: Role
    method: str
    url: str
    number: int = 1
    redirects: int = 0
    error_code: str | None = None


@frozen
class Answered:
    """A request was answered, after so many seconds; ``decision`` is the answer's own header."""

    status: int
    seconds: float
    decision: str = ""


@frozen
class Unanswered:
    """A request was not answered, or not wholly."""

    words: str
    seconds: float


@frozen
class Understood:
    """An answer is good; these are the verbs in it."""

    verbs: tuple[str, ...]


@frozen
class Failed:
    """An address has failed."""

    code: int
    url: str
    words: str


@frozen
class Warned:
    """What the Debugger would say of an answer, without more coming of it."""

    code: int
    words: str


@frozen
class Heard:
    """The caller hears something, or the sender of a message gets it."""

    manner: Manner
    what: str = field(default="", repr=False)


@frozen
class Silence:
    """Nothing is heard for so many seconds from now on."""

    seconds: float
    why: str


@frozen
class Noted:
    """Something else, in words."""

    words: str


@frozen
class Ended:
    """It is over."""

    outcome: Outcome
    reason: str


Told = (
    Asked | Answered | Unanswered | Understood | Failed | Warned | Heard | Silence | Noted | Ended
)


@frozen
class Event:
    """Something that happened, ``at`` so many seconds after the beginning.

    Of what is heard, ``silence`` is how long nothing was heard before.
    """

    at: float
    told: Told
    silence: float | None = None
