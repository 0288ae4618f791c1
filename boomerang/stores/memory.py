"""Claims in the process's own memory: for ``memory:``, and for every store that is not there."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime

from boomerang.stores.interfaces import Claim, Failure, Marked
from boomerang.stores.marks import Mark, count_failure, released


class MemoryStore:
    """A `ClaimStore` that forgets with the process.

    ``most`` bounds the number of marks; beyond it the oldest are forgotten first. Each takes
    about 400 bytes, and a failure leaves two of them.
    """

    def __init__(self, clock: IReactorTime, *, most: int = 200_000) -> None:
        self._clock = clock
        self._most = most
        # In the order of their expiry. A plain dict remembers the places of what was deleted at its
        # front: with 200,000 marks looking for the oldest would take 200 µs.
        self._marks: OrderedDict[str, Mark] = OrderedDict()

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
        name, call_name = failure.identity, failure.call
        known, known_call = marks.get(name), marks.get(call_name or "")
        mark, call_mark, claim = count_failure(failure, identity=known, call=known_call, now=now)
        if mark is not None and mark is not known:
            self._put(name, mark)
        if call_mark is not None and call_mark is not known_call and call_name is not None:
            self._put(call_name, call_mark)
        self._forget_oldest(now)
        return claim

    def release(self, marked: Sequence[Marked]) -> Deferred[None]:
        self.release_now(marked)
        return succeed(None)

    def release_now(self, marked: Sequence[Marked]) -> None:
        now = self._clock.seconds()
        for each in marked:
            if each.identity in self._marks:
                self._marks[each.identity] = released(self._marks[each.identity], now=now)

    def attempts(self, marked: Sequence[Marked]) -> Deferred[Sequence[int]]:
        return succeed(self.attempts_now(marked))

    def attempts_now(self, marked: Sequence[Marked]) -> list[int]:
        now = self._clock.seconds()
        found = (self._marks.get(each.identity) for each in marked)
        return [mark.count if mark and mark.expires_at > now else 0 for mark in found]

    def _put(self, name: str, mark: Mark) -> None:
        """One that is made anew is the last to expire."""
        if mark.count == 1 and name in self._marks:
            del self._marks[name]
        self._marks[name] = mark

    def _forget_oldest(self, now: float) -> None:
        """Two marks come with a claim at most, so looking at four keeps the heap level."""
        marks = self._marks
        for _ in range(4):
            oldest = next(iter(marks.values()), None)
            if oldest is None or (oldest.expires_at > now and len(marks) <= self._most):
                return
            marks.popitem(last=False)

    def probe(self) -> Deferred[None]:
        return succeed(None)

    def close(self) -> Deferred[None]:
        self._marks.clear()
        return succeed(None)
