"""Which key signs for which account."""

from __future__ import annotations

import pytest
from twisted.internet.defer import Deferred, fail
from twisted.internet.task import Clock

from boomerang.relay.resign import Signer
from boomerang.relay.signers import MOST, TOPIC, Signers
from boomerang.stores.interfaces import StoreUnavailable
from boomerang.stores.notes_memory import MemoryNotes

SHARED = {"SK1": "third"}


async def test_usual() -> None:
    """An account that was never heard of has the first key; without keys nothing is signed."""
    notes = MemoryNotes(Clock())
    assert Signers(("first", "second"), SHARED, notes=notes).of("AC1") == Signer("first")
    assert Signers((), SHARED, notes=notes).of("AC1") == Signer("third", "SK1", "HMAC_SHA1")
    assert Signers((), {}, notes=notes).of("AC1") is None


@pytest.mark.parametrize(
    "signer",
    [
        Signer("first"),
        Signer("second"),
        Signer("third", "SK1"),
        Signer("third", "SK1", "HMAC_SHA256"),
    ],
)
async def test_learned(signer: Signer) -> None:
    """What an account has signed with last, signs for it; others and the next process know it."""
    notes = MemoryNotes(Clock())
    signers = Signers(("first", "second"), SHARED, notes=notes)
    signers.heard("AC1", Signer("second"))
    signers.heard("AC1", signer)
    later = Signers(("first", "second"), SHARED, notes=notes)
    await later.recall()
    assert signers.of("AC1") == later.of("AC1") == signer
    assert later.of("AC2") == Signer("first")


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
    assert signers.of("AC1") == Signer("new")


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
    assert signers.of("AC0") == Signer("first")
    assert signers.of(f"AC{MOST + 9}") == Signer("second")
