"""The verbs of TwiML, as values whose addresses are absolute."""

from __future__ import annotations

from attrs import field, frozen

from boomerang.standin.events import Manner
from boomerang.standin.script import Webhook


@frozen
class Sound:
    """Something that the caller hears: what is said, or the address of what is played."""

    manner: Manner
    what: str


@frozen
class Pause:
    """Silence of so many seconds."""

    seconds: int


@frozen
class Gather:
    """Keys are awaited, while the prompts are heard and for ``timeout`` seconds after each key.

    ``most`` ends it, and so does the ``end_key`` (empty: none). ``even_empty``: the action is asked
    even if no key was pressed. Without ``keys`` it is speech that is awaited, and there is none.
    """

    action: Webhook
    prompts: tuple[Sound | Pause, ...] = ()
    timeout: int = 5
    most: int | None = None
    end_key: str = "#"
    even_empty: bool = False
    keys: bool = True


@frozen
class Redirect:
    """The document ends here, and goes on there."""

    to: Webhook


@frozen
class Dial:
    """Somebody is called, who answers and hangs up at once."""

    who: str
    action: Webhook | None = None


@frozen
class Record:
    """The caller is recorded: a second of silence, ended by a key."""

    action: Webhook


@frozen
class Enqueue:
    """The caller waits in a queue, where this ends: nobody fetches them."""

    queue: str


@frozen
class Hangup:
    """The call ends."""


@frozen
class Reject:
    """The call ends; if nothing was heard before, it was never taken."""

    reason: str


@frozen
class Reply:
    """The sender gets a message."""

    text: str = field(repr=False)
    action: Webhook | None = None


@frozen
class Other:
    """A verb that Twilio knows and the stand-in does not play."""

    name: str


Verb = Sound | Pause | Gather | Redirect | Dial | Record | Enqueue | Hangup | Reject | Reply | Other
