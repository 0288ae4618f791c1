"""What checks over HTTP have in common: a visit, its troubles in the words of checks, days left."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from attrs import frozen

from boomerang.monitor.result import CheckFailed, Reason
from boomerang.monitor.run import Trace
from boomerang.outbound import Answer, Outbound, Trouble, Unreachable
from boomerang.settings.checks import Check

BODY_CAP: Final = 1024 * 1024
"""Bytes of a body that are read."""

_REASONS: Final = {
    Trouble.DNS: Reason.DNS,
    Trouble.CONNECT: Reason.CONNECT,
    Trouble.TLS: Reason.TLS,
    Trouble.CERTIFICATE: Reason.CERTIFICATE,
    Trouble.TIMEOUT: Reason.TIMEOUT,
    Trouble.BODY: Reason.BODY,
    Trouble.PROTOCOL: Reason.ERROR,
    Trouble.REDIRECT: Reason.STATUS,
}

_DAY: Final = 86400


@frozen(eq=False)
class Asking:
    """Asks for a check's URL, over a new connection each time."""

    outbound: Outbound
    wall_clock: Callable[[], float]

    async def ask(
        self, check: Check, trace: Trace, *, method: str, defaults: Mapping[str, str]
    ) -> Answer:
        """The answer, noted in the trace. ``defaults`` are headers that the check may replace."""
        given = {name.lower() for name in check.headers}
        headers = {name: value for name, value in defaults.items() if name.lower() not in given}
        try:
            return await self.outbound.visit(
                method,
                check.url,
                headers={**headers, **check.headers},
                redirects=check.redirects,
                body_cap=BODY_CAP,
                journey=trace,
            )
        except Unreachable as error:
            raise CheckFailed(_REASONS[error.trouble], str(error)) from None

    def require_certificate(self, check: Check, trace: Trace) -> None:
        """Raise `CheckFailed` if the certificate is not good for as long as the check wants."""
        if trace.certificate_expires is None or not check.certificate_days:
            return
        days = (trace.certificate_expires - self.wall_clock()) / _DAY
        if days < check.certificate_days:
            raise CheckFailed(
                Reason.CERTIFICATE,
                f"the certificate expires in {days:.1f} days, expected {check.certificate_days}",
            )
