"""What the load makes of a call that was played."""

from __future__ import annotations

from boomerang.standin import Event, Outcome, Played
from boomerang.standin.events import Answered, Asked, Role, Told, Unanswered
from chaos.app import is_stubborn, sid_of
from chaos.load import told
from chaos.told import Rescue


def played(*events: tuple[float, Told]) -> Played:
    found = tuple(Event(at, each) for at, each in events)
    return Played(sid_of(3, kind="c"), Outcome.SAVED, "why", 2.0, 1.0, found)


def asked(role: Role) -> Asked:
    return Asked(role, "POST", "http://127.0.0.1/")


def test_rescues() -> None:
    """What boomerang answered counts, and what the app answered does not."""
    call = played(
        (0.0, asked(Role.FIRST)),
        (0.1, Answered(503, 0.1)),
        (0.1, asked(Role.FALLBACK)),
        (1.1, Answered(200, 1.0, "retry; attempt=1")),
        (1.1, asked(Role.REDIRECT)),
        (1.2, Answered(503, 0.1)),
        (1.2, asked(Role.FALLBACK)),
        (1.7, Unanswered("reset", 0.5)),
    )
    found = told(call, begun=100.0)
    assert found.rescues == [
        Rescue(asked=100.1, seconds=1.0, status=200, decision="retry; attempt=1"),
        Rescue(asked=101.2, seconds=0.5, refused="reset"),
    ]
    assert (found.outcome, found.reason, found.stubborn) == ("saved", "why", False)


def test_stubborn() -> None:
    """One call in five is stubborn, and every call has a SID of its own, as long as Twilio's."""
    sids = [sid_of(number, kind="c") for number in range(100)]
    assert sum(map(is_stubborn, sids)) == 20
    assert {len(sid) for sid in sids} == {34}
    assert len({*sids, *(sid_of(number, kind="b") for number in range(100))}) == 200
