"""From a request to boomerang to the callback that the app is to get: pure.

The app's URL stands in the request (``/relay?Url=...``), or is made of the endpoint's host and what
follows its name (``/relay/<endpoint name>/<rest>``). Whatever else is in the query is the app's.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import blake2b, sha256
from typing import Final
from urllib.parse import unquote_plus

from attrs import field, frozen

from boomerang.endpoints.rules import RuleBook
from boomerang.relay.callback import Callback
from boomerang.settings.endpoints import Endpoint
from boomerang.urls import BadUrl, WebUrl, parse_url, without_fragment
from boomerang.web.form import BadForm, is_form, parse_form

LARGEST: Final = 65_536
"""Bytes of a body."""

TOKEN: Final = "I-Twilio-Idempotency-Token"

PATH: Final = "/relay"

_ORDERS: Final = ("CallSid", "MessageSid", "SmsSid", "SmsMessageSid")
"""Of the first of these that is there, callbacks come one after the other."""

_LONGEST_SID: Final = 256

_HASH: Final = "bodySHA256"

Pairs = Sequence[tuple[str, str]]


class BadCallback(ValueError):
    """The request cannot be relayed; the message says why, for whoever set the URL at Twilio."""


class WrongContent(BadCallback):
    """The body is neither a form nor JSON."""


@frozen
class Incoming:
    """A request as it came. ``target`` is path and query, ``token`` Twilio's idempotency token."""

    target: str = field(repr=False)
    method: str
    content_type: str | None
    body: bytes = field(repr=False)
    token: str | None = None

    @property
    def query(self) -> str:
        return self.target.partition("?")[2]


@frozen
class Understood:
    """A callback, and the parts of its URL."""

    callback: Callback
    url: WebUrl


class Accepting:
    """Knows the endpoints, and so whose a callback is."""

    def __init__(self, book: RuleBook, endpoints: Iterable[Endpoint]) -> None:
        self._book = book
        self._endpoints = {endpoint.name: endpoint for endpoint in endpoints}

    def understand(self, incoming: Incoming, *, now: float) -> Understood:
        """The callback that a request to ``/relay`` brings. Raises `BadCallback`."""
        path, _, query = incoming.target.partition("?")
        if path == PATH:
            address = _parsed("Url", _joined(*_named(query)))
            return self._callback(incoming, address, now=now)
        name, _, rest = path.removeprefix(f"{PATH}/").partition("/")
        base = self._base(unquote_plus(name))
        address = _parsed("the address", _joined(f"{base}/{rest}", _fields(query)))
        understood = self._callback(incoming, address, now=now)
        if understood.callback.endpoint != unquote_plus(name):
            raise BadCallback(f'the path does not match that of endpoint "{unquote_plus(name)}"')
        return understood

    def again(self, incoming: Incoming, *, key: str, now: float) -> Understood:
        """A request that Twilio made at the app itself: ``target`` is the app's whole URL.

        ``key`` names it where nothing in it does. Raises `BadCallback`.
        """
        url, _, query = without_fragment(incoming.target).partition("?")
        address = _parsed("the address", _joined(url, _fields(query)))
        return self._callback(incoming, address, now=now, other_key=key)

    def _base(self, name: str) -> str:
        endpoint = self._endpoints.get(name)
        if endpoint is None or endpoint.mode != "async":
            raise BadCallback("there is no endpoint of that name with mode async")
        if len(endpoint.host) != 1 or "*" in endpoint.host[0]:
            raise BadCallback(f'endpoint "{name}" has not one host alone: use {PATH}?Url=...')
        return f"https://{endpoint.host[0]}"

    def _callback(
        self, incoming: Incoming, address: str, *, now: float, other_key: str = ""
    ) -> Understood:
        form, address = _content(incoming, address)
        url = parse_url(address)
        get = incoming.method == "GET"
        try:
            pairs = parse_form(url.query.encode("utf-8")) if get else form
        except BadForm as error:
            raise BadCallback(str(error)) from None
        given = dict(reversed(pairs))
        key = _key(incoming, address, pairs, other_key)
        return Understood(
            Callback(
                key=key,
                order=_order(given) or key,
                url=address,
                method=incoming.method,
                content_type="" if get else incoming.content_type or "",
                body=b"" if get else incoming.body,
                account_sid=_sid(given.get("AccountSid", "")),
                endpoint=self._book.of(url).name,
                received_at=now,
            ),
            url,
        )


def _fields(query: str) -> list[str]:
    """The fields of a query as they were written."""
    return [each for each in query.split("&") if each]


def _named(query: str) -> tuple[str, list[str]]:
    """The app's URL, and what else is in the query: if it is not the URL's, it is Twilio's."""
    urls, rest = [], []
    for each in _fields(query):
        name, _, value = each.partition("=")
        if unquote_plus(name) == "Url":
            urls.append(unquote_plus(value, errors="surrogateescape"))
        else:
            rest.append(each)
    if not urls or not urls[0]:
        raise BadCallback("Url is missing: the app's own address, percent-encoded")
    if len(urls) > 1:
        raise BadCallback("Url is given more than once")
    return without_fragment(urls[0]), rest


def _joined(url: str, rest: Sequence[str]) -> str:
    """The URL with these at the end of its query, as Twilio would have put them there."""
    if not rest:
        return url
    joint = "" if url.endswith(("?", "&")) else "&" if "?" in url else "?"
    return f"{url}{joint}{'&'.join(rest)}"


def _parsed(name: str, address: str) -> str:
    try:
        parse_url(address)
    except BadUrl as error:
        raise BadCallback(f"{name} {error}") from None
    return address


def _content(incoming: Incoming, address: str) -> tuple[Pairs, str]:
    """The fields of the body, and the URL with the hash of a body that is none (JSON)."""
    if incoming.method == "GET":
        return (), address
    if len(incoming.body) > LARGEST:
        raise BadCallback(f"the body is larger than {LARGEST} bytes")
    if is_form(incoming.content_type):
        try:
            return parse_form(incoming.body), address
        except BadForm as error:
            raise BadCallback(str(error)) from None
    if not is_json(incoming.content_type):
        raise WrongContent("the body is neither a form nor JSON")
    url, _, query = address.partition("?")
    others = [each for each in _fields(query) if not each.startswith(f"{_HASH}=")]
    digest = sha256(incoming.body).hexdigest()
    return (), _parsed("the address", _joined(url, [*others, f"{_HASH}={digest}"]))


def is_json(content_type: str | None) -> bool:
    """Whether a body with this content type is JSON."""
    kind = (content_type or "").partition(";")[0].strip().lower()
    return kind == "application/json" or (
        kind.startswith("application/") and kind.endswith("+json")
    )


def _order(given: dict[str, str]) -> str:
    return next((sid for name in _ORDERS if (sid := _sid(given.get(name, "")))), "")


def _sid(text: str) -> str:
    """A SID as it may be stored and logged; nothing for what cannot be one."""
    return text if len(text) <= _LONGEST_SID and text.isascii() and text.isalnum() else ""


def _key(incoming: Incoming, address: str, pairs: Pairs, other: str) -> str:
    """The name of a callback, which a repeat of the same request has, and no other one.

    Twilio counts the events of a call, and tells each status of a message once. So SIDs, statuses
    and the number say which callback this is, whatever Twilio does with the idempotency token when
    it tries again (reference: §3, "leaves open whether it is equal"). What has neither, nor a
    token, is known by all that is in it: one too few would be lost.
    """
    names = {name for name, _ in pairs}
    if "SequenceNumber" in names or {"MessageSid", "MessageStatus"} <= names:
        telling = sorted(pair for pair in pairs if _tells(pair[0]))
        return _digest(
            "status", without_query(address), *(part for pair in telling for part in pair)
        )
    if incoming.token:
        return _digest("token", incoming.token, without_query(address))
    if other:
        return _digest("event", other)
    return _digest("whole", incoming.method, address, incoming.body.decode("latin-1"))


def _tells(name: str) -> bool:
    return name == "SequenceNumber" or name.endswith(("Sid", "Status", "Event"))


def without_query(address: str) -> str:
    """An address as far as its path."""
    return address.partition("?")[0]


def _digest(*parts: str) -> str:
    """Eighteen bytes (no two callbacks share them by chance) of the parts, in hexadecimal."""
    text = "\0".join(parts)
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=18).hexdigest()
