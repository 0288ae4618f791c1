"""What the features ask of a store: claims of the retry service, and the notes of the others."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from attrs import field, frozen
from twisted.internet.defer import Deferred

from boomerang.stores.queue import QueueStore
from boomerang.values import quick_frozen


@quick_frozen
class Failure:
    """A failure to be counted; the names are digests (see `boomerang.retry.request`).

    ``call`` is `None` when the request named no call or message. ``wait`` is how long this failure
    will be held (seconds), ``attempts`` how many failures are held at all. ``window`` is how long
    it is remembered (seconds), and ``call_window`` how long the call's rounds are, which is the
    same for all failures. With ``only_again`` the first failure of an identity is not counted, only
    what comes after one that was; the call's rounds are counted in any case.
    """

    identity: str
    call: str | None
    wait: float
    window: float
    call_window: float
    attempts: int
    only_again: bool = False


@quick_frozen
class Claim:
    """What a store knows of a failure after counting it.

    ``attempt``: 1 for the first failure of this identity within the window, 0 for one that is not
    counted; Twilio's own repeat of a request that is still held has the number of the one it
    repeats. ``hold``: seconds from now to the release instant. ``round``: how many failures the
    call has had within its window. ``after``: seconds since the hold of the attempt before ended,
    `None` for the first.
    """

    attempt: int
    hold: float
    round: int
    after: float | None = field(default=None, eq=False)


@quick_frozen
class Marked:
    """A failure that was counted, by the digests of `Failure`."""

    identity: str
    call: str | None


class StoreUnavailable(Exception):
    """The store cannot be used now, and may be later; the message names why, and no secret.

    ``brief`` is for the log of who uses the store: less, where the log has the message already.
    """

    def __init__(self, message: str, *, brief: str | None = None) -> None:
        super().__init__(message)
        self.brief = message if brief is None else brief


class ClaimStore(Protocol):
    """A store of claims. Whatever goes wrong, the Deferreds fail with `StoreUnavailable`.

    How long to wait is for the caller to say: what takes too long is cancelled.
    """

    def open(self) -> Deferred[None]:
        """Get ready. May be called again after it failed."""

    def claim(self, failure: Failure) -> Deferred[Claim]:
        """Count a failure in one atomic step. Cancelling the Deferred does not undo the claim."""

    def release(self, marked: Sequence[Marked]) -> Deferred[None]:
        """End the holds of these before their instants: what fails again now counts anew."""

    def attempts(self, marked: Sequence[Marked]) -> Deferred[Sequence[int]]:
        """How often each of these has failed within its window, 0 for what is forgotten."""

    def probe(self) -> Deferred[None]:
        """Fire when a claim could be made now: the store answers, and may be written to."""

    def close(self) -> Deferred[None]:
        """Let go of everything; claims under way are finished or fail."""


class NoteStore(Protocol):
    """A store of small texts that outlive the process, shared by all that use the store.

    A topic has notes by key, at most some thousand; a journal has the newest entries of a name.
    Texts have no NUL, at which SQLite's JSON functions would cut them off.
    Nothing here is in a caller's way, so there is no time limit of the store's own: whoever asks
    sets one. Whatever goes wrong, the Deferreds fail with `StoreUnavailable`. Cancelling one does
    not undo what was asked for.
    """

    def read(self, topic: str) -> Deferred[Mapping[str, str]]:
        """All notes of a topic, by key."""

    def write(self, topic: str, notes: Mapping[str, str | None]) -> Deferred[None]:
        """Write notes in one atomic step; `None` erases one."""

    def append(self, entries: Mapping[str, Sequence[str]], *, keep: int) -> Deferred[None]:
        """Append to journals, by name; of each only the newest ``keep`` entries stay."""

    def journals(self, names: Collection[str]) -> Deferred[Mapping[str, Sequence[str]]]:
        """The entries of these journals, oldest first; a name without any is left out."""

    def lease(self, name: str, *, holder: str, seconds: float) -> Deferred[bool]:
        """Take or renew a lease for some seconds; false while another holder has it.

        0 seconds give one's own lease back.
        """


@frozen
class Stores:
    """One store in its roles."""

    claims: ClaimStore
    notes: NoteStore
    queue: QueueStore
