"""What is answered to which failure."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from boomerang.endpoints.fallback import Document, Fallback, Redirect
from boomerang.endpoints.rules import EndpointRules, rules_for
from boomerang.retry.hold import Room
from boomerang.retry.policy import (
    CODE,
    DEAD,
    ENDPOINT,
    Decision,
    HoldPlan,
    Kind,
    come_back,
    decide,
    decide_without_state,
    give_up,
    is_worth_it,
    plan_hold,
    repeating_can_help,
)
from boomerang.retry.request import FailedRequest, parse_failed_request, target
from boomerang.settings import RetrySettings
from boomerang.stores.interfaces import Claim

APP = "https://app.example.com/voice"
SORRY = "https://static.example.com/sorry.xml"
OWN = frozenset({("boomerang.example.com", 443), ("boomerang.example.com", 80)})
PROBE = "https://app.example.com/health"


def ruled(**settings: Any) -> EndpointRules:
    """The rules of URLs that no endpoint matches."""
    return rules_for(None, RetrySettings(**settings))


RULES = ruled()


def failure(
    url: str = APP, *options: tuple[str, str], code: str = "11200", sid: str = "CallSid"
) -> FailedRequest:
    twilio = [("ErrorCode", code), ("ErrorUrl", url), ("AccountSid", "AC1")]
    sids = [(sid, "CA1")] if sid else []
    return parse_failed_request([*twilio, *sids], options)


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
        "https://boomerang.example.com/retry/continue?token=x",
        "https://boomerang.example.com/status",
        "https://boomerang.example.com/status.json",
        "https://boomerang.example.com/status/assets/page.css",
    ],
)
def test_own_addresses(url: str) -> None:
    """A failure of boomerang's own address is not answered with that address."""
    assert decide_without_state(failure(url), OWN, RULES) == gives_up("circle")
    with_fallback = failure(url, ("FallbackUrl", SORRY), ("FallbackMethod", "POST"))
    assert decide_without_state(with_fallback, OWN, RULES) == falls_back("circle", method="POST")


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
    failed = failure(url, ("FallbackUrl", SORRY))
    assert decide_without_state(failed, OWN, RULES) == gives_up("circle")


def test_failed_fallback_of_our_own() -> None:
    """A FallbackUrl on this very host is not tried again either."""
    own = "https://boomerang.example.com/retry"
    failed = failure(own, ("FallbackUrl", own))
    assert decide_without_state(failed, OWN, RULES) == gives_up("circle")


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
    assert decide_without_state(failure(url, *options), OWN, RULES) is None


def test_nowhere() -> None:
    """Where it is not known by which addresses this host goes, none is its own."""
    url = "https://boomerang.example.com/retry"
    assert decide_without_state(failure(url), frozenset(), RULES) is None


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
    decision = decide(failure(url, *options), claim(), hopeless="", rules=RULES)
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
    decision = decide(failure(), claim(attempt), hopeless="", rules=ruled(attempts=attempts))
    if retried:
        assert decision == Decision(Kind.RETRY, attempt, "", url=APP)
    else:
        assert decision == gives_up("repeated", attempt=attempt)


@pytest.mark.parametrize(
    ("claimed", "hopeless", "reason", "attempt"),
    [
        (claim(2, round=2), "", "repeated", 2),
        (claim(1, round=11), "", "rounds", 1),
        (claim(2, round=11), "", "rounds", 2),
        (claim(0, round=1), CODE, "code", 0),
        (claim(1, round=10), CODE, "code", 0),
        (claim(1, round=11), CODE, "rounds", 0),
        (claim(0, round=0), CODE, "code", 0),
        (claim(0, round=1), ENDPOINT, "endpoint", 0),
        (claim(1, round=1), DEAD, "dead", 0),
        (claim(7, round=9), DEAD, "dead", 0),
        (claim(1, round=11), DEAD, "rounds", 0),
    ],
)
def test_giving_up(claimed: Claim, hopeless: str, reason: str, attempt: int) -> None:
    """What gets no second chance gets the FallbackUrl by its method, else Twilio's own message."""
    decision = decide(failure(), claimed, hopeless=hopeless, rules=RULES)
    assert decision == gives_up(reason, attempt=attempt)
    options = [("FallbackUrl", SORRY)]
    decision = decide(failure(APP, *options), claimed, hopeless=hopeless, rules=RULES)
    assert decision == falls_back(reason, attempt=attempt)
    options.append(("FallbackMethod", "POST"))
    decision = decide(failure(APP, *options), claimed, hopeless=hopeless, rules=RULES)
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
    assert decide(failed, claim(round=round), hopeless="", rules=RULES).kind is kind


@pytest.mark.parametrize(("hopeless", "attempt"), [("", 1), (CODE, 0), (DEAD, 0), (ENDPOINT, 0)])
def test_end_of_rounds(hopeless: str, attempt: int) -> None:
    """Beyond its rounds a call is sent nowhere, whatever failed, and the reason says so."""
    failed = failure(APP, ("FallbackUrl", SORRY))
    decision = decide(failed, claim(1, round=12), hopeless=hopeless, rules=RULES)
    assert decision == gives_up("rounds", attempt=attempt)


def test_names() -> None:
    """Every decision says which endpoint's rules were followed."""
    rules = attrs.evolve(RULES, name="menu", fallback=Fallback(voice=APOLOGY, messaging=AWAY))
    text = failure(sid="MessageSid")
    decisions = [
        decide(failure(), claim(1), hopeless="", rules=rules),
        decide(failure(), claim(2), hopeless="", rules=rules),
        decide(text, claim(2), hopeless="", rules=rules),
        decide(failure(), claim(2, round=12), hopeless="", rules=rules),
        decide_without_state(failure(OWN_URL), OWN, rules),
    ]
    assert [each and (each.kind.value, each.endpoint) for each in decisions] == [
        ("retry", "menu"),
        ("apology", "menu"),
        ("fallback", "menu"),
        ("give-up", "menu"),
        ("apology", "menu"),
    ]


@pytest.mark.parametrize(
    ("retry", "codes", "code", "worth_it"),
    [
        (True, (), "11200", True),
        (True, (), "12100", False),
        (True, ("11205",), "11205", True),
        (True, ("11205",), "11200", False),
        (True, ("12100",), "12100", True),
        (False, (), "11200", False),
        (False, ("11200",), "11200", False),
    ],
)
def test_worth_it(retry: bool, codes: tuple[str, ...], code: str, worth_it: bool) -> None:
    """An endpoint may name the codes that are worth it, or want no second chances at all."""
    rules = attrs.evolve(ruled(codes=codes), retry=retry)
    assert is_worth_it(failure(code=code), rules) is worth_it


@pytest.mark.parametrize(
    ("options", "settings", "method"),
    [
        ((), {"method": "GET"}, "GET"),
        ((("Method", "POST"),), {"method": "GET"}, "POST"),
        ((("Method", "GET"),), {"method": "POST"}, "GET"),
    ],
)
def test_method(
    options: tuple[tuple[str, str], ...], settings: dict[str, Any], method: str
) -> None:
    """The method of the second chance is the endpoint's, unless the request has one."""
    rules = ruled(**settings)
    assert decide(failure(APP, *options), claim(), hopeless="", rules=rules).method == method


APOLOGY = Document(b"<Response><Say>Sorry.</Say></Response>")
REPLY = Document(b"<Response><Message>Sorry.</Message></Response>")
AWAY = Redirect("https://cdn.example.org/sorry.xml", method="POST")
OWN_URL = "https://boomerang.example.com/retry"


@pytest.mark.parametrize(
    ("fallback", "sid", "expected"),
    [
        (Fallback(voice=APOLOGY, messaging=REPLY), "CallSid", APOLOGY),
        (Fallback(voice=APOLOGY, messaging=REPLY), "MessageSid", REPLY),
        (Fallback(voice=APOLOGY, messaging=REPLY), "", None),
        (Fallback(voice=APOLOGY), "MessageSid", None),
        (Fallback(voice=AWAY, messaging=AWAY), "CallSid", AWAY),
        (Fallback(voice=AWAY, messaging=AWAY), "MessageSid", AWAY),
        (Fallback(voice=AWAY, messaging=AWAY), "", AWAY),
        (Fallback(messaging=AWAY), "CallSid", None),
        (Fallback(), "CallSid", None),
    ],
)
def test_last_resorts(fallback: Fallback, sid: str, expected: Document | Redirect | None) -> None:
    """Each product has its own last resort; what may be either only one that suits both."""
    rules = attrs.evolve(RULES, fallback=fallback)
    decision = give_up(failure(sid=sid), rules, attempt=2, reason="repeated")
    match expected:
        case Document(body):
            assert decision == Decision(Kind.APOLOGY, 2, "repeated", document=body)
        case Redirect(url, method):
            assert decision == Decision(Kind.FALLBACK, 2, "repeated", url=url, method=method)
        case None:
            assert decision == gives_up("repeated", attempt=2)


def test_fallback_url_comes_first() -> None:
    """A FallbackUrl of the request comes before the endpoint's own last resort."""
    rules = attrs.evolve(RULES, fallback=Fallback(voice=APOLOGY))
    failed = failure(APP, ("FallbackUrl", SORRY))
    assert give_up(failed, rules, attempt=2, reason="repeated") == falls_back("repeated", attempt=2)


def test_not_what_has_failed() -> None:
    """A last resort that is the very URL that has failed is left out, however it was chosen."""
    rules = attrs.evolve(RULES, fallback=Fallback(voice=AWAY))
    assert give_up(failure(AWAY.url), rules, attempt=2, reason="repeated") == gives_up(
        "repeated", attempt=2
    )
    failed = failure(SORRY, ("FallbackUrl", SORRY))
    assert give_up(failed, rules, attempt=0, reason="circle") == Decision(
        Kind.FALLBACK, 0, "circle", url=AWAY.url, method="POST"
    )


LAST_RESORTS = [target("fallback", AWAY.url), target("fallback", "https://cdn.example.org/b.xml")]


@pytest.mark.parametrize(
    ("url", "own", "expected"),
    [
        (AWAY.url, AWAY, gives_up("circle")),
        (f"{AWAY.url}?AccountSid=AC1&CallSid=CA1", AWAY, gives_up("circle")),
        (AWAY.url, Redirect("https://cdn.example.org/b.xml"), gives_up("circle")),
        (AWAY.url, None, gives_up("circle")),
        (AWAY.url, APOLOGY, Decision(Kind.APOLOGY, 0, "circle", document=APOLOGY.body)),
        (APP, AWAY, None),
    ],
)
@pytest.mark.parametrize("options", [(), (("FallbackUrl", SORRY),)])
def test_a_last_resort_has_failed(
    url: str,
    own: Document | Redirect | None,
    expected: Decision | None,
    options: tuple[tuple[str, str], ...],
) -> None:
    """After an address that the settings name as last resort comes only what is served here."""
    rules = attrs.evolve(RULES, fallback=Fallback(voice=own))
    assert decide_without_state(failure(url, *options), OWN, rules, LAST_RESORTS) == expected


@pytest.mark.parametrize("general", [AWAY, APOLOGY, Redirect(SORRY), Redirect(OWN_URL), None])
@pytest.mark.parametrize("of_apps", [Redirect("https://cdn.example.org/b.xml"), APOLOGY, None])
@pytest.mark.parametrize("fallback", [SORRY, AWAY.url, OWN_URL, APP, None])
@pytest.mark.parametrize("first", [APP, OWN_URL, SORRY])
def test_everything_fails(
    general: Document | Redirect | None,
    of_apps: Document | Redirect | None,
    fallback: str | None,
    first: str,
) -> None:
    """Whatever is configured, and whatever fails, a call comes to its end within a few steps."""
    of_others = attrs.evolve(RULES, fallback=Fallback(voice=general))
    of_app = attrs.evolve(RULES, name="app", fallback=Fallback(voice=of_apps or general))
    resorts = [
        target("fallback", each.url) for each in (general, of_apps) if isinstance(each, Redirect)
    ]
    options = (("FallbackUrl", fallback),) if fallback else ()
    failing, counted = first, 0
    steps: list[Kind] = []
    while failing and len(steps) < 20:
        failed = failure(failing, *options)
        rules = of_app if failing == APP else of_others
        decision = decide_without_state(failed, OWN, rules, resorts)
        if decision is None:
            counted += 1
            decision = decide(failed, claim(counted, round=counted), hopeless="", rules=rules)
        steps.append(decision.kind)
        failing = decision.url or ""
    assert steps[-1] in (Kind.GIVE_UP, Kind.APOLOGY)
    assert len(steps) <= 14


def test_coming_back() -> None:
    """A second chance that is still to come: the same decision, to this host again, by POST."""
    chance = decide(failure(APP, ("Method", "GET")), claim(), hopeless="", rules=RULES)
    url = "https://boomerang.example.com/retry/continue?token=x"
    assert come_back(chance, url) == attrs.evolve(chance, kind=Kind.HOLD, url=url, method="POST")


AWAKE = {"probe": PROBE, "hold_limit": 60.0}


@pytest.mark.parametrize(
    ("settings", "sid", "room", "wait", "limit"),
    [
        ({}, "CallSid", 14.0, 8.0, 8.0),
        ({"wait": 0.0}, "CallSid", 14.0, 0.0, 0.0),
        ({"wait": 14.0}, "CallSid", 14.0, 14.0, 14.0),
        ({}, "CallSid", 5.0, 5.0, 5.0),
        ({}, "CallSid", 0.0, 0.0, 0.0),
        ({"probe": PROBE}, "CallSid", 14.0, 8.0, 8.0),
        ({"hold_limit": 60.0}, "CallSid", 14.0, 8.0, 8.0),
        (AWAKE, "CallSid", 14.0, 60.0, 60.0),
        (AWAKE, "MessageSid", 14.0, 14.0, 14.0),
        (AWAKE, "", 14.0, 14.0, 14.0),
        (AWAKE, "CallSid", 5.0, 60.0, 60.0),
        (AWAKE, "MessageSid", 5.0, 5.0, 5.0),
        (AWAKE, "CallSid", 0.0, 0.0, 0.0),
        ({"probe": PROBE, "hold_limit": 10.0}, "CallSid", 14.0, 10.0, 10.0),
        ({"release_rate": 5.0}, "CallSid", 14.0, 8.0, 14.0),
        ({"release_rate": 5.0}, "CallSid", 10.0, 8.0, 10.0),
        ({"release_rate": 5.0}, "CallSid", 5.0, 5.0, 5.0),
        ({"release_rate": 5.0}, "CallSid", 0.0, 0.0, 0.0),
        ({"release_rate": 5.0, "wait": 0.0}, "CallSid", 14.0, 0.0, 0.0),
        ({"release_rate": 5.0, **AWAKE}, "CallSid", 14.0, 60.0, 60.0),
        ({"release_rate": 5.0, **AWAKE}, "MessageSid", 14.0, 14.0, 14.0),
    ],
)
def test_plans(settings: dict[str, Any], sid: str, room: float, wait: float, limit: float) -> None:
    """How long a failure is held; only calls for longer than Twilio waits, and only with a probe.

    Where others may have to go first, there is time for that beyond the wait.
    """
    planned = plan_hold(failure(sid=sid), ruled(**settings), room=Room(room))
    assert planned == HoldPlan(wait=wait, limit=limit)


@pytest.mark.parametrize(("wait", "why_not"), [(8.0, "full"), (0.0, "")])
def test_plan_without_room(wait: float, why_not: str) -> None:
    """Where there is no room the plan says why, unless nothing would have been held anyway."""
    planned = plan_hold(failure(), ruled(wait=wait), room=Room(0.0, "full"))
    assert planned == HoldPlan(wait=0.0, limit=0.0, why_not=why_not)
    assert planned.seen_at(5.0) == HoldPlan(wait=0.0, limit=0.0, why_not=why_not)


@pytest.mark.parametrize(
    ("wait", "limit", "hold", "expected"),
    [
        (8.0, 8.0, 8.0, HoldPlan(8.0, 8.0)),
        (8.0, 8.0, 3.0, HoldPlan(3.0, 3.0, spent=5.0)),
        (8.0, 14.0, 14.0, HoldPlan(8.0, 14.0)),
        (8.0, 14.0, 9.0, HoldPlan(3.0, 9.0, spent=5.0)),
        (8.0, 14.0, 2.0, HoldPlan(0.0, 2.0, spent=12.0)),
        (60.0, 60.0, 45.0, HoldPlan(45.0, 45.0, spent=15.0)),
        (8.0, 8.0, 0.0, HoldPlan(0.0, 0.0, spent=8.0)),
        (8.0, 8.0, 100.0, HoldPlan(8.0, 8.0)),
        (5.0, 5.0, 8.0, HoldPlan(5.0, 5.0)),
    ],
)
def test_plans_of_repeats(wait: float, limit: float, hold: float, expected: HoldPlan) -> None:
    """A repeat has what is left of the first one's hold, and never more than was planned."""
    assert HoldPlan(wait, limit).seen_at(hold) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0.0, HoldPlan(8.0, 14.0, spent=1.0)),
        (3.0, HoldPlan(5.0, 11.0, spent=4.0)),
        (9.0, HoldPlan(0.0, 5.0, spent=10.0)),
        (14.0, HoldPlan(0.0, 0.0, spent=15.0)),
        (100.0, HoldPlan(0.0, 0.0, spent=15.0)),
    ],
)
def test_plans_of_late_ones(seconds: float, expected: HoldPlan) -> None:
    """What was spent before a request was read is not spent again, and never less than all."""
    assert HoldPlan(8.0, 14.0, spent=1.0).shorter_by(seconds) == expected
