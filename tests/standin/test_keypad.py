"""Which keys a <Gather> takes."""

from __future__ import annotations

import pytest

from boomerang.standin.keypad import Keys, typed


@pytest.mark.parametrize(
    ("keys", "most", "end_key", "expected"),
    [
        ("", None, "#", Keys("", "", "", ended=False)),
        ("123", None, "#", Keys("123", "123", "", ended=False)),
        ("123", 1, "#", Keys("1", "1", "23", ended=True)),
        ("123", 3, "#", Keys("123", "123", "", ended=True)),
        ("12", 3, "#", Keys("12", "12", "", ended=False)),
        ("12#34#", None, "#", Keys("12", "12#", "34#", ended=True)),
        ("12#34", 5, "#", Keys("12", "12#", "34", ended=True)),
        ("#12", None, "#", Keys("", "#", "12", ended=True)),
        ("12*3", None, "*", Keys("12", "12*", "3", ended=True)),
        ("12#", None, "", Keys("12#", "12#", "", ended=False)),
        ("12#", 2, "", Keys("12", "12", "#", ended=True)),
    ],
)
def test_typed(keys: str, most: int | None, end_key: str, expected: Keys) -> None:
    """It ends with its key or its number of keys; otherwise it takes all and waits for more."""
    assert typed(keys, most=most, end_key=end_key) == expected
