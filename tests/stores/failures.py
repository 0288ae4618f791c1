"""Failures for the stores to count."""

from __future__ import annotations

from boomerang.stores.interfaces import Failure


def failure(identity: str = "identity", call: str = "call", *, wait: float = 0.0) -> Failure:
    return Failure(
        identity=identity, call=call, wait=wait, window=900.0, call_window=900.0, attempts=1
    )
