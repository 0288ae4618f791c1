"""From the parameters of a fallback request to a `FailedRequest`, or to the reason why not."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from hashlib import blake2b
from typing import Final
from urllib.parse import parse_qsl, unquote_to_bytes

from boomerang.urls import BadUrl, WebUrl, parse_url, without_fragment
from boomerang.values import Fields, pairs_of, quick_frozen

_MESSAGE_SIDS: Final = ("MessageSid", "SmsSid", "SmsMessageSid")
_SIDS: Final = ("AccountSid", "CallSid", *_MESSAGE_SIDS)
_OPTIONS: Final = frozenset({"FallbackUrl", "FallbackMethod", "Method"})
_FROM_TWILIO: Final = frozenset({"ErrorCode", "ErrorUrl", *_SIDS})
_LONGEST_SID: Final = 256

_CHANGING: Final = frozenset(
    {"CallDuration", "CallStatus", "Duration", "SequenceNumber", "Timestamp"}
)
"""Parameters of Twilio's that do not stay the same during a call."""


class BadRequest(ValueError):
    """The request cannot be one of Twilio's fallback requests; the message says why."""


@quick_frozen
class Target:
    """An address as it was given, beside its parts."""

    url: str
    parts: WebUrl


@quick_frozen
class FailedRequest:
    """One webhook that failed, as Twilio's fallback request tells of it.

    ``product`` is ``voice``, ``messaging`` or, without any SID, ``unknown``. ``sid`` is the
    CallSid or MessageSid. ``identity`` names this failure and no other: account, call or message,
    and URL (design.md, "Semantics of /retry"); ``call`` names the call or message, or is `None`
    without a SID. Both are digests, so that no store ever holds a SID or an address.
    """

    error_code: str
    error: Target
    product: str
    sid: str
    account_sid: str
    fallback: Target | None
    fallback_method: str
    method: str | None
    identity: str
    call: str | None


def parse_failed_request(twilio: Fields, options: Fields) -> FailedRequest:
    """Understand a fallback request.

    ``twilio`` are the parameters that Twilio sends: the form of a POST, the query of a GET
    (reference: https://www.twilio.com/docs/usage/security/availability-reliability).
    ``options`` are those of the query. Raises `BadRequest` with the reason in plain words.
    """
    given = _once(twilio, _FROM_TWILIO)
    chosen = _once(options, _OPTIONS) if options else {}
    if options and options is not twilio:
        _refuse_contradictions(given, _once(options, _FROM_TWILIO))

    error_code = given.get("ErrorCode", "")
    if not error_code:
        raise BadRequest("ErrorCode is missing: this is not a fallback request of Twilio's")
    if not (error_code.isascii() and error_code.isdigit() and len(error_code) <= 9):
        raise BadRequest("ErrorCode is not a number")
    if not given.get("ErrorUrl"):
        raise BadRequest("ErrorUrl is missing: this is not a fallback request of Twilio's")
    error = target("ErrorUrl", given["ErrorUrl"])

    product, sid = _product_and_sid(given)
    account_sid = given.get("AccountSid", "")
    for name in _SIDS:
        if name in given:
            _refuse_strange_sid(name, given[name])
    seen_url = _without_twilios_own_query(error, sid=sid, account_sid=account_sid, twilio=twilio)
    fallback = _fallback(chosen["FallbackUrl"]) if "FallbackUrl" in chosen else None
    fallback_method = _method("FallbackMethod", chosen.get("FallbackMethod")) or "GET"
    method = _method("Method", chosen.get("Method"))
    call, identity = _digests(account_sid, sid, seen_url) if sid else (None, _digest(seen_url))
    return FailedRequest(
        error_code,
        error,
        product,
        sid,
        account_sid,
        fallback,
        fallback_method,
        method,
        identity,
        call,
    )


def _once(fields: Fields, names: AbstractSet[str]) -> Mapping[str, str]:
    """The values of all parameters, of which the named ones may stand there once at most."""
    if isinstance(fields, dict):
        return fields
    found = dict(fields)
    if len(found) < len(fields):
        seen = set()
        for name, _ in fields:
            if name in names and name in seen:
                raise BadRequest(f"{name} is given more than once")
            seen.add(name)
    return found


def _refuse_contradictions(form: Mapping[str, str], query: Mapping[str, str]) -> None:
    """Both are what `_once` gives; what is not Twilio's may differ."""
    for name in _FROM_TWILIO & query.keys() & form.keys():
        if form[name] != query[name]:
            raise BadRequest(f"{name} has one value in the form and another in the query")


def _product_and_sid(given: Mapping[str, str]) -> tuple[str, str]:
    call = given.get("CallSid", "")
    # A call that has sent a text, by TwiML's <Sms>, names that as SmsSid.
    if call and not (given.get("MessageSid") or given.get("SmsMessageSid")):
        return "voice", call
    messages = {given[name] for name in _MESSAGE_SIDS if given.get(name)}
    if len(messages) > 1:
        raise BadRequest("MessageSid, SmsSid and SmsMessageSid contradict each other")
    if call:
        raise BadRequest("CallSid and MessageSid contradict each other: is it a call or a message?")
    if messages:
        return "messaging", messages.pop()
    return "unknown", ""


def _refuse_strange_sid(name: str, sid: str) -> None:
    if len(sid) > _LONGEST_SID:
        raise BadRequest(f"{name} is longer than {_LONGEST_SID} characters")
    if not sid.isprintable():
        raise BadRequest(f"{name} has control characters")


def target(name: str, url: str) -> Target:
    try:
        return Target(url, parse_url(url))
    except BadUrl as error:
        raise BadRequest(f"{name} {error}") from None


def _fallback(url: str) -> Target:
    """The address to apologise with, as it can be sent.

    Who writes it into the query of another without a second encoding has spaces in it here.
    """
    return target("FallbackUrl", url.replace(" ", "%20"))


def _method(name: str, value: str | None) -> str | None:
    if value is None:
        return None
    method = value.upper()
    if method not in ("GET", "POST"):
        raise BadRequest(f"{name} is neither GET nor POST")
    return method


def _without_twilios_own_query(error: Target, *, sid: str, account_sid: str, twilio: Fields) -> str:
    """The failed URL as its owner wrote it, as far as that can be told.

    Whether the ErrorUrl of a webhook with method GET ends in the parameters that Twilio appended
    is not documented. Some of those change during a call (CallStatus), and would make a new
    identity of each failure. So where the query repeats this request's own AccountSid and SID,
    the parameters that this request carries itself are left out of account: those with the same
    value, and those that change.
    """
    url = without_fragment(error.url)
    if not (sid and account_sid and sid in error.parts.query and account_sid in error.parts.query):
        return url
    query = parse_qsl(error.parts.query, keep_blank_values=True, errors="surrogateescape")
    values = {value for _, value in query}
    if sid not in values or account_sid not in values:
        return url
    own = {pair for pair in pairs_of(twilio) if pair[0] not in _OPTIONS}
    changing = _CHANGING & {name for name, _ in own}
    kept = [pair for pair in query if pair not in own and pair[0] not in changing]
    return repr((url.partition("?")[0], kept))


def _digests(account_sid: str, sid: str, url: str) -> tuple[str, str]:
    """That of the call, and that of the URL in it."""
    digest = _begun(f"{account_sid}\0{sid}")
    call = digest.hexdigest()
    digest.update(f"\0{url}".encode("utf-8", "surrogatepass"))
    return call, digest.hexdigest()


def _digest(text: str) -> str:
    return _begun(text).hexdigest()


def _begun(text: str) -> blake2b:
    """Eighteen bytes: no two failures share them by chance."""
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=18)


def is_same_address(failed: Target, other: Target) -> bool:
    """Whether the URL that failed is the other one, fragments and Twilio's additions aside.

    Characters may be written as escapes in one of them, and as themselves in the other. Twilio may
    append its own parameters to the query of a GET (undocumented for ErrorUrl), so a query that
    begins with the other's and goes on with an AccountSid counts as the same.
    """
    one, two = failed.parts, other.parts
    if (one.scheme, one.origin) != (two.scheme, two.origin):
        return False
    if one.path != two.path and unquote_to_bytes(one.path) != unquote_to_bytes(two.path):
        return False
    if one.query == two.query:
        return True
    query, lead = _plain(one.query), _plain(two.query)
    if query == lead:
        return True
    lead += b"&" if lead else b""
    return query.startswith(lead) and b"AccountSid=" in query[len(lead) :]


def _plain(query: str) -> bytes:
    return unquote_to_bytes(query.replace("+", " "))
