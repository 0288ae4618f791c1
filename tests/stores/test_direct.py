"""A Deferred with a listener fires like one with callbacks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import pytest
from twisted.internet.defer import AlreadyCalledError, CancelledError, Deferred
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from boomerang.stores.direct import Direct

Told = list[tuple[str, Any, str]]


def listening(direct: Direct[int], told: Told) -> None:
    direct.tell(*_ears(told), ("beside",))


def chained(direct: Direct[int], told: Told) -> None:
    heard, failed = _ears(told)
    direct.addCallbacks(heard, failed, callbackArgs=("beside",), errbackArgs=("beside",))


def _ears(told: Told) -> tuple[Callable[..., None], Callable[..., None]]:
    def heard(result: int, beside: str) -> None:
        told.append(("result", result, beside))

    def failed(trouble: Failure, beside: str) -> None:
        told.append(("failure", str(trouble.value) or type(trouble.value).__name__, beside))

    return heard, failed


both: Final = pytest.mark.parametrize("listen", [listening, chained])


def fail_as_caught(direct: Direct[int]) -> None:
    try:
        raise ValueError("caught")
    except ValueError:
        direct.errback()


@both
@pytest.mark.parametrize("before", [False, True])
@pytest.mark.parametrize(
    ("fire", "expected"),
    [
        (lambda direct: direct.callback(7), ("result", 7, "beside")),
        (lambda direct: direct.errback(ValueError("no")), ("failure", "no", "beside")),
        (lambda direct: direct.errback(Failure(OSError("no"))), ("failure", "no", "beside")),
        (fail_as_caught, ("failure", "caught", "beside")),
        (Deferred.cancel, ("failure", CancelledError.__name__, "beside")),
    ],
)
def test_fires(
    listen: Callable[[Direct[int], Told], None],
    fire: Callable[[Direct[int]], None],
    expected: tuple[str, Any, str],
    before: bool,
) -> None:
    """Whatever it fires with, and whoever came first, it is heard, and once."""
    cancelled: list[Deferred[int]] = []
    direct: Direct[int] = Direct(cancelled.append)
    told: Told = []
    steps = [lambda: fire(direct), lambda: listen(direct, told)]
    for step in steps if before else reversed(steps):
        step()
    assert told == [expected]
    assert direct.called
    assert cancelled == ([direct] if fire is Deferred.cancel else [])
    direct.cancel()
    with pytest.raises(AlreadyCalledError):
        direct.callback(8)
    assert told == [expected]


class Listening(SynchronousTestCase):
    """Listeners that fail."""

    @pytest.fixture(autouse=True)
    def _nothing_critical_logged(self) -> None:
        """Here a mistake is to be logged."""

    def test_listener_that_fails(self) -> None:
        """A listener that fails harms nobody who fires it; it is logged."""

        def broken(result: int) -> None:
            raise ZeroDivisionError

        direct: Direct[int] = Direct()
        direct.tell(broken, broken, ())
        direct.callback(7)
        assert [each.type for each in self.flushLoggedErrors()] == [ZeroDivisionError]
