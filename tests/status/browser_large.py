"""The status page of a call centre in a storm, with all there is room for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from time import time
from typing import Any, Final

from boomerang.monitor.result import KEPT, Reason, Result
from boomerang.status.report import HOUR, TOLD, TOLD_OF_ENDPOINT, Minute, Report, Told
from tests.integration.daemon import Daemon, Daemons, ended
from tests.status.browser_scenes import configured, note, tell_of
from tests.status.telling import told

CHECKS: Final = 60
ENDPOINTS: Final = 40

_CHECK: Final = """
[[check]]
name = "service-{0}"
url = "tcp://127.0.0.1:1"
kind = "tcp"
interval = 3600
{1}
"""
_ENDPOINT: Final = """
[[endpoint]]
name = "endpoint-{0}"
match = "/campaigns/:id/{0}/gather"
fallback = "apology"
"""
_WAYS: Final = (("retry", "saved"), ("retry", "lost"), ("retry", ""), ("fallback", ""))


@contextmanager
def large(directory: Path) -> Iterator[Daemon]:
    """A daemon whose store is full of what others have found and decided.

    All is as ragged as it comes: what is level would take fewer bytes.
    """
    random, now, store = Random(7), time(), directory / "store.db"
    note(store, {f"service-{number}": _results(random, now) for number in range(CHECKS)})
    tell_of(store, _report(random, now))
    settings = [_ENDPOINT.format(number) for number in range(ENDPOINTS)]
    for number in range(CHECKS):
        above = f'depends_on = "service-{number % 10}"' if number >= 10 else ""
        settings.append(_CHECK.format(number, above))
    with ended(Daemons(directory)) as daemons:
        yield configured(daemons, "".join(settings), store=f"sqlite:{store}")


def _results(random: Random, now: float) -> list[Result]:
    """One run in twenty has failed."""
    usual = random.uniform(0.03, 3.0)
    return [
        Result(
            at=now - 30 * (KEPT - index),
            seconds=random.lognormvariate(0, 0.8) * usual,
            reason=Reason.STATUS if random.random() < 0.05 else None,
            certificate_expires=now + 90 * 86_400,
        )
        for index in range(KEPT)
    ]


def _report(random: Random, now: float) -> Report:
    return Report(
        instance="other-instance",
        name="other",
        version="1.0",
        started=now - 600,
        at=now,
        minutes={
            int(now // 60) - ago: Minute(*(random.randrange(most) for most in (2000, 300, 30)))
            for ago in range(-2, HOUR)  # it takes a moment until the page is seen
        },
        decisions=tuple(_told(random, now) for _ in range(TOLD)),
        failures={
            f"endpoint-{number}": tuple(_told(random, now) for _ in range(TOLD_OF_ENDPOINT))
            for number in range(ENDPOINTS)
        },
    )


def _told(random: Random, now: float) -> Told:
    decision, outcome = random.choice(_WAYS)
    more: dict[str, Any] = {
        "decision": decision,
        "outcome": outcome,
        "url": f"app.example.com/campaigns/{random.randrange(10_000)}/gather/step",
        "endpoint": f"endpoint-{random.randrange(ENDPOINTS)}",
        "sid": f"CA{random.randrange(256):02x}…{random.randrange(65_536):04x}",
        "held": random.uniform(0, 8),
    }
    return told(now - random.uniform(0, 3600), **more)
