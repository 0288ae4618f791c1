"""Which key signs for which account."""

from __future__ import annotations

import pytest
from twisted.internet.defer import Deferred, fail
from twisted.internet.task import Clock

from boomerang.relay.callback import Callback
from boomerang.relay.resign import Signer
from boomerang.relay.signers import MOST, TOPIC, Signers, name_of
from boomerang.stores.interfaces import StoreUnavailable
from boomerang.stores.notes_memory import MemoryNotes
from tests.relay.callbacks import a_callback

SHARED = {"SK1": "third"}

KEYS = [
    Signer("first"),
    Signer("second"),
    Signer("third", "SK1"),
    Signer("third", "SK1", "HMAC_SHA256"),
]


def from_account(account: str) -> Callback:
    """A callback of which only the account is known."""
    return a_callback(account=account)


async def test_usual() -> None:
    """An account that was never heard of has the first key; without keys nothing is signed."""
    notes = MemoryNotes(Clock())
    callback = from_account("AC1")
    assert Signers(("first", "second"), SHARED, notes=notes).of(callback) == Signer("first")
    assert Signers((), SHARED, notes=notes).of(callback) == Signer("third", "SK1", "HMAC_SHA1")
    assert Signers((), {}, notes=notes).of(callback) is None


@pytest.mark.parametrize("signer", KEYS)
def test_of_another_process(signer: Signer) -> None:
    """A process that never heard of an account signs with the key that the callback names."""
    signers = Signers(("first", "second"), SHARED, notes=MemoryNotes(Clock()))
    callback = a_callback(account="AC1", signed_by=name_of(signer))
    assert signers.of(callback) == signer
    signers.heard("AC1", Signer("first"))
    assert signers.of(callback) == signer


@pytest.mark.parametrize("signer", KEYS)
async def test_learned(signer: Signer) -> None:
    """What an account has signed with last, signs for it; others and the next process know it."""
    notes = MemoryNotes(Clock())
    signers = Signers(("first", "second"), SHARED, notes=notes)
    signers.heard("AC1", Signer("second"))
    signers.heard("AC1", signer)
    later = Signers(("first", "second"), SHARED, notes=notes)
    await later.recall()
    assert signers.of(from_account("AC1")) == later.of(from_account("AC1")) == signer
    assert later.of(from_account("AC2")) == Signer("first")


async def test_heard_elsewhere() -> None:
    """What another process has heard since is known once it is recalled."""
    notes = MemoryNotes(Clock())
    one, two = (Signers(("first", "second"), SHARED, notes=notes) for _ in range(2))
    one.heard("AC1", Signer("first"))
    two.heard("AC1", Signer("second"))
    await one.recall()
    assert one.of(from_account("AC1")) == Signer("second")


async def test_no_secret_noted() -> None:
    """The notes have no secret."""
    notes = MemoryNotes(Clock())
    signers = Signers(("first", "second"), SHARED, notes=notes)
    signers.heard("AC1", Signer("second"))
    signers.heard("AC2", Signer("third", "SK1"))
    noted = await notes.read(TOPIC)
    assert noted.keys() == {"AC1", "AC2"}
    assert not {"first", "second", "third"} & {
        word for text in noted.values() for word in text.split()
    }


async def test_rotated() -> None:
    """A key that is no longer among the settings is not used, though it is noted."""
    notes = MemoryNotes(Clock())
    Signers(("first", "second"), {}, notes=notes).heard("AC1", Signer("second"))
    signers = Signers(("new", "first"), {}, notes=notes)
    await signers.recall()
    assert signers.of(from_account("AC1")) == Signer("new")
    gone = a_callback(account="AC1", signed_by=name_of(Signer("second")))
    assert signers.of(gone) == Signer("new")
    signers.heard("AC1", Signer("first"))
    assert signers.of(gone) == Signer("first")


class Away(MemoryNotes):
    """Notes that cannot be written."""

    def __init__(self) -> None:
        super().__init__(Clock())
        self.written = 0

    def write(self, *_: object) -> Deferred[None]:
        self.written += 1
        return fail(StoreUnavailable("away"))


def test_store_away() -> None:
    """What could not be noted is tried again with the next request."""
    notes = Away()
    signers = Signers(("first", "second"), {}, notes=notes)
    for _ in range(3):
        signers.heard("AC1", Signer("second"))
    assert notes.written == 3


def test_one_key() -> None:
    """With one key there is nothing to be learned or noted."""
    notes = Away()
    signers = Signers(("first",), {}, notes=notes)
    signers.heard("AC1", Signer("first"))
    signers.heard("AC1", None)
    assert notes.written == 0


def test_bounded() -> None:
    """However many accounts there are, memory has an end."""
    signers = Signers(("first", "second"), {}, notes=MemoryNotes(Clock()))
    for number in range(MOST + 10):
        signers.heard(f"AC{number}", Signer("second"))
    assert signers.of(from_account("AC0")) == Signer("first")
    assert signers.of(from_account(f"AC{MOST + 9}")) == Signer("second")
