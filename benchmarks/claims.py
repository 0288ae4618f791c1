"""Claims made by boomerang's own client of a store, as fast as it can: the cost of the store alone.

`python -m benchmarks.claims STORE COUNT` prints seconds and CPU seconds as JSON.
"""

import json
import sys
import time
from collections.abc import Iterator
from hashlib import blake2b
from typing import Any

from twisted.internet.defer import Deferred, ensureDeferred, gatherResults
from twisted.internet.task import react

from boomerang.stores.address import parse_store
from boomerang.stores.interfaces import ClaimStore, Failure
from boomerang.stores.opening import make_stores

WINDOW = 900.0
"""For how many seconds a failure is remembered: boomerang's default."""

_WAIT = 8.0
_TOGETHER = 200


async def _claim_all(claims: ClaimStore, numbers: Iterator[int]) -> None:
    for number in numbers:
        await claims.claim(_failure(number))


def _failure(number: int) -> Failure:
    identity, call = (_digest(f"{kind}{number}") for kind in ("identity", "call"))
    return Failure(
        identity=identity, call=call, wait=_WAIT, window=WINDOW, call_window=WINDOW, attempts=1
    )


def _digest(text: str) -> str:
    return blake2b(text.encode("ascii"), digest_size=18).hexdigest()


async def _main(reactor: Any, store: str, count: int) -> None:
    stores = make_stores(parse_store(store), reactor)
    await stores.claims.open()
    numbers = iter(range(count))
    began, used = time.monotonic(), time.process_time()
    lanes = [ensureDeferred(_claim_all(stores.claims, numbers)) for _ in range(_TOGETHER)]
    await gatherResults(lanes)
    took = {"seconds": time.monotonic() - began, "cpu_seconds": time.process_time() - used}
    print(json.dumps(took))
    await stores.claims.close()


def run(reactor: Any, store: str, count: str) -> Deferred[None]:
    """Make so many claims, each of a call of its own."""
    return Deferred.fromCoroutine(_main(reactor, store, int(count)))


if __name__ == "__main__":
    react(run, sys.argv[1:])
