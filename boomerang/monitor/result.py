"""What one run of a check found: values, and their form in the store."""

from __future__ import annotations

import json
from collections.abc import Mapping
from enum import Enum
from typing import Final

from attrs import field, frozen

PHASES: Final = ("resolve", "connect", "tls", "first_byte", "transfer")
"""What an HTTP check spends its time with, in order; other kinds have some of them."""

KEPT: Final = 100
"""Results of each check that are kept, in memory and in the store."""

LONGEST_DETAIL: Final = 200

_LATEST: Final = 253_402_300_799
"""The end of the year 9999: what a certificate says that never expires (RFC 5280 §4.1.2.5)."""


class Reason(Enum):
    """Why a run failed; the value stands in metrics, logs and notifications."""

    DNS = "dns"
    CONNECT = "connect"
    TLS = "tls"
    TIMEOUT = "timeout"
    STATUS = "status"
    BODY = "body"
    CERTIFICATE = "certificate"
    ERROR = "error"
    """Anything else: an answer that makes no sense, or a mistake of our own."""


class CheckFailed(Exception):
    """What is checked is not well; ``detail`` says so to a person, without any secret.

    It may quote what a stranger's server sent, so it is cut, and made fit for one line of a log.
    """

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = "".join(
            letter if letter.isprintable() else " " for letter in detail[:LONGEST_DETAIL]
        )


@frozen
class Result:
    """One run. ``at`` is when it began (seconds since the epoch), ``seconds`` how long it took.

    ``reason`` is `None` when all was well. ``phases`` are seconds by the names of `PHASES`.
    ``certificate_expires`` is in seconds since the epoch.
    """

    at: float
    seconds: float
    reason: Reason | None = None
    detail: str = ""
    phases: Mapping[str, float] = field(factory=dict)
    status: int | None = None
    certificate_expires: float | None = None

    @property
    def well(self) -> bool:
        return self.reason is None

    @property
    def response_seconds(self) -> float | None:
        """How long an answer took, or that none came in all this time; `None` says nothing.

        A refused connection is refused in no time, which must not look like a fast answer.
        """
        return self.seconds if self.reason in (None, Reason.TIMEOUT) else None


def to_json(result: Result) -> str:
    """A result as it is kept in the store: short, since a hundred of each check are."""
    data = {
        "at": round(result.at, 3),
        "s": round(result.seconds, 4),
        "why": result.reason.value if result.reason else None,
        "detail": result.detail,
        "phases": {name: round(spent, 4) for name, spent in result.phases.items()},
        "status": result.status,
        "cert": result.certificate_expires,
    }
    said = {name: value for name, value in data.items() if value not in (None, "", {})}
    return json.dumps(said, separators=(",", ":"))


def from_json(text: str) -> Result:
    """A result from the store. Raises `ValueError` for what is none (a newer boomerang's)."""
    try:
        data = json.loads(text)
        return Result(
            at=number(data["at"]),
            seconds=number(data["s"]),
            reason=Reason(data["why"]) if "why" in data else None,
            detail=text_of(data.get("detail", "")),
            phases={name: number(spent) for name, spent in data.get("phases", {}).items()},
            status=int(number(data["status"])) if "status" in data else None,
            certificate_expires=number(data["cert"]) if "cert" in data else None,
        )
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"not a result: {error}") from None


def number(value: object) -> float:
    """A number in a note, as seconds or an instant. Raises `TypeError` for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError("something else than a number")
    if not -_LATEST <= value <= _LATEST:  # infinite, not a number, or nothing that a clock shows
        raise TypeError("a number out of bounds")
    return float(value)


def text_of(value: object) -> str:
    """A text in a note. Raises `TypeError` for anything else."""
    if not isinstance(value, str):
        raise TypeError("something else than a text")
    return value
