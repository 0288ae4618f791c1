"""Claims in the process's own memory: for ``memory:``, and for every store that is not there."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime

from boomerang.stores.interfaces import Claim, Failure
from boomerang.stores.marks import Mark, count_failure


class MemoryStore:
    """A `ClaimStore` that forgets with the process.

    ``most`` bounds the number of marks; beyond it the oldest are forgotten first. Each takes
    about 300 bytes, and a failure leaves two of them.
    """

    def __init__(self, clock: IReactorTime, *, most: int = 200_000) -> None:
        self._clock = clock
        self._most = most
        self._marks: dict[str, Mark] = {}

    def __len__(self) -> int:
        return len(self._marks)

    def open(self) -> Deferred[None]:
        return succeed(None)

    def claim(self, failure: Failure) -> Deferred[Claim]:
        return succeed(self.claim_now(failure))

    def claim_now(self, failure: Failure) -> Claim:
        """Count a failure without the ceremony of a Deferred."""
        now = self._clock.seconds()
        marks = self._marks
        before = (marks.get(failure.identity or ""), marks.get(failure.call or ""))
        identity, call, claim = count_failure(failure, identity=before[0], call=before[1], now=now)
        if identity is not None and failure.identity is not None and identity is not before[0]:
            self._put(failure.identity, identity)
        if call is not None and failure.call is not None and call is not before[1]:
            self._put(failure.call, call)
        self._forget_oldest(now)
        return claim

    def _put(self, name: str, mark: Mark) -> None:
        """Keep the marks in the order of their expiry: one that is made anew is the youngest."""
        if mark.count == 1:
            self._marks.pop(name, None)
        self._marks[name] = mark

    def _forget_oldest(self, now: float) -> None:
        """Two marks come with a claim at most, so looking at four keeps the heap level."""
        for name in tuple(islice(self._over(now), 4)):
            del self._marks[name]

    def _over(self, now: float) -> Iterator[str]:
        excess = len(self._marks) - self._most
        for position, (name, mark) in enumerate(self._marks.items()):
            if mark.expires_at > now and position >= excess:
                return
            yield name

    def probe(self) -> Deferred[None]:
        return succeed(None)

    def close(self) -> Deferred[None]:
        self._marks.clear()
        return succeed(None)
