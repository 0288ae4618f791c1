"""When a check counts as not made, whoever is to notice that."""

from __future__ import annotations

from math import ceil
from typing import Final

from boomerang.settings.checks import Check

SHORTEST: Final = 300


def span_of(check: Check) -> int:
    """Seconds without a result that mean that the check is not made: three runs, at the least."""
    return max(SHORTEST, ceil(3 * check.interval))
