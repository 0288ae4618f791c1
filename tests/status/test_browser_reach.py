"""The status page for everybody: with a keyboard, without a script, with a password, and nobody
else's words taken for markup."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from time import time
from urllib.parse import quote
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import expect

from boomerang.status.report import Report
from tests.integration.daemon import Daemon, Daemons, ended
from tests.integration.twilio import FailedCall
from tests.servers import RedisServer
from tests.status.browser import NARROW, Window
from tests.status.browser_calls import hold, rescue
from tests.status.browser_large import CHECKS, ENDPOINTS, large
from tests.status.browser_scenes import configured, tell_of

Windows = Callable[..., Window]

MOST_BYTES = 100_000
"""Of the page and all its files together."""

MARKUP = "<script>alert(1)</script>"
IMAGE = "<img src=x onerror=alert(2)>"


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A daemon that has decided about fifty calls, and has a check."""
    with ended(Daemons(tmp_path_factory.mktemp("reach"))) as daemons:
        check = '[[check]]\nname = "nobody"\nurl = "tcp://127.0.0.1:1"\nkind = "tcp"\n'
        daemon = configured(daemons, check, wait=0.1)
        for each in hold(daemon, 50):
            each.reply()
        yield daemon


@pytest.mark.parametrize("width", [1280, NARROW])
def test_keyboard(daemon: Daemon, window: Windows, width: int) -> None:
    """Tab leads to each link and each region that scrolls, in their order, and shows where."""
    page = window(width=width).open(daemon.port).page
    wanted = page.evaluate("document.querySelectorAll('a[href], [tabindex=\"0\"]').length")
    reached = []
    for _ in range(wanted):
        page.keyboard.press("Tab")
        reached.append(page.evaluate(FOCUSED))
    assert [place for place, _ in reached] == list(range(wanted))
    assert [outline for _, outline in reached] == ["solid"] * wanted


FOCUSED = """() => {
  const all = [...document.querySelectorAll('a[href], [tabindex="0"]')];
  const outline = getComputedStyle(document.activeElement).outlineStyle;
  return [all.indexOf(document.activeElement), outline === "auto" ? "solid" : outline];
}"""


def test_skip_link(daemon: Daemon, window: Windows) -> None:
    """The first Tab shows a link that leads past the header."""
    page = window().open(daemon.port).page
    page.keyboard.press("Tab")
    skip = page.get_by_role("link", name="To the content")
    expect(skip).to_be_focused()
    expect(skip).to_be_in_viewport()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()


def test_tables_on_a_telephone(daemon: Daemon, window: Windows) -> None:
    """Tables that look like cards are still tables to a screen reader."""
    page = window(width=NARROW).open(daemon.port).page
    table = page.get_by_role("table", name="The last decisions")
    expect(table.get_by_role("columnheader")).to_have_count(7)
    expect(table.get_by_role("row")).to_have_count(51)
    expect(table.get_by_role("row").nth(1).get_by_role("cell")).to_have_count(7)


def test_without_script(daemon: Daemon, window: Windows) -> None:
    """Without JavaScript it is a whole page, whose times are named as UTC."""
    page = window(java_script_enabled=False).open(daemon.port).page
    expect(page.locator("h1")).to_be_visible()
    expect(page.locator("#decisions tr")).to_have_count(50)
    expect(page.locator("#freshness")).to_contain_text("UTC; load the page again for news")


def test_own_files(daemon: Daemon, window: Windows) -> None:
    """All comes from boomerang, and none of it is refused."""
    seen = window()
    with seen.page.expect_response("**/style.css*"), seen.page.expect_response("**/script.js*"):
        seen.open(daemon.port)
    expect(seen.page.locator("#freshness")).not_to_contain_text("UTC")
    origin = f"http://127.0.0.1:{daemon.port}/"
    assert [url for url in seen.asked if not url.startswith(origin)] == []
    assert [each.url for each in seen.answers if each.status != 200] == []


def test_bytes(window: Windows, tmp_path: Path) -> None:
    """The page of a call centre in a storm, with all its files, takes less than 100 kB."""
    with large(tmp_path) as daemon:
        seen = window()
        with seen.page.expect_response("**/style.css*"), seen.page.expect_response("**/script.js*"):
            seen.open(daemon.port)
        page = seen.page
        expect(page.locator("#checks .check")).to_have_count(CHECKS)
        expect(page.locator("#checks .line path:nth-child(2)")).to_have_count(CHECKS)
        expect(page.locator("#hour .pointed path")).to_have_count(60)
        expect(page.locator("#endpoints tr:has(.decision)")).to_have_count(ENDPOINTS)
        expect(page.locator("#decisions tr")).to_have_count(50)
        seen.shoot("large")
        files = [each for each in seen.answers if not each.url.endswith("/status/live")]
        sizes = [each.request.sizes() for each in files]
        heads = sum(each["responseHeadersSize"] for each in sizes)
        assert heads + sum(each["responseBodySize"] for each in sizes) < MOST_BYTES


def test_markup(daemons: Daemons, window: Windows) -> None:
    """What strangers send, and what stands in the store, is shown as text."""
    store = daemons.directory / "store.db"
    tell_of(store, Report(f"{MARKUP}", f"{IMAGE}/1", MARKUP, started=time(), at=time()))
    daemon = daemons.start(store=f"sqlite:{store}", wait=0.1)
    url = f"https://app.example.com/{quote(IMAGE)}"
    rescue(daemon, FailedCall(sid=MARKUP, error_url=url))
    rescue(daemon, FailedCall(sid="<b>1</b>", error_url=url))
    page = window().open(daemon.port).page
    expect(page.locator("#freshness")).not_to_contain_text("UTC")
    expect(page.locator("#decisions")).to_contain_text("<b>1</b>")
    expect(page.locator("#instances")).to_contain_text(f"{IMAGE}/1")
    expect(page.locator("#instances")).to_contain_text(MARKUP)
    expect(page.locator("main :is(script, img, b)")).to_have_count(0)
    expect(page.locator("script")).to_have_count(1)


def test_times(daemons: Daemons, window: Windows) -> None:
    """Times are the reader's own, with the day if that is another than today."""
    store, now = daemons.directory / "store.db", time()
    started = datetime.fromtimestamp(now - 3 * 86_400, UTC)
    tell_of(store, Report("old", "old", "0.1.0", started=started.timestamp(), at=now))
    daemon = daemons.start(store=f"sqlite:{store}")
    old = "#instances tr:has-text('old') .started"

    plain = window(java_script_enabled=False).open(daemon.port).page
    expect(plain.locator(old)).to_have_text(started.strftime("%Y-%m-%d %H:%M"))

    page = window(timezone_id="Asia/Tokyo", locale="en-GB").open(daemon.port).page
    there = started.astimezone(ZoneInfo("Asia/Tokyo"))
    expect(page.locator(old)).to_have_text(f"{there.day} {there:%b}, {there:%H:%M}")
    expect(page.locator("#instances .started").last).to_have_text(re.compile(r"^\d\d:\d\d:\d\d$"))


def test_two_instances(daemons: Daemons, window: Windows) -> None:
    """Of several instances on one Redis, the page of one shows what all of them hold and decide."""
    with RedisServer(daemons.directory) as redis:
        one, other = (daemons.start(store=redis.url(), wait=6) for _ in range(2))
        held = [*hold(one, 1), *hold(other, 4)]
        rescue(other, FailedCall(error_code="12100", error_url="https://app.example.com/other"))
        page = window().open(one.port).page
        expect(page.locator("#held")).to_contain_text("5 requests are held")
        expect(page.locator("#instances tr")).to_have_count(2)
        expect(page.locator("#decisions")).to_contain_text("app.example.com/other")
        for caller in held:
            caller.close()


def test_login(daemons: Daemons, window: Windows) -> None:
    """With a password, whoever has it sees the page and its news, and nobody else anything."""
    login = '[status]\nuser = "ops"\npassword = "secret words"\n'
    daemon = configured(daemons, login, wait=0.1)
    stranger = window()
    for path in ("", "/live", "/parts", "/assets/style.css", ".json"):
        answer = stranger.page.request.get(f"http://127.0.0.1:{daemon.port}/status{path}")
        assert (answer.status, "boomerang" in answer.text()) == (401, False), path
    page = (
        window(http_credentials={"username": "ops", "password": "secret words"})
        .open(daemon.port)
        .page
    )
    expect(page.locator("#decisions")).to_contain_text("No decision yet.")
    rescue(daemon, FailedCall(error_url="https://app.example.com/news"))
    expect(page.locator("#decisions")).to_contain_text("app.example.com/news", timeout=3000)
