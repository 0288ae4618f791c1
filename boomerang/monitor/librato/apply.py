"""Reads what is at Librato, and carries a plan out, one change after the other."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

from boomerang.monitor.librato.alerts import Alert, Desired
from boomerang.monitor.librato.api import LibratoApi
from boomerang.monitor.librato.compare import Entry
from boomerang.monitor.librato.errors import LibratoError, Refused, TryLater
from boomerang.monitor.librato.plan import (
    Action,
    Change,
    Existing,
    Kind,
    NewService,
    Plan,
    alert_change,
    as_reference,
    find_space,
)

_PATHS: Final = {Kind.SERVICE: "services", Kind.ALERT: "alerts", Kind.SPACE: "spaces"}

_NAMES_NAME: Final = re.compile(r"\bname\b", re.IGNORECASE)


class Stopped(Exception):
    """A change was not taken, and none after it was tried; ``left`` are all these."""

    def __init__(self, error: LibratoError, left: Sequence[Change]) -> None:
        super().__init__(str(error))
        self.left = tuple(left)


async def read(api: LibratoApi, desired: Desired) -> Existing:
    """All that a plan is made from, every page of it. Raises `LibratoError`."""
    services = await api.pages("services", "services")
    alerts = await api.pages("alerts", "alerts", {"name": desired.prefix})
    spaces = await api.pages("spaces", "spaces", {"name": desired.space})
    space = find_space(desired.space, spaces)
    charts = [] if space is None else await _charts(api, str(space["id"]))
    return Existing(services=services, alerts=alerts, spaces=spaces, charts=charts)


async def carry_out(api: LibratoApi, plan: Plan, *, done: Callable[[Change], None]) -> None:
    """Change what there is to change; ``done`` hears of each change once it is made.

    Raises `Stopped` at the first that is not taken. To do it again is safe: a new plan has what
    is left.
    """
    carrier = _Carrier(api, plan)
    for position, change in enumerate(plan.pending):
        try:
            done(await carrier.carry_out(change))
        except LibratoError as error:
            raise Stopped(error, plan.pending[position:]) from None


class _Carrier:
    """Knows the ids of what is there, and learns those of what it creates."""

    def __init__(self, api: LibratoApi, plan: Plan) -> None:
        self._api = api
        self._ids = {(each.kind, each.name): each.id for each in plan.changes if each.id}
        self._space = next(each.name for each in plan.changes if each.kind is Kind.SPACE)

    async def carry_out(self, change: Change) -> Change:
        """Make one change; returns it, or what it turned out to be. Raises `LibratoError`."""
        match change.action:
            case Action.CREATE if change.kind is Kind.ALERT:
                return await self._create_alert(change)
            case Action.CREATE:
                created = await self._api.post(self._path(change.kind), change.document)
                self._ids[change.kind, change.name] = _id_of(created)
            case Action.UPDATE:
                await self._update(change, self._document(change))
            case Action.DELETE:
                await self._delete(change)
        return change

    async def _create_alert(self, change: Change) -> Change:
        """Create an alert, unless somebody else did so since we looked."""
        document = self._document(change)
        try:
            await self._api.post(self._path(change.kind), document)
        except Refused as error:
            if not _says_that_it_is_there(error):
                raise
            there = await self._api.pages("alerts", "alerts", {"name": change.name})
            wanted = Alert(change.name, document)
            again = alert_change(wanted, there, services=document["services"])
            if again.action is Action.CREATE:
                raise  # it was refused for something else
            if again.action is Action.UPDATE:
                await self._update(again, again.document)
            return again
        return change

    async def _update(self, change: Change, document: Mapping[str, Any]) -> None:
        await self._api.put(f"{self._path(change.kind)}/{_quoted(change.id)}", document)

    async def _delete(self, change: Change) -> None:
        try:
            await self._api.delete(f"{self._path(change.kind)}/{_quoted(change.id)}")
        except Refused as error:
            if error.status != 404:  # somebody else was faster
                raise

    def _path(self, kind: Kind) -> str:
        if kind is Kind.CHART:
            return f"spaces/{_quoted(self._ids[Kind.SPACE, self._space])}/charts"
        return _PATHS[kind]

    def _document(self, change: Change) -> dict[str, Any]:
        """What is sent, with the ids of services that were new in the plan."""
        document = dict(change.document)
        if change.kind is Kind.ALERT:
            document["services"] = [self._resolved(each) for each in document["services"]]
        return document

    def _resolved(self, reference: object) -> object:
        if isinstance(reference, NewService):
            return as_reference(self._ids[Kind.SERVICE, reference.name])
        return reference


async def _charts(api: LibratoApi, space: str) -> list[Entry]:
    """The charts of a space; the answer is a bare list, not in pages."""
    answer = await api.get(f"spaces/{_quoted(space)}/charts")
    charts = answer.get("charts") if isinstance(answer, dict) else answer
    if not isinstance(charts, list) or not all(isinstance(each, dict) for each in charts):
        raise TryLater("200: an answer without charts")
    return charts


def _says_that_it_is_there(error: Refused) -> bool:
    """Whether a name may be taken: 422 is documented for that, 400 naming the field was seen."""
    return error.status == 422 or (error.status == 400 and bool(_NAMES_NAME.search(str(error))))


def _id_of(created: object) -> str:
    if not isinstance(created, dict) or not isinstance(created.get("id"), int | str):
        raise TryLater("201: an answer without the id of what was created")
    return str(created["id"])


def _quoted(id: str | None) -> str:
    return quote(str(id), safe="")
