"""A Deferred for one who listens, and changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

T = TypeVar("T")


class Direct(Deferred[T]):
    """A Deferred that can tell one listener what it fires with, instead of a chain of callbacks.

    A chain of one callback takes 10,000 instructions more. Without a listener it is a Deferred like
    any other.
    """

    _log = Logger()
    _listener: tuple[Callable[..., object], Callable[..., object], tuple[Any, ...]] | None = None

    def tell(
        self,
        callback: Callable[..., object],
        errback: Callable[..., object],
        args: tuple[Any, ...],
    ) -> None:
        """Call either with the result, or the failure, and ``args``; no callbacks may be added."""
        if self.called:
            self.addCallbacks(callback, errback, callbackArgs=args, errbackArgs=args)
        else:
            self._listener = (callback, errback, args)

    def callback(self, result: T | Failure) -> None:
        if self._listener is None:
            super().callback(result)
        else:
            callback, _, args = self._listener
            self._tell(callback, result, args)

    def errback(self, fail: Failure | BaseException | None = None) -> None:
        if self._listener is None:
            super().errback(fail)
        else:
            _, errback, args = self._listener
            self._tell(errback, fail if isinstance(fail, Failure) else Failure(fail), args)

    def _tell(self, listener: Callable[..., object], what: object, args: tuple[Any, ...]) -> None:
        self.called = True
        self.result = None
        self._listener = None
        try:
            listener(what, *args)
        except Exception:  # of which a Deferred would tell as well, and nobody else
            self._log.failure("who waited for a result failed")
