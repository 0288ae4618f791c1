"""The status page in each state that there is, as people see it in a browser."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from attrs import frozen
from playwright.sync_api import Browser, expect

from tests.integration.daemon import Daemon
from tests.status import browser_scenes as scenes
from tests.status.browser import NARROW, WIDE, Window

Numbers = tuple[tuple[str, str], ...]


@frozen
class State:
    """What a daemon is in, and what the page has to say of it.

    ``numbers`` are texts, each with the selector of where it stands.
    """

    scene: Callable[[Path], AbstractContextManager[Daemon]]
    level: str
    sentence: str
    numbers: Numbers
    title: str = ""


STATES = (
    State(
        scenes.storm,
        "warn",
        "Callers get their second chance: 2,000 held now",
        (("#held", "2,000 requests are held"), ("#instances", "2,000")),
        title="2,000 held",
    ),
    State(
        scenes.all_well,
        "good",
        "All is well",
        (
            ("#held", "0 requests are held"),
            ("#hour", "0 lost"),
            ("#checks .level-0", "up network"),
            ("#checks .level-1", "up app"),
            ("#endpoints", "/voice/:step"),
            ("#decisions", "No decision yet."),
        ),
    ),
    State(
        scenes.app_down,
        "bad",
        "app is down",
        (
            (".also", "Callers get the last resort instead of the app: 5 in the last 5 minutes"),
            ("#hour", "5 apologised"),
            ("#checks .level-0", "status: answered 503"),
            ("#checks .level-1", "Because of app."),
            ("#circuits", "open 127.0.0.1"),
            ("#decisions", "apology"),
            ("#endpoints", "apology"),
        ),
    ),
    State(
        scenes.degraded,
        "warn",
        "Callers get their second chance",
        (
            (".also", "The store does not answer: decisions are made from memory"),
            (".also", "What is shown is this process alone"),
            ("#instances", "store not well since"),
            ("#decisions", "attempt 1, degraded"),
        ),
    ),
    State(
        scenes.dead_letters,
        "warn",
        "Status callbacks are dead letters: 3 were given up",
        (("#relay .dead", "3"), ("#relay", "boomerang relay list --state dead")),
    ),
    State(
        scenes.account_gaps,
        "warn",
        "Not all of the account points here: gaps at Twilio: 1 missing",
        (
            ("#checks", "warning twilio-account"),
            ("#checks", "gaps at Twilio: 1 missing"),
        ),
    ),
)


@frozen
class Shown:
    """A state, and a window in which it is shown."""

    state: State
    window: Window

    @property
    def name(self) -> str:
        return self.state.scene.__name__


@pytest.fixture(scope="module", params=STATES, ids=lambda state: state.scene.__name__)
def shown(
    request: pytest.FixtureRequest, browser: Browser, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Shown]:
    """Each state in turn; the storm is over after some seconds, but the page is not."""
    state: State = request.param
    with state.scene(tmp_path_factory.mktemp(state.scene.__name__)) as daemon:
        window = Window(browser).open(daemon.port)
        yield Shown(state, window)
        window.close()
    assert window.complaints == []


def test_what_it_says(shown: Shown) -> None:
    """One sentence in one colour says what is the case, and the numbers stand where they belong."""
    page, state = shown.window.page, shown.state
    expect(page.locator(".headline h1")).to_contain_text(state.sentence)
    expect(page.locator(".headline")).to_have_class(f"headline {state.level}")
    for selector, text in state.numbers:
        expect(page.locator(selector).first).to_contain_text(text, use_inner_text=True)
    expect(page).to_have_title(re.compile(f"{state.title or state.sentence}.* · boomerang"))
    icon = page.locator("#icon")
    expect(icon).to_have_attribute("href", f"/status/assets/{state.level}.svg")


@pytest.mark.parametrize(("width", "colours"), [(WIDE, "light"), (NARROW, "dark")])
def test_barriers(shown: Shown, width: int, colours: str) -> None:
    """Nobody is kept from reading it: axe finds nothing serious, contrast included."""
    assert shown.window.looks(width=width, colours=colours).barriers() == []


@pytest.mark.parametrize("width", [NARROW, 700, WIDE])
def test_width(shown: Shown, width: int) -> None:
    """Nothing reaches beyond the window's edge, down to the narrowest telephone."""
    for colours in ("light", "dark"):
        shown.window.looks(width=width, colours=colours).shoot(f"{shown.name}-{width}-{colours}")
    assert shown.window.too_wide() == []


def test_print(shown: Shown) -> None:
    """On paper all of it is there, in light colours."""
    page = shown.window.looks(width=720, colours="dark").page
    page.emulate_media(media="print")
    for section in page.locator("section").all():
        expect(section).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 720
    paper = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    assert paper == "rgb(255, 255, 255)"
    page.emulate_media(media="screen")
