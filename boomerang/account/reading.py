"""Reads everything at Twilio that an audit needs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from attrs import evolve, frozen

from boomerang.account.api import TwilioApi
from boomerang.account.audit import Snapshot
from boomerang.account.connections import USUAL, ConnectionRule
from boomerang.account.errors import Refused
from boomerang.account.resources import SERVICE, Kind, Resource

_TIMES: Final = ("readTimeoutMs", "totalTimeoutMs")

_LEAVES: Final = "use_inbound_webhook_on_number"

_NOT_FOR_US: Final = (401, 403, 404)
"""The Webhooks API is in public beta: not every account has it."""


@frozen
class Accounts:
    """The account and, if they are asked for, its sub-accounts, by their SIDs."""

    apis: Mapping[str, TwilioApi]
    unseen: tuple[str, ...] = ()

    @classmethod
    def of(cls, api: TwilioApi, *, subaccounts: bool) -> Accounts:
        """Raises `boomerang.account.errors.TwilioError`."""
        found = dict(api.subaccounts()) if subaccounts else {}
        return cls(
            apis={api.account: api, **{sid: own for sid, own in found.items() if own is not None}},
            unseen=tuple(
                f"sub-account {sid}: asking for it takes the auth token, not an API key"
                for sid, own in found.items()
                if own is None
            ),
        )

    def close(self) -> None:
        """Close all connections."""
        for api in self.apis.values():
            api.close()


def read(accounts: Accounts, *, url: str) -> Snapshot:
    """All resources, and the rules of the Webhooks API that may be about ``url``.

    Raises `boomerang.account.errors.TwilioError`.
    """
    resources: list[Resource] = []
    rules: list[ConnectionRule] = []
    notes = []
    for sid, api in accounts.apis.items():
        own = [resource for kind in Kind for resource in api.resources(kind)]
        resources.extend(_answered_by_services(api, own))
        try:
            rules.extend(_rules(api, url))
        except Refused as error:
            if error.status not in _NOT_FOR_US:
                raise
            notes.append(f"the Webhooks rules of {sid} were not looked at: {error}")
    return Snapshot(tuple(resources), tuple(rules), accounts.unseen, tuple(notes))


def _answered_by_services(api: TwilioApi, resources: Sequence[Resource]) -> Iterator[Resource]:
    """The resources; those among the senders of a messaging service that answers say so.

    It leaves that to them if it uses the webhooks of the number.
    """
    services: dict[str, str] = {}
    for each in resources:
        if each.kind is Kind.MESSAGING_SERVICE and not each.fields[_LEAVES]:
            services.update(dict.fromkeys(api.senders(each.sid), each.sid))
    for each in resources:
        if each.sid in services and SERVICE in each.fields:
            each = evolve(each, fields={**each.fields, SERVICE: services[each.sid]})
        yield each


def _rules(api: TwilioApi, url: str) -> Iterator[ConnectionRule]:
    """The rules that are about addresses that begin as ``url`` does, or about all that do."""
    for each in api.webhook_rules():
        exact, prefix = each["value"] or None, each["prefix"] or None
        about = exact or prefix or ""
        if about and (about.startswith(url) or (prefix is not None and url.startswith(prefix))):
            yield ConnectionRule(
                id=str(each["id"]),
                account=api.account,
                exact=exact,
                prefix=prefix,
                seconds=_least(api, each["settings"] or ()),
            )


def _least(api: TwilioApi, settings: Sequence[Any]) -> float:
    """The shortest time of all settings that share the traffic of a rule, in seconds."""
    times = [USUAL]
    for each in settings:
        connection = api.webhook_connection(str(each["settingId"]))
        given = [connection.get(name) for name in _TIMES]
        times.extend(each / 1000 for each in given if isinstance(each, int | float))
    return min(times)
