"""An account of a size, with every kind of gap planted, and what an audit has to find in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from boomerang.account.resources import Kind
from boomerang.account.verdict import Verdict
from tests.fakes.twilio_api import MAIN, FakeTwilio
from tests.fakes.twilio_records import record, sid_of

HERE: Final = "https://boomerang.example.com"
RETRY: Final = f"{HERE}/retry?FallbackUrl=https%3A%2F%2Fstatic.example.com%2Fsorry.xml"
APP: Final = "https://app.example.com/voice?line=1&x=%20"
RELAYED: Final = f"{HERE}/relay?Url=https%3A%2F%2Fapp.example.com%2Fended"

SETTINGS: Final = f"""
public_url = "{HERE}"
store = "memory:"
[twilio]
account_sid = "{MAIN}"
[[account.rule]]
name = "staging *"
leave = true
[[account.rule]]
fallback_url = "https://static.example.com/sorry.xml"
relay = true
"""

Found = tuple[str, str, Verdict]
Fields = Mapping[str, Any]

_GOOD_VOICE: Final = {"voice_url": APP, "voice_fallback_url": RETRY}
_GOOD_SMS: Final = {"sms_url": APP, "sms_fallback_url": RETRY}

_NUMBERS: Final[tuple[tuple[Fields, str, Verdict], ...]] = (
    ({"voice_url": APP}, "voice_fallback_url", Verdict.MISSING),
    ({"sms_url": APP}, "sms_fallback_url", Verdict.MISSING),
    (
        {"voice_url": APP, "voice_fallback_url": "https://user:hunter2@old.example.com/x"},
        "voice_fallback_url",
        Verdict.ELSEWHERE,
    ),
    (
        {"voice_url": APP, "voice_fallback_url": f"{HERE}/retry"},
        "voice_fallback_url",
        Verdict.ELSEWHERE,
    ),
    ({**_GOOD_VOICE, "voice_fallback_method": "GET"}, "voice_fallback_url", Verdict.METHOD),
    (
        {"voice_url": APP, "voice_fallback_url": f"{RETRY}#rt=5000"},
        "voice_fallback_url",
        Verdict.BUDGET,
    ),
    (
        {**_GOOD_VOICE, "status_callback": "https://app.example.com/ended"},
        "status_callback",
        Verdict.NOT_RELAYED,
    ),
)

_HARMLESS: Final[tuple[Fields, ...]] = (
    {},
    {**_GOOD_VOICE, **_GOOD_SMS},
    {**_GOOD_VOICE, "status_callback": RELAYED},
    {"voice_url": APP, "voice_application_sid": sid_of(Kind.APPLICATION, 1)},
    {"sms_url": APP, "sms_application_sid": sid_of(Kind.APPLICATION, 1)},
    {"voice_url": APP, "trunk_sid": "TK" + "0" * 32},
    {"voice_fallback_url": RETRY, "sms_fallback_url": "https://old.example.com/"},
    {"voice_url": APP, "friendly_name": "staging line"},
)


def plant(fake: FakeTwilio, *, numbers: int, applications: int, services: int) -> set[Found]:
    """Fill the account; returns the gaps."""
    gaps: set[Found] = set()
    for kind, number, given, gap in (
        *_numbers(numbers),
        *_applications(applications),
        *_services(services),
        *_few(),
    ):
        made = record(kind, number, MAIN, **given)
        fake.main.resources[kind][made["sid"]] = made
        gaps.update((made["sid"], url, verdict) for url, verdict in gap.items())
    _senders(fake, gaps)
    return gaps


def _senders(fake: FakeTwilio, gaps: set[Found]) -> None:
    """Make a number a sender of a service that answers, and one of a service that does not."""
    for service, number in ((1, 3), (2, 24)):
        fake.main.senders[sid_of(Kind.MESSAGING_SERVICE, service)] = [sid_of(Kind.NUMBER, number)]
    gaps.remove((sid_of(Kind.NUMBER, 3), "sms_fallback_url", Verdict.MISSING))


Planted = tuple[Kind, int, Fields, Mapping[str, Verdict]]


def _numbers(count: int) -> Iterator[Planted]:
    """Every third number has a gap, kind by kind."""
    for number in range(1, count + 1):
        if number % 3:
            yield Kind.NUMBER, number, _HARMLESS[number % len(_HARMLESS)], {}
        else:
            given, url, verdict = _NUMBERS[number // 3 % len(_NUMBERS)]
            yield Kind.NUMBER, number, given, {url: verdict}


def _applications(count: int) -> Iterator[Planted]:
    for number in range(1, count + 1):
        if number % 2:
            yield Kind.APPLICATION, number, {**_GOOD_VOICE, **_GOOD_SMS}, {}
        else:
            given = {"voice_url": APP, "message_status_callback": "https://app.example.com/sent"}
            gaps = {
                "voice_fallback_url": Verdict.MISSING,
                "message_status_callback": Verdict.NOT_RELAYED,
            }
            yield Kind.APPLICATION, number, given, gaps


def _services(count: int) -> Iterator[Planted]:
    for number in range(1, count + 1):
        given = {"inbound_request_url": APP}
        if number % 2:
            yield Kind.MESSAGING_SERVICE, number, given, {"fallback_url": Verdict.MISSING}
        else:
            theirs = {**given, "use_inbound_webhook_on_number": True}
            yield Kind.MESSAGING_SERVICE, number, theirs, {}


def _few() -> Iterator[Planted]:
    """One of each of the others."""
    yield Kind.SIP_DOMAIN, 1, {"voice_url": APP}, {"voice_fallback_url": Verdict.MISSING}
    yield Kind.SHORT_CODE, 1, {"sms_url": APP}, {"sms_fallback_url": Verdict.MISSING}
    yield Kind.BYOC_TRUNK, 1, {"voice_url": APP}, {"voice_fallback_url": Verdict.MISSING}
