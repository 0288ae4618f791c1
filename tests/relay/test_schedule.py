"""What an answer means for a callback, and when it is tried again."""

from __future__ import annotations

import pytest

from boomerang.outbound import Answer, Trouble, Unreachable
from boomerang.relay.schedule import (
    LATER,
    NEVER,
    Outcome,
    Schedule,
    Verdict,
    judge,
    retry_after,
)

DELIVERED, LATE, GIVEN_UP = Verdict.DELIVERED, Verdict.LATER, Verdict.NEVER

NOW = 1_795_233_906.0  # 2026-11-21T04:05:06Z


def answered(status: int, **headers: str) -> Outcome:
    return judge(Answer(status, {k.replace("_", "-"): v for k, v in headers.items()}, b""), now=NOW)


@pytest.mark.parametrize(
    ("status", "verdict", "down"),
    [
        *[(status, DELIVERED, False) for status in (200, 201, 202, 204, 206, 226, 299)],
        *[(status, LATE, False) for status in (300, 301, 302, 303, 304, 307, 308, 399)],
        *[(status, GIVEN_UP, False) for status in (400, 405, 406, 410, 411, 413, 414, 415)],
        *[(status, GIVEN_UP, False) for status in (422, 431, 451, 501, 505)],
        *[(status, LATE, False) for status in (401, 402, 403, 404, 407, 408, 409, 418, 421)],
        *[(status, LATE, False) for status in (423, 425, 428, 499, 500, 507, 520, 599, 600)],
        *[(status, LATE, True) for status in (429, 502, 503, 504)],
    ],
)
def test_status(status: int, verdict: Verdict, down: bool) -> None:
    """Every status is classified; only some speak of the whole origin."""
    outcome = answered(status)
    assert (outcome.verdict, outcome.origin_down) == (verdict, down)
    assert outcome.last.startswith(str(status))


def test_tables() -> None:
    """No status is in both tables, and each has its reason."""
    assert not NEVER.keys() & LATER.keys()
    assert all((*NEVER.values(), *LATER.values()))
    assert all(answered(status).verdict is GIVEN_UP for status in NEVER)
    assert all(answered(status).verdict is LATE for status in LATER)


@pytest.mark.parametrize("trouble", list(Trouble))
def test_unreachable(trouble: Trouble) -> None:
    """Without an answer it is tried later; what was wrong is told, and whether all is down."""
    outcome = judge(Unreachable(trouble, "app.example.com: why"), now=NOW)
    down = trouble not in (Trouble.BODY, Trouble.PROTOCOL, Trouble.REDIRECT)
    assert outcome == Outcome(LATE, "app.example.com: why", origin_down=down)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("120", 120),
        (" 7 ", 7),
        ("0", 1),
        ("3601", 3600),
        ("9" * 400, 3600),
        ("-5", None),
        ("1.5", None),
        ("soon", None),
        ("", None),
        ("²", None),
        ("Sat, 21 Nov 2026 04:06:06 GMT", 60),
        ("Saturday, 21-Nov-26 04:06:06 GMT", 60),
        ("Sat Nov 21 04:06:06 2026", 60),
        ("Sat, 21 Nov 2026 04:00:00 GMT", 1),
        ("Sun, 21 Nov 2027 04:00:00 GMT", 3600),
        ("Sat, 99 Nov 2026 04:06:06 GMT", None),
    ],
)
def test_retry_after(header: str | None, seconds: float | None) -> None:
    """Seconds or a date in any of HTTP's forms, within bounds; what is neither is no wish."""
    assert retry_after(header, now=NOW) == seconds


def test_asked_for() -> None:
    """A Retry-After counts with whatever is tried again, and with nothing else."""
    assert answered(503, retry_after="90").after == 90
    assert answered(404, retry_after="90").after == 90
    assert answered(410, retry_after="90").after is None
    assert answered(200, retry_after="90").after is None


SCHEDULE = Schedule((1, 5, 30), 100)


@pytest.mark.parametrize(
    ("attempts", "now", "after", "jitter", "due"),
    [
        (1, 0, None, 0, 1),
        (1, 0, None, 1, 1.2),
        (2, 1, None, 0, 6),
        (2, 1, None, 0.5, 6.5),
        (3, 6, None, 0, 36),
        (4, 36, None, 0, 66),  # the last wait goes on
        (5, 66, None, 0, 96),
        (6, 96, None, 0, 100),  # one last time at the very end
        (7, 100, None, 0, None),
        (1, 0, 60, 0, 60),
        (1, 0, 60, 1, 72),
        (1, 0, 3600, 0, 100),
        (1, 5000, None, 0, 5001),  # replayed: it is old, and goes through the schedule
        (2, 5001, None, 0, 5006),
        (3, 5006, None, 0, None),
    ],
)
def test_next_due(
    attempts: int, now: float, after: float | None, jitter: float, due: float | None
) -> None:
    """What was accepted at 0 is tried as the schedule says, or as the app asks, until its end."""
    found = SCHEDULE.next_due(attempts=attempts, received_at=0, now=now, after=after, jitter=jitter)
    assert found == pytest.approx(due) if due is not None else found is None


@pytest.mark.parametrize(("give_up_after", "attempts"), [(0.5, 1), (1, 2), (5, 2), (6, 3), (99, 3)])
def test_short_patience(give_up_after: float, attempts: int) -> None:
    """Whoever gives up before the schedule ends, gives up after as many attempts as had room."""
    schedule = Schedule((1, 5, 30), give_up_after)

    def due(made: int) -> float | None:
        return schedule.next_due(attempts=made, received_at=0, now=1000, jitter=0)

    assert due(attempts) is None
    assert all(due(made) is not None for made in range(1, attempts))


def test_overdue() -> None:
    """Its time is over at the end, and not before."""
    assert not SCHEDULE.is_overdue(received_at=10, now=109.9)
    assert SCHEDULE.is_overdue(received_at=10, now=110)
