"""What a worker's share of the host's limits is."""

from __future__ import annotations

import pytest
from attrs import evolve

from boomerang.settings import RetrySettings, Settings
from boomerang.settings.endpoints import Endpoint
from boomerang.workers.identity import ALONE, Worker, share


def test_one_process() -> None:
    """Who is alone has everything."""
    settings = Settings()
    assert share(settings, ALONE) is settings
    assert ALONE.is_first


@pytest.mark.parametrize(
    ("most", "of", "own"), [(20_000, 4, 5000), (10, 4, 3), (1, 2, 1), (0, 2, 0)]
)
def test_held(most: int, of: int, own: int) -> None:
    """All together hold at least ``max_held`` requests, and none refuses to hold any."""
    settings = Settings(retry=RetrySettings(max_held=most))
    assert share(settings, Worker(1, of)).retry.max_held == own


@pytest.mark.parametrize(("most", "own"), [(None, None), (40, 10), (10, 3), (1, 1)])
def test_held_of_an_account(most: int | None, own: int | None) -> None:
    """So it is with those of one account."""
    settings = Settings(retry=RetrySettings(max_held_per_account=most))
    assert share(settings, Worker(1, 4)).retry.max_held_per_account == own


def test_rates() -> None:
    """An app gets no more back from several workers than from one."""
    endpoint = Endpoint(name="menu", match="/menu", release_rate=10.0)
    other = evolve(endpoint, name="other", release_rate=None)
    settings = Settings(retry=RetrySettings(release_rate=5.0), endpoint=(endpoint, other))
    found = share(settings, Worker(0, 4))
    assert found.retry.release_rate == 1.25
    assert [each.release_rate for each in found.endpoint] == [2.5, None]


def test_first() -> None:
    """One of them does what is done once."""
    assert [Worker(number, 3).is_first for number in range(3)] == [True, False, False]
