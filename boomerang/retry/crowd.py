"""Whose requests are held, and who has more than a fair share of the places."""

from __future__ import annotations

from typing import Final

from twisted.logger import Logger

FULL: Final = "full"
SHARE: Final = "share"
ACCOUNT: Final = "account"
"""Why a request is not held: no place is left; few are, and its party has its share of them; its
party has as many as one may have. Words for logs and metrics."""

NEARLY: Final = 0.75
"""The part of all places up to which anyone may take any; beyond it shares count."""

KEPT_FREE: Final = 0.1
"""The part of all places that is for parties who have less than that, once there are several."""


class Crowd:
    """Counts what is held of each party, at no cost that grows with the number of either.

    A party is an account, or an address where requests are not signed. As long as there has been
    but one it may have all ``most`` places. From then on some are kept free for those who have few,
    whoever else storms; of two that want more than the others, each gets half. ``most_each`` is how
    many one party may have at any time. Who came in vain and has no place at all is counted with
    those that have some, so that the next place is not the storm's again. What is written of it is
    one line when requests begin to be turned away, and one when half of the places are free again.
    """

    _log = Logger(namespace="boomerang.retry")

    def __init__(self, *, most: int, most_each: int) -> None:
        self._most = most
        self._most_each = most_each
        self._nearly = int(most * NEARLY)
        self._kept_free = 0  # as long as there is but one party
        self._first: str | None = None
        self._held: dict[str, int] = {}
        self._total = 0
        self._in_vain: set[str] = set()
        self._turned_away = 0
        self._over: dict[str, int] = {}

    def __len__(self) -> int:
        return self._total

    def why_not(self, party: str) -> str:
        """Why another request of this party is not to be held, empty if it may be."""
        if self._total >= self._most:
            return FULL
        own = self._held.get(party, 0)
        if own >= self._most_each:
            return ACCOUNT
        if self._total < self._nearly:
            return ""
        shared = self._most - self._kept_free
        if self._total >= shared and own >= self._kept_free:
            return SHARE
        parties = len(self._held) + len(self._in_vain)
        return SHARE if own * parties >= shared else ""

    def enter(self, party: str) -> None:
        if party != self._first:
            self._meet(party)
        self._held[party] = self._held.get(party, 0) + 1
        self._total += 1
        if self._in_vain:
            self._in_vain.discard(party)

    def leave(self, party: str) -> None:
        own = self._held[party] - 1
        self._total -= 1
        if own:
            self._held[party] = own
        else:
            del self._held[party]
        if self._over and 2 * own <= self._most_each:
            self._under(party)
        if self._turned_away and 2 * self._total <= self._most:
            self._log.info(
                "half of the places are free again; {turned_away} requests were not held",
                turned_away=self._turned_away,
            )
            self._turned_away = 0
            self._in_vain.clear()

    def turned_away(self, party: str, why: str) -> None:
        """A request of the party was not held, for one of the reasons above."""
        self._meet(party)
        if why == ACCOUNT:
            self._over[party] = self._over.get(party, 0) + 1
            if self._over[party] == 1:
                self._log.warn(
                    "{party} has {most} requests held, as many as one may have: its others are"
                    " redirected at once (retry.max_held_per_account)",
                    party=party,
                    most=self._most_each,
                )
            return
        if party not in self._held and len(self._in_vain) < self._most:
            self._in_vain.add(party)
        self._turned_away += 1
        if self._turned_away == 1:
            self._log.warn(
                "{held} of {most} requests are held, of {parties} parties: those of {party}, which"
                " has {own}, are redirected at once, and so are others that have their share",
                held=self._total,
                most=self._most,
                parties=len(self._held),
                party=party or "-",
                own=self._held.get(party, 0),
            )

    def _meet(self, party: str) -> None:
        if self._first is None:
            self._first = party
        elif party != self._first:
            self._kept_free = int(self._most * KEPT_FREE)

    def _under(self, party: str) -> None:
        turned_away = self._over.pop(party, 0)
        if turned_away:
            self._log.info(
                "{party} has half as many requests held as one may have, or fewer;"
                " {turned_away} were not held",
                party=party,
                turned_away=turned_away,
            )
