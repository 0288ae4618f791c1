"""The browser, and windows of it, for the tests of the page."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.integration.daemon import Daemons, ended
from tests.status.browser import Window, chromium


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """One browser for all, which takes a second to start."""
    with chromium() as browser:
        yield browser


@pytest.fixture
def window(browser: Browser) -> Iterator[Callable[..., Window]]:
    """Opens windows that close with the test, which fails if one of them had to complain."""
    windows: list[Window] = []

    def opened(**about: Any) -> Window:
        windows.append(Window(browser, **about))
        return windows[-1]

    yield opened
    for each in windows:
        each.close()
    assert [each.complaints for each in windows if each.complaints] == []


@pytest.fixture
def daemons(tmp_path: Path) -> Iterator[Daemons]:
    """Daemons that end with the test, which fails if one of their logs speaks of a bug."""
    with ended(Daemons(tmp_path)) as daemons:
        yield daemons
