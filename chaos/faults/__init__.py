"""All faults, a family a file; each has its promise beside it."""

from __future__ import annotations

from typing import Final

from chaos.fault import Fault
from chaos.faults import clients, clock, network, process, redis, soak, sqlite, workers

FAULTS: Final[tuple[Fault, ...]] = (
    *redis.FAULTS,
    *sqlite.FAULTS,
    *process.FAULTS,
    *workers.FAULTS,
    *clock.FAULTS,
    *network.FAULTS,
    *clients.FAULTS,
    *soak.FAULTS,
)
