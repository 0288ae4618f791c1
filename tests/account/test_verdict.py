"""How each URL of a resource stands."""

from __future__ import annotations

import pytest

from boomerang.account.connections import ConnectionRule
from boomerang.account.resources import LAYOUTS, Kind
from boomerang.account.verdict import GAPS, Verdict, judge
from boomerang.settings.account import AccountRule
from tests.account.resources import ACCOUNT, APP, HERE, RETRY, resource, wanted

V = Verdict
APPLICATION = "AP" + "0" * 32
RELAY = AccountRule(relay=True)
SHORT = ConnectionRule("wr_1", ACCOUNT, None, RETRY, 5.0)
FOREIGN = ConnectionRule("wr_2", "AC" + "9" * 32, None, RETRY, 5.0)

CASES: list[tuple[dict[str, str], AccountRule, Verdict, str, dict[str, str]]] = [
    ({}, RELAY, V.UNUSED, "", {}),
    ({"voice_url": APP, "voice_fallback_url": RETRY}, RELAY, V.COVERED, "", {}),
    ({"voice_url": APP}, RELAY, V.MISSING, "", {"voice_fallback_url": RETRY}),
    (
        {"voice_url": APP, "voice_fallback_method": "GET"},
        RELAY,
        V.MISSING,
        "",
        {"voice_fallback_url": RETRY, "voice_fallback_method": "POST"},
    ),
    (
        {"voice_url": APP, "voice_fallback_url": "https://other.org/"},
        RELAY,
        V.ELSEWHERE,
        "it is not boomerang's",
        {"voice_fallback_url": RETRY},
    ),
    (
        {"voice_url": APP, "voice_fallback_url": RETRY},
        AccountRule(fallback_url="https://s.example.com/"),
        V.ELSEWHERE,
        "its options are not those of the rule",
        {"voice_fallback_url": f"{RETRY}?FallbackUrl=https%3A%2F%2Fs.example.com%2F"},
    ),
    (
        {"voice_url": APP, "voice_fallback_url": RETRY, "voice_fallback_method": "GET"},
        RELAY,
        V.METHOD,
        "GET, not POST",
        {"voice_fallback_method": "POST"},
    ),
    (
        {"voice_url": APP, "voice_fallback_url": RETRY, "voice_fallback_method": "GET"},
        AccountRule(method="GET"),
        V.COVERED,
        "",
        {},
    ),
    (
        {"voice_url": APP, "voice_fallback_url": f"{RETRY}#rt=9000"},
        RELAY,
        V.BUDGET,
        "its fragment leaves 9 s of 10 s",
        {"voice_fallback_url": RETRY},
    ),
    (
        {
            "voice_url": APP,
            "voice_fallback_url": f"{RETRY}#e=nowhere",
            "voice_fallback_method": "GET",
        },
        RELAY,
        V.BUDGET,
        "a fragment that Twilio refuses leaves 0 s of 10 s",
        {"voice_fallback_url": RETRY, "voice_fallback_method": "POST"},
    ),
    ({"voice_url": APP, "voice_fallback_url": f"{RETRY}#rt=10000"}, RELAY, V.COVERED, "", {}),
    ({"voice_fallback_url": RETRY}, RELAY, V.NO_PRIMARY, "", {}),
    (
        {"voice_url": APP, "voice_application_sid": APPLICATION},
        RELAY,
        V.OVERRIDDEN,
        f"by the application {APPLICATION}",
        {},
    ),
    ({"voice_url": APP, "trunk_sid": "TK1"}, RELAY, V.OVERRIDDEN, "by the trunk TK1", {}),
    ({"voice_url": APP}, AccountRule(leave=True), V.LEFT, "by a rule", {}),
]


@pytest.mark.parametrize(("fields", "rule", "verdict", "detail", "fix"), CASES)
def test_fallback(
    fields: dict[str, str], rule: AccountRule, verdict: Verdict, detail: str, fix: dict[str, str]
) -> None:
    """A fallback is judged by what is configured, what wins over it, and what the rules ask."""
    voice = next(iter(judge(resource(Kind.NUMBER, **fields), wanted(rule), [FOREIGN])))
    assert (voice.url_field, voice.verdict, voice.detail) == ("voice_fallback_url", verdict, detail)
    assert voice.fix == fix
    assert bool(fix) <= voice.gap


def test_rule_of_the_webhooks_api() -> None:
    """A rule of the same account that leaves too little is a gap that no change here can close."""
    good = resource(voice_url=APP, voice_fallback_url=f"{RETRY}#rt=12000")
    voice = next(iter(judge(good, wanted(), [SHORT, FOREIGN])))
    assert (voice.verdict, voice.gap, voice.fix) == (V.BUDGET, True, {})
    assert voice.detail == "the Webhooks rule wr_1 leaves 5 s of 10 s"


QUOTED = "https%3A%2F%2Fapp.example.com%2Fvoice"


@pytest.mark.parametrize(
    ("fields", "rule", "verdict", "fix"),
    [
        ({}, RELAY, V.UNUSED, {}),
        (
            {"status_callback": APP},
            RELAY,
            V.NOT_RELAYED,
            {"status_callback": f"{HERE}/relay?Url={QUOTED}"},
        ),
        ({"status_callback": APP}, AccountRule(), V.LEFT, {}),
        ({"status_callback": APP}, AccountRule(leave=True), V.LEFT, {}),
        ({"status_callback": f"{HERE}/relay?Url={QUOTED}"}, RELAY, V.COVERED, {}),
        ({"status_callback": f"{HERE}/relay?Url={QUOTED}"}, AccountRule(), V.COVERED, {}),
        ({"status_callback": APP, "trunk_sid": "TK1"}, RELAY, V.OVERRIDDEN, {}),
        ({"status_callback": f"{HERE}/relay?Url=nowhere"}, RELAY, V.NOT_RELAYED, {}),
    ],
)
def test_callback(
    fields: dict[str, str], rule: AccountRule, verdict: Verdict, fix: dict[str, str]
) -> None:
    """A status callback is changed only where a rule asks for the relay, and it can be."""
    _, _, status = judge(resource(Kind.NUMBER, **fields), wanted(rule), [])
    assert (status.url_field, status.verdict, status.fix) == ("status_callback", verdict, fix)


@pytest.mark.parametrize(
    ("kind", "urls"),
    [
        (Kind.NUMBER, ["voice_fallback_url", "sms_fallback_url", "status_callback"]),
        (
            Kind.APPLICATION,
            [
                "voice_fallback_url",
                "sms_fallback_url",
                "status_callback",
                "message_status_callback",
                "sms_status_callback",
            ],
        ),
        (Kind.MESSAGING_SERVICE, ["fallback_url", "status_callback"]),
        (Kind.SIP_DOMAIN, ["voice_fallback_url", "voice_status_callback_url"]),
        (Kind.SHORT_CODE, ["sms_fallback_url"]),
        (Kind.BYOC_TRUNK, ["voice_fallback_url", "status_callback_url"]),
    ],
)
def test_urls(kind: Kind, urls: list[str]) -> None:
    """Each kind has its fallbacks and status callbacks."""
    assert [each.url_field for each in judge(resource(kind), wanted(), [])] == urls


@pytest.mark.parametrize("kind", list(Kind))
def test_gaps_of_each_kind(kind: Kind) -> None:
    """Of each kind a missing fallback and a callback that is not relayed is found, and its fix."""
    layout = LAYOUTS[kind]
    urls = [each.primary for each in layout.handlers] + [each.url for each in layout.callbacks]
    bare = resource(kind, **dict.fromkeys(urls, APP))
    found = list(judge(bare, wanted(RELAY), []))
    assert all(each.gap and each.fix for each in found)
    closed = resource(kind, **{**bare.fields, **{k: v for f in found for k, v in f.fix.items()}})
    assert {each.verdict for each in judge(closed, wanted(RELAY), [])} == {V.COVERED}


@pytest.mark.parametrize("kind", [Kind.NUMBER, Kind.SHORT_CODE])
def test_sender_of_a_service(kind: Kind) -> None:
    """A sender of a messaging service that answers itself has no say in messages."""
    sender = resource(kind, sms_url=APP, messaging_service="MG1")
    (sms,) = (each for each in judge(sender, wanted(), []) if each.url_field.startswith("sms"))
    assert (sms.verdict, sms.detail) == (V.OVERRIDDEN, "by the messaging service MG1")


def test_service_that_leaves_it_to_the_number() -> None:
    """A messaging service that uses the number's webhooks has no say."""
    service = resource(
        Kind.MESSAGING_SERVICE, inbound_request_url=APP, use_inbound_webhook_on_number="true"
    )
    fallback = next(iter(judge(service, wanted(), [])))
    assert fallback.verdict is V.OVERRIDDEN
    assert fallback.detail == "by the number that a message came to"


def test_no_primary_is_ever_changed() -> None:
    """No primary URL, and nothing that chooses between resources, is among what may be changed."""
    for layout in LAYOUTS.values():
        primaries = {each.primary for each in layout.handlers}
        overriding = {name for each in layout.handlers for name in each.overridden_by}
        assert not layout.changeable & (primaries | overriding)
    assert {each for each in Verdict if each not in GAPS} == {
        V.COVERED,
        V.NO_PRIMARY,
        V.OVERRIDDEN,
        V.LEFT,
        V.UNUSED,
    }
