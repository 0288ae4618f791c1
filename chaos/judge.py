"""Whether what was seen keeps what was promised. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from attrs import frozen

LATE: Final = 2.0
"""Seconds after its time from which an answer counts as late. A hold of 8 s leaves seven of
Twilio's 15; a busy machine, which plays the load as well, takes one of them by itself."""

STORE: Final = "store"

WORKERS: Final = "workers"


@frozen(kw_only=True)
class Promise:
    """What a fault may cost, and no more.

    ``late_by`` is how many seconds after its time an answer may come. ``cut``: calls may be lost
    whose process was killed or not there, ``early``: calls may be sent
    back before their time. ``missing`` is how many acknowledged callbacks may be lost, `None` where
    they go with their file. ``recovered`` is within how many seconds of the fault's end ``/health``
    says ok for good; ``degraded`` are the parts of which it must say meanwhile that they are.
    ``descriptors`` are those that may be open beside the ones before: eight connections to the app
    are kept.
    """

    late_by: float = LATE
    lost: int = 0
    cut: bool = False
    early: bool = False
    forgotten: int = 0
    missing: int | None = 0
    recovered: float = 3.0
    degraded: frozenset[str] = frozenset()
    descriptors: int = 15
    kib: int | None = None


@frozen(kw_only=True)
class Seen:
    """What a fault has cost.

    ``late`` counts answers beyond `LATE`, ``worst`` is the latest (seconds after its time).
    ``lost``: nothing came; ``cut``: the same, since the process was killed or not there. ``wrong``:
    another answer than the right one, but for ``forgotten``, second failures that were taken for
    first ones. ``refused`` callbacks were told to come again, or heard nothing; ``missing`` ones
    were acknowledged and never came. ``recovered`` is `None` if it did not. ``descriptors`` and
    ``kib`` are what the process had more in the end than before. ``mistakes`` are lines of the log
    that speak of a bug.
    """

    calls: int = 0
    answered: int = 0
    late: int = 0
    worst: float = 0.0
    early: int = 0
    lost: int = 0
    cut: int = 0
    wrong: int = 0
    forgotten: int = 0
    acknowledged: int = 0
    refused: int = 0
    missing: int = 0
    recovered: float | None = 0.0
    degraded: frozenset[str] = frozenset()
    descriptors: int = 0
    kib: int = 0
    mistakes: tuple[str, ...] = ()


def broken(promise: Promise, seen: Seen) -> list[str]:
    """The promises that were broken, in words; none is what one wants to see."""
    return [*_of_calls(promise, seen), *_of_the_process(promise, seen)]


def _of_calls(promise: Promise, seen: Seen) -> Iterator[str]:
    if not seen.calls:
        yield "no call was made"
    if seen.lost > promise.lost:
        yield f"{seen.lost} calls lost"
    if seen.cut and not promise.cut:
        yield f"{seen.cut} calls cut off"
    if seen.worst > promise.late_by:
        yield f"an answer {seen.worst:.1f} s late"
    if seen.early and not promise.early:
        yield f"{seen.early} calls sent back too early"
    if seen.wrong:
        yield f"{seen.wrong} calls answered wrongly"
    if seen.forgotten > promise.forgotten:
        yield f"{seen.forgotten} failures forgotten"
    if promise.missing is not None and seen.missing > promise.missing:
        yield f"{seen.missing} acknowledged callbacks lost"


def _of_the_process(promise: Promise, seen: Seen) -> Iterator[str]:
    if seen.recovered is None:
        yield "did not recover"
    elif seen.recovered > promise.recovered:
        yield f"recovered after {seen.recovered:.1f} s"
    unsaid = promise.degraded - seen.degraded
    if unsaid:
        yield f"/health did not say that this is degraded: {', '.join(sorted(unsaid))}"
    if seen.descriptors > promise.descriptors:
        yield f"{seen.descriptors} descriptors more than before"
    if promise.kib is not None and seen.kib > promise.kib:
        yield f"{seen.kib} KiB more than before"
    if seen.mistakes:
        yield f"{len(seen.mistakes)} errors in the log: {seen.mistakes[0]}"
