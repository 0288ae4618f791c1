"""Checks of kind ``http``: a URL is asked for, its answer has the right status and body."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from attrs import frozen

from boomerang.monitor.probes.asking import BODY_CAP, Asking
from boomerang.monitor.result import CheckFailed, Reason
from boomerang.monitor.run import Trace
from boomerang.outbound import Answer
from boomerang.settings.checks import Check

_CHARSET: Final = re.compile(r"""charset\s*=\s*["']?([^"'\s;,]+)""", re.IGNORECASE)

_OF_THE_WEB: Final = re.compile(
    r"(?:us-)?ascii|(?:utf|iso|latin|windows|cp|koi8|mac|gb|big5|euc|shift|sjis)[a-z0-9_:-]*",
    re.IGNORECASE,
)
"""Charsets that pages have; Python knows others that take minutes for a megabyte (punycode)."""

_CAP: Final = f"{BODY_CAP // 1024} KiB"

_SHOWN: Final = 60
"""Characters of a text that a failure shows."""


@frozen(eq=False)
class HttpProbe:
    """Asks for the URL as a check says, follows redirects, and judges the answer."""

    asking: Asking

    async def __call__(self, check: Check, trace: Trace) -> None:
        answer = await self.asking.ask(
            check, trace, method=check.method, defaults={"Accept": "*/*"}
        )
        failure = status_failure(answer, check.status) or body_failure(answer, check)
        if failure is not None:
            raise failure
        self.asking.require_certificate(check, trace)


def status_failure(answer: Answer, patterns: Sequence[str]) -> CheckFailed | None:
    """What is wrong with the status, if it fits none of the patterns (``200``, ``2xx``)."""
    status = str(answer.status)
    for pattern in patterns:
        if re.fullmatch(pattern.replace("x", r"\d"), status):
            return None
    expected = " or ".join(patterns)
    return CheckFailed(Reason.STATUS, f"answered {status}, expected {expected}")


def body_failure(answer: Answer, check: Check) -> CheckFailed | None:
    """What is wrong with the body, if there is a rule for it.

    Where the rule is undecided within the part that was read, that is what is wrong.
    """
    if check.body_contains is None and check.body_lacks is None:
        return None
    encoding = answer.headers.get("content-encoding", "identity")
    if encoding != "identity":
        return _failure(f"cannot be read, it is encoded ({encoding[:_SHOWN]}) though not asked to")
    text = decoded(answer)
    where = f"in its first {_CAP}" if answer.truncated else "in it"
    if check.body_lacks is not None:
        if check.body_lacks in text:
            return _failure(f'has "{check.body_lacks[:_SHOWN]}" in it')
        if answer.truncated:
            return _failure(f"is too long to tell what it lacks: only {_CAP} of it are read")
    if check.body_contains is not None and check.body_contains not in text:
        return _failure(f'has no "{check.body_contains[:_SHOWN]}" {where}')
    return None


def decoded(answer: Answer) -> str:
    """The body as text, by the answer's charset or as UTF-8; what does not fit is replaced."""
    found = _CHARSET.search(answer.headers.get("content-type", ""))
    charset = found[1] if found and _OF_THE_WEB.fullmatch(found[1]) else "utf-8"
    try:
        return answer.body.decode(charset, "replace")
    except LookupError:
        return answer.body.decode("utf-8", "replace")


def _failure(words: str) -> CheckFailed:
    return CheckFailed(Reason.BODY, f"the body {words}")
