"""What has to change at Twilio, as values, one change for a resource, and its way back. Pure.

A plan only ever has fields of `Layout.changeable`: no primary URL is among them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from attrs import evolve, field, frozen

from boomerang.account.resources import Kind, Resource
from boomerang.account.verdict import Finding


@frozen
class Change:
    """One resource, and its fields before and after; both have the same fields."""

    kind: Kind
    sid: str
    account: str
    name: str
    before: Mapping[str, str] = field(repr=False)
    after: Mapping[str, str] = field(repr=False)

    @property
    def reversed(self) -> Change:
        """The change that takes this one back."""
        return evolve(self, before=self.after, after=self.before)


@frozen
class Plan:
    """The changes in their order. ``left`` says what stays as it is though it should not."""

    changes: tuple[Change, ...]
    left: tuple[str, ...] = ()


def plan(findings: Iterable[Finding]) -> Plan:
    """The changes that close the gaps, as far as that can be done from here."""
    changes: dict[tuple[Kind, str], Change] = {}
    left = []
    for finding in findings:
        if not finding.gap:
            continue
        resource = finding.resource
        if not finding.fix:
            left.append(
                f"{resource.kind.value} {resource.sid} {finding.url_field}:"
                f" {finding.verdict.value}: {finding.detail}"
            )
            continue
        key = resource.kind, resource.sid
        before = {name: resource.fields[name] for name in finding.fix}
        change = changes.get(key)
        if change is None:
            change = _change(resource, {}, {})
        changes[key] = evolve(
            change,
            before={**change.before, **before},
            after={**change.after, **finding.fix},
        )
    return Plan(tuple(changes.values()), tuple(left))


def reversal(changes: Sequence[Change], resources: Iterable[Resource]) -> Plan:
    """What has to change so that everything is as it was before ``changes``.

    What was changed by others since then is left as it is, and so is what is no more. A method
    that was not set stays as well: Twilio has no way to unset one.
    """
    there = {(each.kind, each.sid): each for each in resources}
    undone, left = [], []
    for change in changes:
        resource = there.get((change.kind, change.sid))
        if resource is None:
            left.append(f"{change.kind.value} {change.sid} is not there, or not any more")
            continue
        before, after = {}, {}
        for name, wanted in change.before.items():
            current = resource.fields[name]
            if current == wanted or (name.endswith("_method") and not wanted):
                continue
            if current != change.after[name]:
                left.append(f"{change.kind.value} {change.sid} {name}: was changed since then")
                continue
            before[name], after[name] = current, wanted
        if after:
            undone.append(_change(resource, before, after))
    return Plan(tuple(undone), tuple(left))


def _change(resource: Resource, before: Mapping[str, str], after: Mapping[str, str]) -> Change:
    return Change(
        kind=resource.kind,
        sid=resource.sid,
        account=resource.account,
        name=resource.name,
        before=before,
        after=after,
    )
