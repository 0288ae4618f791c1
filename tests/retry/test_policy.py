"""What is answered to which failure."""

from __future__ import annotations

import pytest

from boomerang.retry.policy import (
    Decision,
    Kind,
    RetryRules,
    decide,
    decide_without_state,
    repeating_can_help,
)
from boomerang.retry.request import FailedRequest, parse_failed_request
from boomerang.stores.interfaces import Claim

APP = "https://app.example.com/voice"
SORRY = "https://static.example.com/sorry.xml"
OWN = frozenset({("boomerang.example.com", 443), ("boomerang.example.com", 80)})
RULES = RetryRules(wait=8.0, window=900.0, attempts=1, rounds=10)


def failure(url: str = APP, *options: tuple[str, str]) -> FailedRequest:
    twilio = [("ErrorCode", "11200"), ("ErrorUrl", url), ("CallSid", "CA1"), ("AccountSid", "AC1")]
    return parse_failed_request(twilio, options)


def claim(attempt: int = 1, *, round: int = 1) -> Claim:
    return Claim(attempt=attempt, hold=8.0, round=round)


def gives_up(reason: str, *, attempt: int = 0) -> Decision:
    return Decision(Kind.GIVE_UP, attempt, reason, url=None)


def falls_back(reason: str, *, attempt: int = 0, method: str = "GET") -> Decision:
    return Decision(Kind.FALLBACK, attempt, reason, url=SORRY, method=method)


@pytest.mark.parametrize(
    ("code", "can_help"),
    [
        ("11100", False),  # malformed URL
        ("11200", True),  # cause not identified
        ("11201", True),  # TCP connect timed out
        ("11202", True),  # TCP refused
        ("11203", True),  # total time used up
        ("11205", True),  # connection failure
        ("11206", True),  # not valid HTTP: a server that is just starting
        ("11210", True),  # host name does not resolve, rarely for a moment
        ("11215", False),  # too many HTTP redirects
        ("11216", False),  # invalid HTTP redirect
        ("11217", True),  # 4xx or 5xx: the code does not say which
        ("11220", True),  # TLS handshake
        ("11235", False),  # certificate: wrong name
        ("11236", False),  # certificate: expired
        ("11237", False),  # certificate: unknown issuer
        ("11240", False),  # connection override: edge invalid
        ("11241", False),  # connection override: edge unsupported
        ("11242", False),  # connection override: interconnect not allowed
        ("11243", False),  # connection override: retry policy invalid
        ("11251", True),  # HTTP protocol violation
        ("11300", False),  # bad URL template
        ("11310", False),
        ("11320", False),
        ("11750", False),  # TwiML over 64 kB
        ("11751", False),  # outgoing media too large
        ("11767", True),  # in no dictionary
        ("11770", True),  # chunked answer without a body: a server that restarts
        ("12100", False),  # not XML
        ("12101", False),  # bad TwiML version
        ("12102", False),  # root is not Response
        ("12200", False),  # schema warning
        ("12300", False),  # content type not usable
        ("12301", False),  # invalid upload content type
        ("12400", True),  # failure inside Twilio
        ("13420", False),  # Play: type
        ("13520", False),  # Say: text
        ("13710", False),  # Redirect: method
        ("13910", False),  # Pause: length
        ("14110", False),  # verb not allowed in a message
        ("11204", True),  # unknown, retrieval
        ("11219", True),
        ("11299", True),
        ("12000", False),  # unknown, document
        ("12401", False),
        ("12999", False),
        ("13000", False),  # unknown, verb
        ("14999", False),
        ("15000", True),  # unknown altogether
        ("10000", True),
        ("0", True),
        ("12", True),  # not one of Twilio's five digits
        ("1210", True),
        ("120000", True),
        ("124000", True),
    ],
)
def test_codes(code: str, can_help: bool) -> None:
    """Repeating can help unless the error would come again however often one asks."""
    assert repeating_can_help(code) is can_help


@pytest.mark.parametrize(
    "url",
    [
        "https://boomerang.example.com/retry",
        "https://boomerang.example.com/retry?FallbackUrl=http%3A%2F%2Ff%2F",
        "https://BOOMERANG.example.com.:443/retry/",
        "http://boomerang.example.com/retry#rt=5000",
        "https://boomerang.example.com/relay?Url=http%3A%2F%2Fa%2F",
        "https://boomerang.example.com/debugger",
        "https://boomerang.example.com/health",
        "https://boomerang.example.com/metrics",
        "https://boomerang.example.com/status",
        "https://boomerang.example.com/status/assets/page.css",
    ],
)
def test_own_addresses(url: str) -> None:
    """A failure of boomerang's own address is not answered with that address."""
    assert decide_without_state(failure(url), OWN) == gives_up("circle")
    with_fallback = failure(url, ("FallbackUrl", SORRY), ("FallbackMethod", "POST"))
    assert decide_without_state(with_fallback, OWN) == falls_back("circle", method="POST")


@pytest.mark.parametrize(
    "url",
    [
        SORRY,
        f"{SORRY}#rt=5000",
        "HTTPS://STATIC.example.com:443/sorry.xml",
        f"{SORRY}?CallSid=CA1&AccountSid=AC1",
    ],
)
def test_failed_fallback(url: str) -> None:
    """When the last resort itself failed, nothing is left to try."""
    assert decide_without_state(failure(url, ("FallbackUrl", SORRY)), OWN) == gives_up("circle")


def test_failed_fallback_of_our_own() -> None:
    """A FallbackUrl on this very host is not tried again either."""
    own = "https://boomerang.example.com/retry"
    assert decide_without_state(failure(own, ("FallbackUrl", own)), OWN) == gives_up("circle")


@pytest.mark.parametrize(
    ("url", "options"),
    [
        (APP, ()),
        (APP, (("FallbackUrl", SORRY),)),
        (SORRY, ()),
        (f"{SORRY}?other", (("FallbackUrl", SORRY),)),
        ("https://app.example.com/retry", ()),
        ("https://boomerang.example.com:8443/retry", ()),
        ("https://boomerang.example.com/retrying", ()),
        ("https://boomerang.example.com/voice/retry", ()),
        ("https://boomerang.example.com/", ()),
    ],
)
def test_no_circle(url: str, options: tuple[tuple[str, str], ...]) -> None:
    """Everything else deserves to be counted."""
    assert decide_without_state(failure(url, *options), OWN) is None


def test_nowhere() -> None:
    """Where it is not known by which addresses this host goes, none is its own."""
    url = "https://boomerang.example.com/retry"
    assert decide_without_state(failure(url), frozenset()) is None


@pytest.mark.parametrize(
    ("options", "method"),
    [
        ((), "POST"),
        ((("Method", "GET"),), "GET"),
        ((("Method", "POST"),), "POST"),
        ((("FallbackUrl", SORRY), ("FallbackMethod", "GET")), "POST"),
    ],
)
def test_second_chance(options: tuple[tuple[str, str], ...], method: str) -> None:
    """The first failure sends the call back to the very URL that failed, by POST unless told."""
    url = f"{APP}?x=1&y=%32#rt=5000"
    decision = decide(failure(url, *options), claim(), counted=True, rules=RULES)
    assert decision == Decision(Kind.RETRY, 1, "", url=url, method=method)


@pytest.mark.parametrize(
    ("attempts", "attempt", "retried"),
    [
        (0, 1, False),
        (1, 1, True),
        (1, 2, False),
        (3, 3, True),
        (3, 4, False),
    ],
)
def test_attempts(attempts: int, attempt: int, retried: bool) -> None:
    """A failed request has so many second chances, and then none."""
    rules = RetryRules(wait=8.0, window=900.0, attempts=attempts, rounds=10)
    decision = decide(failure(), claim(attempt), counted=True, rules=rules)
    if retried:
        assert decision == Decision(Kind.RETRY, attempt, "", url=APP)
    else:
        assert decision == gives_up("repeated", attempt=attempt)


@pytest.mark.parametrize(
    ("claimed", "counted", "reason", "attempt"),
    [
        (claim(2, round=2), True, "repeated", 2),
        (claim(1, round=11), True, "rounds", 1),
        (claim(2, round=11), True, "rounds", 2),
        (claim(0, round=1), False, "code", 0),
        (claim(1, round=10), False, "code", 0),
        (claim(1, round=11), False, "rounds", 0),
        (claim(0, round=0), False, "code", 0),
    ],
)
def test_giving_up(claimed: Claim, counted: bool, reason: str, attempt: int) -> None:
    """What gets no second chance gets the FallbackUrl by its method, else Twilio's own message."""
    decision = decide(failure(), claimed, counted=counted, rules=RULES)
    assert decision == gives_up(reason, attempt=attempt)
    options = [("FallbackUrl", SORRY)]
    decision = decide(failure(APP, *options), claimed, counted=counted, rules=RULES)
    assert decision == falls_back(reason, attempt=attempt)
    options.append(("FallbackMethod", "POST"))
    decision = decide(failure(APP, *options), claimed, counted=counted, rules=RULES)
    assert decision == falls_back(reason, attempt=attempt, method="POST")


@pytest.mark.parametrize(
    ("round", "kind"),
    [
        (0, Kind.RETRY),
        (1, Kind.RETRY),
        (10, Kind.RETRY),
        (11, Kind.FALLBACK),
        (12, Kind.GIVE_UP),
        (1000, Kind.GIVE_UP),
    ],
)
def test_rounds(round: int, kind: Kind) -> None:
    """A call has ten rounds, its FallbackUrl in the eleventh, and ends in the twelfth."""
    failed = failure(APP, ("FallbackUrl", SORRY))
    assert decide(failed, claim(round=round), counted=True, rules=RULES).kind is kind


@pytest.mark.parametrize("counted", [True, False])
def test_end_of_rounds(counted: bool) -> None:
    """Beyond its rounds a call is sent nowhere, whatever failed, and the reason says so."""
    failed = failure(APP, ("FallbackUrl", SORRY))
    decision = decide(failed, claim(1, round=12), counted=counted, rules=RULES)
    assert decision == gives_up("rounds", attempt=int(counted))


def _failed(url: str) -> FailedRequest:
    return parse_failed_request(
        [("ErrorCode", "11200"), ("ErrorUrl", url), ("CallSid", "CA1"), ("AccountSid", "AC1")], []
    )


def test_status_json() -> None:
    """The data of the status page is an address of boomerang's own."""
    own = frozenset({("b.example.com", 443)})
    assert decide_without_state(_failed("https://b.example.com/status.json"), own) is not None
