"""The status page in a real browser: opens it, and notes what goes wrong on the way."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, Response, expect, sync_playwright

WIDE: Final = 1280
NARROW: Final = 360
"""Widths of the window, in pixels: a desk's, and the narrowest telephone's."""

_HEIGHT: Final = 800

_SHOTS: Final = os.environ.get("SHOTS")
"""A directory for screenshots of what is tested, for people to look at."""

_BAD_ENOUGH: Final = ("serious", "critical")

expect.set_options(timeout=10_000)


@contextmanager
def chromium() -> Iterator[Browser]:
    """Debian's Chromium, without a window."""
    with sync_playwright() as tools:
        browser = tools.chromium.launch(
            executable_path=shutil.which("chromium"),
            args=["--no-sandbox"] if os.getuid() == 0 else [],
        )
        yield browser
        browser.close()


class Window:
    """A page in a window of its own.

    ``asked`` are the URLs of all requests, ``answers`` what came back. ``complaints`` are errors of
    the script and of the Content-Security-Policy, and dialogs that popped up.
    """

    def __init__(self, browser: Browser, **about: Any) -> None:
        size = {"width": about.pop("width", WIDE), "height": _HEIGHT}
        self.context = browser.new_context(viewport=size, **about)  # type: ignore[arg-type]
        self.page: Page = self.context.new_page()
        self.asked: list[str] = []
        self.answers: list[Response] = []
        self.complaints: list[str] = []
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("response", lambda answer: self.answers.append(answer))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("console", lambda each: self._hear(each.type, each.text))
        self.page.on("dialog", lambda dialog: self.complaints.append(f"dialog: {dialog.message}"))

    def _hear(self, kind: str, text: str) -> None:
        """What could not be loaded is among the answers, or is meant not to be."""
        if kind in ("error", "warning") and not text.startswith("Failed to load resource"):
            self.complaints.append(text)

    def open(self, port: int) -> Window:
        self.page.goto(f"http://127.0.0.1:{port}/status")
        return self

    def close(self) -> None:
        self.context.close()

    def looks(self, *, width: int, colours: str) -> Window:
        """Another width, and light or dark colours."""
        self.page.set_viewport_size({"width": width, "height": _HEIGHT})
        self.page.emulate_media(color_scheme=colours)  # type: ignore[arg-type]
        return self

    def shoot(self, name: str) -> None:
        """A screenshot of all of it, if they are wanted."""
        if _SHOTS is not None:
            self.page.screenshot(path=Path(_SHOTS, f"{name}.png"), full_page=True)

    def barriers(self) -> list[str]:
        """What axe finds that keeps people from using the page."""
        found = Axe().run(self.page).response["violations"]
        return [
            f"{each['id']}: {node['html'][:200]} {node.get('failureSummary', '')}"
            for each in found
            if each["impact"] in _BAD_ENOUGH
            for node in each["nodes"]
        ]

    def too_wide(self) -> list[str]:
        """The elements that reach beyond the window's right edge, unless they can be scrolled."""
        found: list[str] = self.page.evaluate(_TOO_WIDE)
        return found


_TOO_WIDE: Final = """() => {
  const edge = document.documentElement.clientWidth;
  const beyond = [...document.querySelectorAll("body *")].filter(
    (each) => each.getBoundingClientRect().right > edge + 0.5 && !each.closest(".scroll"));
  const names = beyond.map((each) => `${each.tagName}.${each.getAttribute("class")}`);
  const page = document.documentElement.scrollWidth;
  return page > edge ? [`the page: ${page} > ${edge}`, ...names] : names;
}"""
