"""``[relay]``."""

from __future__ import annotations

import pytest

from boomerang.settings import InvalidSettings, Sources, load_settings
from boomerang.settings.relay import RelaySettings, spans


def test_defaults() -> None:
    """Without a word, callbacks are tried for a day, after a second at first."""
    relay = load_settings(Sources()).relay
    assert relay == RelaySettings()
    assert relay.schedule == (1, 5, 30, 120, 600, 3600)
    assert relay.give_up_after == 86400


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("1", (1.0,)),
        ("1, 5,30s", (1.0, 5.0, 30.0)),
        ("2min,2m,1h,1d,0.5s", (120.0, 120.0, 3600.0, 86400.0, 0.5)),
        ([1, 2.5, "10 min"], (1.0, 2.5, 600.0)),
        (7, (7.0,)),
    ],
)
def test_spans(written: object, meant: tuple[float, ...]) -> None:
    """Spans are seconds, or have a unit; several stand in a list or between commas."""
    assert spans()(written) == meant


@pytest.mark.parametrize(
    "written",
    [
        *("", [], "soon", "1y", "-1", 0, "0", "0.01", 86401, "2d", True, [True], None, [1] * 51),
        *(float("nan"), float("inf"), "1e3", {"a": 1}),
    ],
)
def test_no_spans(written: object) -> None:
    """What is no span, or none that makes sense, is refused with what was expected."""
    with pytest.raises(ValueError, match=r"spans like 1, 30s, 2min, 1h"):
        spans()(written)


def test_sources() -> None:
    """The file and the environment say the same."""
    file = '[relay]\nschedule = [1, "2s"]\ngive_up_after = 60\nconcurrency = 5\nper_origin = 2\n'
    file += "timeout = 3\nretention = 61\nmost = 7\nmost_bytes = 65536\n"
    environment = {
        "BOOMERANG_RELAY_SCHEDULE": "1,2s",
        "BOOMERANG_RELAY_GIVE_UP_AFTER": "60",
        "BOOMERANG_RELAY_CONCURRENCY": "5",
        "BOOMERANG_RELAY_PER_ORIGIN": "2",
        "BOOMERANG_RELAY_TIMEOUT": "3",
        "BOOMERANG_RELAY_RETENTION": "61",
        "BOOMERANG_RELAY_MOST": "7",
        "BOOMERANG_RELAY_MOST_BYTES": "65536",
    }
    expected = RelaySettings((1.0, 2.0), 60, 5, 2, 3, 61, 7, 65536)
    assert load_settings(Sources(file=file)).relay == expected
    assert load_settings(Sources(environment=environment)).relay == expected


def test_wrong() -> None:
    """Each wrong one is named, with what was expected."""
    with pytest.raises(InvalidSettings) as error:
        load_settings(Sources(file="[relay]\nschedule = []\nconcurrency = 0\n"))
    assert len(error.value.problems) == 2
