"""The audit of an account: everything that was read, judged, and counted. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from attrs import frozen

from boomerang.account.connections import ConnectionRule
from boomerang.account.resources import Resource
from boomerang.account.verdict import Finding, Verdict, judge
from boomerang.account.wanted import Wanted


@frozen
class Snapshot:
    """What is at Twilio.

    ``unseen`` says what could not be looked at, a line each; ``notes`` what people should know.
    """

    resources: tuple[Resource, ...]
    rules: tuple[ConnectionRule, ...] = ()
    unseen: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@frozen
class Audit:
    """All findings, resource by resource."""

    findings: tuple[Finding, ...]
    unseen: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def gaps(self) -> Sequence[Finding]:
        """What would be lost when the app fails."""
        return [each for each in self.findings if each.gap]

    @property
    def counts(self) -> Mapping[Verdict, int]:
        """How many URLs there are of each verdict; every verdict is there."""
        found = Counter(each.verdict for each in self.findings)
        return {verdict: found[verdict] for verdict in Verdict}


def audit(snapshot: Snapshot, wanted: Wanted) -> Audit:
    """Judge everything."""
    return Audit(
        findings=tuple(
            finding
            for resource in snapshot.resources
            for finding in judge(resource, wanted, snapshot.rules)
        ),
        unseen=snapshot.unseen,
        notes=(*snapshot.notes, *_rules_in_the_way(snapshot, wanted)),
    )


def _rules_in_the_way(snapshot: Snapshot, wanted: Wanted) -> Sequence[str]:
    """Rules of the Webhooks API that no change of a URL gets round."""
    return [
        f"the Webhooks rule {rule.id} of {rule.account} leaves {rule.seconds:g} s to"
        f" {wanted.retry_url}, which needs {wanted.seconds:g} s: change it at Twilio"
        for rule in snapshot.rules
        if rule.fits(wanted.retry_url) and rule.seconds < wanted.seconds
    ]
