"""What the monitor has still to write to the store, and writes as soon as the store takes it."""

from __future__ import annotations

from collections import defaultdict, deque

from boomerang.monitor.outage import Outage
from boomerang.monitor.records import Records
from boomerang.monitor.result import KEPT, Result
from boomerang.monitor.verdict import Standing


class Ledger:
    """Results, standings and outages that are not yet in the store; bounded by what is kept."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self.forget()

    def forget(self) -> None:
        """Write none of it."""
        self._results: dict[str, deque[Result]] = defaultdict(lambda: deque(maxlen=KEPT))
        self._standings: dict[str, Standing] = {}
        self._outages: dict[str, Outage] = {}

    def result(self, check: str, result: Result) -> None:
        self._results[check].append(result)

    def standing(self, check: str, standing: Standing) -> None:
        self._standings[check] = standing

    def outage(self, outage: Outage) -> None:
        self._outages[outage.check] = outage

    async def write(self) -> None:
        """Write all; what the store does not take stays, and its error is raised."""
        results, standings, outages = self._results, self._standings, self._outages
        self.forget()
        try:
            if outages:
                await self._records.note_outages(outages.values())
                outages = {}
            if standings:
                await self._records.note_standings(standings)
                standings = {}
            if results:
                await self._records.add_results(results)
                results = {}
        finally:
            self._put_back(results, standings, outages)

    def _put_back(
        self,
        results: dict[str, deque[Result]],
        standings: dict[str, Standing],
        outages: dict[str, Outage],
    ) -> None:
        """What was not written comes before what has been added meanwhile."""
        for check, old in results.items():
            old.extend(self._results[check])
            self._results[check] = old
        self._standings = {**standings, **self._standings}
        self._outages = {**outages, **self._outages}
