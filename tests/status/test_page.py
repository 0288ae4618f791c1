"""The page as it is written for people."""

from __future__ import annotations

import re

import pytest

from boomerang.status.page import PARTS, Page, clock_time, load_assets, share, span
from boomerang.status.report import HeldNow, Report
from tests.status.telling import NOON, UNKNOWN, check, report, seen, told

PAGE = Page(load_assets())
DAY = 86_400


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "-"),
        (1.0, "100 %"),
        (0.999999, "99.99 %"),
        (0.99994, "99.99 %"),
        (0.5, "50.00 %"),
        (0.0, "0.00 %"),
    ],
)
def test_share(value: float | None, shown: str) -> None:
    """What is not quite all never looks like all."""
    assert share(value) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (None, "-"),
        (-5.0, "0 s"),
        (59.9, "59 s"),
        (60.0, "1 min"),
        (3599.0, "59 min"),
        (3600.0, "1 h"),
        (DAY - 1.0, "23 h"),
        (3.5 * DAY, "3 d"),
    ],
)
def test_span(seconds: float | None, shown: str) -> None:
    """A span of time is told in its largest unit, rounded down."""
    assert span(seconds) == shown


@pytest.mark.parametrize(
    ("instant", "now", "shown"),
    [
        (None, NOON, "-"),
        (NOON, None, '<time datetime="2027-01-15T08:00:00Z">08:00:00</time>'),
        (NOON, NOON + 1.9, '<time datetime="2027-01-15T08:00:00Z">08:00:00</time>'),
        (NOON - DAY, NOON, '<time datetime="2027-01-14T08:00:00Z">2027-01-14 08:00</time>'),
    ],
)
def test_clock_time(instant: float | None, now: float | None, shown: str) -> None:
    """A time is in UTC, for people and for the script, with the day if it is not today's."""
    assert clock_time(instant, now=now) == shown


@pytest.mark.parametrize(
    ("given", "title"),
    [
        (report(), "All is well · boomerang"),
        (report(held=HeldNow(count=2_000)), "2,000 held · boomerang"),
    ],
)
def test_title(given: Report, title: str) -> None:
    """In the tab stands how many are held, else the sentence of the page."""
    assert PAGE.parts(seen(given)).title == title


def test_parts_are_the_page() -> None:
    """The page has each live part as it is sent later, so that the script finds nothing to do."""
    now = seen(report(decisions=(told(),)), checks=[check()], endpoints=(UNKNOWN,))
    page, parts = PAGE.whole(now).decode(), PAGE.parts(now)
    assert tuple(parts.html) == PARTS
    for name, html in parts.html.items():
        assert html in page, name
    assert "CA00…0001" in parts.html["decisions"]


def test_no_indentation() -> None:
    """The indentation of the templates is not sent: it is a tenth of a large page."""
    page = PAGE.whole(seen(checks=[check()])).decode()
    assert '<ul class="checks">' in page
    assert not re.search(r"^[ \t]", page, re.MULTILINE)


def test_version() -> None:
    """The files are asked for by another address once one of them has changed."""
    assets = load_assets()
    changed = {**assets, "style.css": assets["script.js"]}
    found = [
        re.findall(r"style\.css\?(\w+)", Page(each).whole(seen()).decode())
        for each in (assets, assets, changed)
    ]
    assert found[0] == found[1] != found[2]
