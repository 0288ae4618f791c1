"""How long Twilio waits for a URL, and how long it has to."""

from __future__ import annotations

import pytest

from boomerang.account.connections import Budget, ConnectionRule, budget_of, seconds_needed
from boomerang.settings import RetrySettings, Settings
from boomerang.settings.endpoints import Endpoint
from tests.account.resources import ACCOUNT, RETRY


def rule(
    id: str, seconds: float, *, exact: str | None = None, prefix: str | None = None
) -> ConnectionRule:
    return ConnectionRule(id, ACCOUNT, exact, prefix, seconds)


@pytest.mark.parametrize(
    ("url", "seconds"),
    [
        (RETRY, 15),
        (f"{RETRY}#", 15),
        (f"{RETRY}#rt=5000", 5),
        (f"{RETRY}#tt=9000", 9),
        (f"{RETRY}?a=b#rt=12000&tt=11000&rc=2", 11),
        (f"{RETRY}#ct=500", 15),
        (f"{RETRY}#rp=nonsense", 0),
        (f"{RETRY}#rt=99999", 15),
    ],
)
def test_fragment(url: str, seconds: float) -> None:
    """A fragment can shorten the time; one that Twilio refuses leaves none."""
    assert budget_of(url, []).seconds == seconds
    assert budget_of(url, []).fragment


HOST = "https://boomerang.example.com/"


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ([rule("a", 3, prefix=HOST)], Budget(3, "the Webhooks rule a")),
        ([rule("a", 3, prefix="https://other.example.com/")], Budget(5, "its fragment", True)),
        (
            [rule("a", 3, prefix=HOST), rule("b", 12, prefix=RETRY)],
            Budget(12, "the Webhooks rule b"),
        ),
        (
            [rule("a", 3, exact=RETRY), rule("b", 12, prefix=RETRY)],
            Budget(3, "the Webhooks rule a"),
        ),
        ([rule("a", 3, exact=f"{RETRY}/x")], Budget(5, "its fragment", True)),
    ],
)
def test_rules(rules: list[ConnectionRule], expected: Budget) -> None:
    """A rule wins over the fragment, an exact one over a prefix, a longer prefix over a shorter."""
    assert budget_of(f"{RETRY}#rt=5000", rules) == expected


@pytest.mark.parametrize(
    ("retry", "endpoints", "seconds"),
    [
        (RetrySettings(), (), 10),
        (RetrySettings(wait=0), (), 2),
        (RetrySettings(wait=4), (Endpoint(name="a", match="/a", wait=9.5),), 11.5),
        (RetrySettings(wait=4, hold_limit=60), (), 15),
        (RetrySettings(wait=4), (Endpoint(name="a", match="/a", hold_limit=6),), 8),
        (RetrySettings(wait=14), (), 15),
    ],
)
def test_needed(retry: RetrySettings, endpoints: tuple[Endpoint, ...], seconds: float) -> None:
    """Twilio has to wait as long as the longest hold and two seconds, which it does for 15 s."""
    assert seconds_needed(Settings(retry=retry, endpoint=endpoints)) == seconds
