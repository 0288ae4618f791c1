"""The status page stays up to date while it is looked at, and says when it cannot."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from playwright.sync_api import Page, Route, expect

from tests.integration.daemon import COMMAND, Daemon, Daemons, eventually
from tests.integration.twilio import FailedCall
from tests.servers import free_port
from tests.status.browser import Window
from tests.status.browser_calls import rescue

Windows = Callable[..., Window]

SOON = 3000
"""Milliseconds until news must be seen."""

OLD_AFTER = 10_000
ASK_EVERY = 5_000
TRY_STREAM_EVERY = 30_000
"""Milliseconds, as in the script."""


def failed(name: str) -> FailedCall:
    return FailedCall(error_url=f"https://app.example.com/{name}")


def expect_decision(page: Page, name: str, *, within: float = SOON) -> None:
    expect(page.locator("#decisions")).to_contain_text(f"app.example.com/{name}", timeout=within)


def test_news(daemons: Daemons, window: Windows) -> None:
    """A failure is seen within seconds; what it does not change stays as it was, to the node."""
    daemon = daemons.start(wait=0.1)
    rescue(daemon, failed("before"))
    page = window().open(daemon.port).page
    page.wait_for_load_state()
    expect_decision(page, "before")
    page.evaluate(KEEP)
    page.locator(".scroll").first.focus()
    page.evaluate("scrollTo(0, 250)")

    rescue(daemon, failed("now"))

    expect_decision(page, "now")
    expect(page.locator("#decisions tr")).to_have_count(2)
    assert page.evaluate("kept.filter((each) => !each.isConnected).length") == 0
    assert page.evaluate("scrollY") == 250
    expect(page.locator(".scroll").first).to_be_focused()
    assert page.evaluate("String(getSelection())") == "Held now"


KEEP = """() => {
  window.kept = [...document.querySelectorAll("section, h2, #relay *, #decisions tr, #held svg")];
  getSelection().selectAllChildren(document.getElementById("held-title"));
}"""


def test_no_chatter(daemons: Daemons, window: Windows) -> None:
    """A screen reader is told when it gets worse or better, not of each number."""
    daemon = daemons.start(wait=0.1)
    page = window().open(daemon.port).page
    spoken = page.locator("[role=status]")
    expect_level(page, "good")
    expect(spoken).to_be_empty()
    rescue(daemon, failed("one"))
    expect(spoken).to_contain_text("Callers get their second chance", timeout=SOON)
    page.evaluate("document.querySelector('[role=status]').textContent = 'as before'")
    rescue(daemon, failed("two"))
    expect_decision(page, "two")
    expect(spoken).to_have_text("as before")


def expect_level(page: Page, level: str) -> None:
    expect(page.locator("#icon")).to_have_attribute("href", f"/status/assets/{level}.svg")


def launched(daemons: Daemons, store: Path, port: int) -> Daemon:
    """A daemon that can be started once more at the same port."""
    listen = f"tcp:{port}:interface=127.0.0.1"
    options = ("--listen", listen, "--store", f"sqlite:{store}", "--retry-wait", "0.1")
    return daemons.launch(*COMMAND, *options).wait_until_ready()


def test_lost_connection(daemons: Daemons, window: Windows) -> None:
    """When boomerang is gone the page says that it is old; once it is back, so is all it knew."""
    store, port = daemons.directory / "store.db", free_port()
    daemon = launched(daemons, store, port)
    rescue(daemon, failed("before"))
    seen = window()
    page = seen.page
    page.clock.install()
    seen.open(port)
    expect_decision(page, "before")
    eventually(lambda: "/before" in written(store))

    daemon.kill()
    freshness = page.locator("#freshness")
    page.clock.fast_forward(OLD_AFTER // 2)
    expect(freshness).to_have_text(re.compile("^as of"))
    page.clock.fast_forward(OLD_AFTER // 2 + 2000)
    expect(freshness).to_contain_text("Connection lost", timeout=SOON)
    expect(page.locator("[role=status]")).to_contain_text("Connection lost")
    expect(page).to_have_title("Connection lost · boomerang")
    expect_level(page, "warn")
    assert seen.barriers() == []
    seen.shoot("lost-connection")

    rescue(launched(daemons, store, port), failed("after"))

    expect_decision(page, "after", within=10_000)
    expect_decision(page, "before")
    expect(freshness).to_have_text(re.compile("^as of"))
    expect(page).not_to_have_title(re.compile("Connection lost"))
    expect(page.locator("#instances tr")).to_have_count(2)


def written(store: Path) -> str:
    """What stands in the store for other processes."""
    with closing(sqlite3.connect(store)) as connection:
        return str(connection.execute("SELECT value FROM notes").fetchall())


def test_polling(daemons: Daemons, window: Windows) -> None:
    """Where no stream comes through the page asks now and then, and tries a stream again later."""
    daemon = daemons.start(wait=0.1)
    seen = window()
    page = seen.page
    refused: list[str] = []

    def refuse(route: Route) -> None:
        refused.append(route.request.url)
        route.fulfill(status=503)

    page.route("**/status/live", refuse)
    page.clock.install()
    with page.expect_response("**/status/live"):
        seen.open(daemon.port)
    rescue(daemon, failed("one"))
    page.clock.fast_forward(ASK_EVERY)
    expect_decision(page, "one")
    assert any(url.endswith("/status/parts") for url in seen.asked)

    page.unroute("**/status/live")
    with page.expect_response(lambda answer: answer.url.endswith("/live") and answer.ok):
        page.clock.fast_forward(TRY_STREAM_EVERY)
    rescue(daemon, failed("two"))
    expect_decision(page, "two")
    assert len(refused) == 1
