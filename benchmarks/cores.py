"""Which cores servers run on and which their drivers, so that neither takes the other's time."""

import os
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager

import attrs

_AVAILABLE = tuple(sorted(os.sched_getaffinity(0)))  # at the start: `only_on` has fewer


@attrs.frozen
class Cores:
    """The cores of the servers, and those of the drivers and of Redis."""

    servers: frozenset[int]
    drivers: frozenset[int]

    @property
    def apart(self) -> bool:
        """Whether servers and drivers have cores of their own."""
        return not self.servers & self.drivers


def split(cores: Sequence[int], *, wanted: int) -> Cores:
    """The first cores for so many server processes, the rest for drivers; all for all if none is
    left."""
    servers, drivers = frozenset(cores[:wanted]), frozenset(cores[wanted:])
    return Cores(servers, drivers) if drivers else Cores(frozenset(cores), frozenset(cores))


def cores(wanted: int = 1) -> Cores:
    """The cores that this run may use, split."""
    return split(_AVAILABLE, wanted=wanted)


def share(cores: Collection[int], number: int, *, of: int) -> frozenset[int]:
    """One of so many equal parts, counted from 0."""
    return frozenset(sorted(cores)[number::of])


@contextmanager
def only_on(chosen: Collection[int]) -> Iterator[None]:
    """What is started within the block runs on these cores only."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, chosen or before)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
