"""A callback as bytes: of this version, an older and a newer one."""

from __future__ import annotations

import json

import pytest

from boomerang.stores.queue_record import decode, encode
from tests.relay.callbacks import a_callback

CALLBACK = a_callback(signed_by="token 0123456789abcdef", body=b"a=1\nb=2")


def test_whole() -> None:
    """It comes out as it went in."""
    assert decode(encode(CALLBACK)) == CALLBACK


@pytest.mark.parametrize(
    ("length", "signed_by"), [(8, ""), (9, CALLBACK.signed_by), (10, CALLBACK.signed_by)]
)
def test_other_versions(length: int, signed_by: str) -> None:
    """What an older version stored ends earlier, what a newer one stored may have more."""
    head, _, body = encode(CALLBACK).partition(b"\n")
    given = [*json.loads(head), "more"][:length]
    decoded = decode(json.dumps(given).encode() + b"\n" + body)
    assert decoded == a_callback(signed_by=signed_by, body=CALLBACK.body)
