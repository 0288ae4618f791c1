"""Tells of callbacks: one log line each time something changes, and the metrics.

No line has a body, a query, or a whole phone number.
"""

from __future__ import annotations

from twisted.logger import Logger

from boomerang.relay.callback import Callback, Queued
from boomerang.relay.counts import RelayCounts
from boomerang.relay.events import Fate
from boomerang.retry.record import masked
from boomerang.urls import parse_url

_ABOUT = " endpoint={endpoint} host={host} path={path} order={order}"


class RelayRecord:
    """What operators see of the relay."""

    def __init__(self, counts: RelayCounts) -> None:
        self._counts = counts
        self._log = Logger(namespace="boomerang.relay")

    def accepted(self, callback: Callback, *, is_new: bool) -> None:
        outcome = "accepted" if is_new else "duplicate"
        self._counts.callback(outcome, callback.endpoint)
        self._log.info("{outcome}" + _ABOUT, outcome=outcome, **_about(callback))

    def event(self, label: str, fate: Fate, *, sid: str) -> None:
        self._counts.event(label, fate)
        self._log.info(
            "debugger event code={code} fate={fate} sid={sid}",
            code=label,
            fate=fate.value,
            sid=masked(sid)[:64],
        )

    def delivered(self, queued: Queued, *, seconds: float) -> None:
        """``seconds`` since it was accepted."""
        self._counts.callback("delivered", queued.callback.endpoint)
        self._counts.delivered_in(seconds)
        self._log.info(
            "delivered" + _ABOUT + " attempt={attempt} after={seconds}",
            attempt=queued.attempts + 1,
            seconds=round(seconds, 3),
            **_about(queued.callback),
        )

    def put_off(self, queued: Queued, *, last: str, pause: float) -> None:
        """Only the first time is logged."""
        self._counts.callback("retried", queued.callback.endpoint)
        if queued.attempts == 0:
            self._log.warn(
                "not delivered" + _ABOUT + " reason={reason!r} again_in={pause}",
                reason=last,
                pause=round(pause, 1),
                **_about(queued.callback),
            )

    def dead(self, queued: Queued, *, last: str) -> None:
        self._counts.callback("dead", queued.callback.endpoint)
        self._log.error(
            "given up" + _ABOUT + " number={number} attempts={attempts} reason={reason!r}",
            number=queued.number,
            attempts=queued.attempts + 1,
            reason=last,
            **_about(queued.callback),
        )

    def origin_down(self, origin: str, *, last: str, down: int) -> None:
        self._counts.origins_down(down)
        self._log.warn(
            "{origin} takes no callbacks now ({reason}); it is probed with one at a time",
            origin=origin,
            reason=last,
        )

    def origin_up(self, origin: str, *, down: int) -> None:
        self._counts.origins_down(down)
        self._log.info("{origin} takes callbacks again", origin=origin)

    def store_away(self, reason: str) -> None:
        self._log.warn("the relay's store is away: {reason}", reason=reason)

    def store_back(self, *, seconds: float) -> None:
        self._log.info("the relay's store is back after {seconds} s", seconds=round(seconds, 1))

    def full(self, reason: str) -> None:
        self._log.error("callbacks are refused, the relay's queue is full: {reason}", reason=reason)

    def has_room(self) -> None:
        self._log.info("the relay's queue has room again")

    def swept(self, *, age: int, size: int) -> None:
        self._log.warn("forgot dead letters: {age} of age, {size} for size", age=age, size=size)


def _about(callback: Callback) -> dict[str, str]:
    url = parse_url(callback.url)
    return {
        "endpoint": callback.endpoint,
        "host": url.host,
        "path": masked(url.path),
        "order": callback.order,
    }
