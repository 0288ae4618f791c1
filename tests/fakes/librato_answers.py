"""How the stand-in for Librato is asked and answers: pages, errors, troubles of a server."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final
from urllib.parse import parse_qsl

from attrs import field, frozen

JSON: Final = "application/json"
FORM: Final = "application/x-www-form-urlencoded"


@frozen
class Asked:
    """A request. ``headers`` are as they were sent, in order; ``path`` is with its query."""

    method: str
    path: str
    headers: Sequence[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str | None:
        """The value of a header, whatever the case of its name."""
        return {each.lower(): value for each, value in self.headers}.get(name.lower())

    @property
    def query(self) -> dict[str, str]:
        return dict(parse_qsl(self.path.partition("?")[2], keep_blank_values=True))

    @property
    def document(self) -> Any:
        """The parsed body. Raises `Refusal` for what the server does not read."""
        if self.header("Content-Type") != JSON:
            raise Refusal(415, {"errors": {"request": ["Content-Type must be application/json"]}})
        try:
            document = json.loads(self.body, parse_constant=_no_number)
        except ValueError:
            raise Refusal(400, {"errors": {"request": ["JSON could not be parsed"]}}) from None
        if not isinstance(document, dict):
            raise Refusal(400, {"errors": {"request": ["JSON object expected"]}})
        return document

    @property
    def fields(self) -> Mapping[str, Any]:
        """The fields of a form, or of a document."""
        if self.header("Content-Type") == FORM:
            return dict(parse_qsl(self.body.decode()))
        fields: dict[str, Any] = self.document
        return fields

    @property
    def credentials(self) -> tuple[str, str] | None:
        scheme, _, encoded = (self.header("Authorization") or "").partition(" ")
        try:
            user, colon, password = b64decode(encoded, validate=True).decode().partition(":")
        except ValueError:
            return None
        return (user, password) if scheme == "Basic" and colon else None


def _no_number(name: str) -> object:
    raise ValueError(f"{name} is not JSON")


@frozen
class Reply:
    """An answer; without a document it has no body."""

    status: int
    document: object = None
    location: str | None = None


class Refusal(Exception):
    """An answer of failure: a document, or plain text."""

    def __init__(self, status: int, said: object) -> None:
        super().__init__(status, said)
        self.status = status
        self.said = said


def wrong(**params: object) -> Refusal:
    """Parameters that are not valid, by name; two underscores stand for a level of objects."""
    said: dict[str, Any] = {}
    for name, message in params.items():
        *outer, last = name.split("__")
        at = said
        for each in outer:
            at = at.setdefault(each, {})
        at[last] = [message]
    return Refusal(400, {"errors": {"params": said}})


def unknown() -> Refusal:
    return Refusal(404, {"errors": {"request": ["Not Found"]}})


def page(
    asked: Asked, key: str, entries: Iterable[Mapping[str, Any]], *, orderby: Sequence[str]
) -> Reply:
    """One page of what matches ``name``; ``orderby`` is what may be sorted by, the default first.

    The total is that of all entries, matching or not, as the vendor's documentation has it.
    """
    everything = list(entries)
    name = asked.query.get("name", "").lower()
    found = [each for each in everything if name in str(each.get("name", "")).lower()]
    by, direction = asked.query.get("orderby", orderby[0]), asked.query.get("sort", "asc")
    if by not in orderby or direction not in ("asc", "desc"):
        raise wrong(orderby="is not valid")
    found.sort(key=lambda each: (str(each.get(by)).lower(), str(each.get("id"))))
    if direction == "desc":
        found.reverse()
    offset, length = _whole(asked, "offset", 0), _whole(asked, "length", 100)
    if not 0 < length <= 100:
        raise wrong(length="must be from 1 to 100")
    shown = found[offset : offset + length]
    query = {
        "length": len(shown),
        "offset": offset,
        "total": len(everything),
        "found": len(found),
    }
    return Reply(200, {"query": query, key: shown})


def _whole(asked: Asked, name: str, default: int) -> int:
    text = asked.query.get(name, str(default))
    if not text.isascii() or not text.isdigit():
        raise wrong(**{name: "is not a number"})
    return int(text)


@frozen
class Trouble:
    """What befalls a request: a status with a body, after a wait if there is one, or nothing."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(factory=dict)
    waits: bool = False
    drops: bool = False


def rate_limited(status: int = 429, *, retry_after: str | None = None) -> Trouble:
    """The account has used up its limit; the error is in the singular."""
    said = {"request_time": 1467306906, "error": "You have hit the API limit for measurements"}
    return _trouble(status, said, retry_after)


def maintenance(*, retry_after: str | None = None) -> Trouble:
    return _trouble(503, {"errors": {"system": ["The API is in maintenance"]}}, retry_after)


def insecure() -> Trouble:
    """What plain HTTP is answered."""
    return _trouble(403, {"errors": {"request": ["Please use secured connection through https!"]}})


def garbage(status: int = 200, body: bytes = b"<html>\xff{{ 502") -> Trouble:
    return Trouble(status=status, body=body)


def slow() -> Trouble:
    """The request waits until the test releases it, and is then answered as usual."""
    return Trouble(waits=True)


def dropped() -> Trouble:
    """The connection is lost without an answer."""
    return Trouble(drops=True)


def _trouble(status: int, said: object, retry_after: str | None = None) -> Trouble:
    headers = {} if retry_after is None else {"Retry-After": retry_after}
    return Trouble(status=status, body=json.dumps(said).encode(), headers=headers)
