"""What the tests of the account share: the stand-in on a socket."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.fakes.twilio_api import FakeTwilio, served


@pytest.fixture
def twilio() -> Iterator[FakeTwilio]:
    """A stand-in for Twilio's API, at ``url``; it gives 4 things at once."""
    with served(FakeTwilio(page_size=4)) as fake:
        yield fake
