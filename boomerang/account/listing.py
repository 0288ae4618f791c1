"""Audits and plans for people, and for machines: texts without passwords. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Final

from boomerang.account.audit import Audit
from boomerang.account.plan import Change, Plan
from boomerang.account.redaction import shown
from boomerang.account.verdict import Finding, Verdict

_HEAD: Final = ("VERDICT", "KIND", "NAME", "SID", "URL", "CONFIGURED", "SHOULD BE")


def table(audit: Audit, *, gaps: bool) -> Iterator[str]:
    """The findings in columns, what is not used left out; with ``gaps`` nothing but gaps."""
    rows = [
        _row(each)
        for each in audit.findings
        if each.gap or not (gaps or each.verdict is Verdict.UNUSED)
    ]
    if rows:
        widths = [max(map(len, column)) for column in zip(_HEAD, *rows, strict=True)]
        for row in (_HEAD, *rows):
            cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
            yield "  ".join(cells).rstrip()
    for line in audit.unseen:
        yield f"! not looked at: {line}"
    for note in audit.notes:
        yield f"! {note}"
    yield summary(audit)


def summary(audit: Audit) -> str:
    """How many there are of each verdict, in a line."""
    resources = {(each.resource.kind, each.resource.sid) for each in audit.findings}
    counts = [f"{count} {verdict.value}" for verdict, count in audit.counts.items() if count]
    return f"{len(resources)} resources: {', '.join(counts) or 'nothing'}"


def _row(finding: Finding) -> Sequence[str]:
    verdict = finding.verdict.value + (f" ({finding.detail})" if finding.detail else "")
    same = finding.expected in (None, finding.configured)
    return (
        shown(verdict),
        finding.resource.kind.value,
        shown(finding.resource.name),
        finding.resource.sid,
        finding.url_field,
        shown(finding.configured) or "(none)",
        "" if same or finding.expected is None else shown(finding.expected),
    )


def document(audit: Audit) -> str:
    """The findings as JSON; all of them."""
    return json.dumps(
        {
            "gaps": len(audit.gaps),
            "verdicts": {verdict.value: count for verdict, count in audit.counts.items()},
            "unseen": list(audit.unseen),
            "notes": list(audit.notes),
            "findings": [
                {
                    "kind": each.resource.kind.value,
                    "sid": each.resource.sid,
                    "account": each.resource.account,
                    "name": shown(each.resource.name),
                    "url": each.url_field,
                    "product": each.product,
                    "verdict": each.verdict.value,
                    "gap": each.gap,
                    "detail": shown(each.detail),
                    "configured": shown(each.configured),
                    "expected": None if each.expected is None else shown(each.expected),
                }
                for each in audit.findings
            ],
        },
        indent=1,
    )


def described(plan: Plan) -> Iterator[str]:
    """The plan for people, a line for each resource and each field that changes."""
    for change in plan.changes:
        yield f"~ update {titled(change)}"
        for name, after in change.after.items():
            before = change.before[name]
            yield f"    {name}: {shown(before) or '(none)'} -> {shown(after) or '(none)'}"
    for line in plan.left:
        yield f"! left as it is: {shown(line)}"
    yield f"{len(plan.changes)} to update, {len(plan.left)} left as they are"


def titled(change: Change) -> str:
    """A change in a few words."""
    return f"{change.kind.value} {change.sid} {shown(change.name)}"


def bar(done: int, total: int, *, width: int = 30) -> str:
    """A bar that shows how far it is."""
    full = width * done // total if total else width
    return f"[{'#' * full}{'-' * (width - full)}] {done}/{total}"
