"""What the rules ask for."""

from __future__ import annotations

import pytest
from attrs import evolve

from boomerang.account.resources import MESSAGING, VOICE, Kind
from boomerang.settings.account import AccountRule
from tests.account.resources import ACCOUNT, APP, HERE, RETRY, resource, wanted

SORRY = "https://static.example.com/sorry.xml"
WITH_SORRY = f"{RETRY}?FallbackUrl=https%3A%2F%2Fstatic.example.com%2Fsorry.xml"


@pytest.mark.parametrize(
    ("rule", "fits"),
    [
        (AccountRule(), True),
        (AccountRule(kind="number"), True),
        (AccountRule(kind="application"), False),
        (AccountRule(product="voice"), True),
        (AccountRule(product="messaging"), False),
        (AccountRule(name="main*"), True),
        (AccountRule(name="+1500*"), True),
        (AccountRule(name="MAIN*"), False),
        (AccountRule(sid="PN?"), True),
        (AccountRule(sid="PN2"), False),
        (AccountRule(account=ACCOUNT), True),
        (AccountRule(account="AC9*"), False),
        (AccountRule(kind="number", name="other"), False),
    ],
)
def test_fits(rule: AccountRule, fits: bool) -> None:
    """A rule fits if all that it selects by does; a number has its friendly name and its digits."""
    marked = evolve(rule, relay=True)
    assert wanted(marked).rule(resource(), VOICE).relay is fits


def test_first() -> None:
    """The first rule that fits counts, alone; where none does, a fallback is asked for here."""
    rules = wanted(
        AccountRule(product="messaging", relay=True), AccountRule(kind="number", leave=True)
    )
    assert rules.rule(resource(), MESSAGING).relay
    assert not rules.rule(resource(), MESSAGING).leave
    assert rules.rule(resource(), VOICE).leave
    assert rules.rule(resource(Kind.SIP_DOMAIN), VOICE) == AccountRule()


@pytest.mark.parametrize(
    ("rule", "configured", "expected"),
    [
        (AccountRule(), "", RETRY),
        (AccountRule(), "https://elsewhere.example.com/retry", RETRY),
        (AccountRule(), "not a URL", RETRY),
        (AccountRule(), "http://boomerang.example.com/retry", RETRY),
        (AccountRule(), f"{HERE}/health", RETRY),
        (AccountRule(), RETRY, RETRY),
        (
            AccountRule(),
            "https://BOOMERANG.example.com:443/retry",
            "https://BOOMERANG.example.com:443/retry",
        ),
        (AccountRule(), f"{WITH_SORRY}#rt=12000", f"{WITH_SORRY}#rt=12000"),
        (AccountRule(), f"{RETRY}?FallbackMethod=PUT", RETRY),
        (AccountRule(), f"{RETRY}?FallbackUrl=sorry.xml", RETRY),
        (AccountRule(fallback_url=SORRY), "", WITH_SORRY),
        (AccountRule(fallback_url=SORRY), RETRY, WITH_SORRY),
        (AccountRule(fallback_url=SORRY), WITH_SORRY, WITH_SORRY),
        (
            AccountRule(fallback_url=SORRY),
            f"{RETRY}?FallbackUrl={SORRY}",
            f"{RETRY}?FallbackUrl={SORRY}",
        ),
        (
            AccountRule(fallback_url=SORRY),
            f"{RETRY}?Method=GET",
            f"{RETRY}?Method=GET&{WITH_SORRY.partition('?')[2]}",
        ),
        (
            AccountRule(fallback_url=SORRY, fallback_method="POST"),
            WITH_SORRY,
            f"{WITH_SORRY}&FallbackMethod=POST",
        ),
        (AccountRule(fallback_url=SORRY), f"{WITH_SORRY}&FallbackMethod=POST", WITH_SORRY),
    ],
)
def test_fallback(rule: AccountRule, configured: str, expected: str) -> None:
    """A good URL of ours stays, with all options that no rule speaks of; any other is replaced."""
    assert wanted(rule).fallback(rule, configured) == expected


@pytest.mark.parametrize(
    ("url", "said"),
    [
        (RETRY, None),
        (WITH_SORRY, None),
        (APP, "it is not boomerang's"),
        (f"{RETRY}?Method=PUT", "boomerang would refuse it: Method is neither GET nor POST"),
        (
            f"{RETRY}?FallbackUrl=https://other.org/",
            "boomerang would refuse it: allowed_hosts does not name its FallbackUrl's host",
        ),
    ],
)
def test_refusal(url: str, said: str | None) -> None:
    """What boomerang would answer with 400 or 403 during the outage is found out before."""
    assert wanted(hosts=("*.example.com",)).refusal(url) == said


QUOTED = "https%3A%2F%2Fapp.example.com%2Fvoice"


@pytest.mark.parametrize(
    ("url", "relayed"),
    [
        (APP, f"{HERE}/relay?Url={QUOTED}"),
        (f"{APP}?a=1&b=%20#rt=500", f"{HERE}/relay?Url={QUOTED}%3Fa%3D1%26b%3D%2520"),
        (f"https://old.example.com/relay?Url={QUOTED}", f"{HERE}/relay?Url={QUOTED}"),
        (
            "https://old.example.com/relay?Url=nowhere",
            f"{HERE}/relay?Url=https%3A%2F%2Fold.example.com%2Frelay%3FUrl%3Dnowhere",
        ),
    ],
)
def test_relay(url: str, relayed: str) -> None:
    """The relay is put in front; one at an old address of boomerang's is replaced."""
    assert wanted().relay(url) == relayed
    assert wanted().relayed(relayed) is not None


@pytest.mark.parametrize(
    ("url", "relayed"),
    [
        (APP, None),
        ("", None),
        (f"{HERE}/relay", None),
        (f"{HERE}/relay?Url=nowhere", None),
        (f"{HERE}/relay?Url={APP}&Url={APP}", None),
        (f"{HERE}/retry?Url={APP}", None),
        (f"{HERE}/relay?Url={APP}", APP),
        (f"{HERE}/relay?Url={QUOTED}#rt=5000", APP),
    ],
)
def test_relayed(url: str, relayed: str | None) -> None:
    """A relayed callback is one that leads to a web address."""
    assert wanted().relayed(url) == relayed


@pytest.mark.parametrize(
    ("url", "said"),
    [
        (APP, None),
        ("ftp://app.example.com/", "it is not an absolute http or https URL"),
        (RETRY, "it is an address of boomerang's own"),
        ("https://other.org/", "allowed_hosts does not name other.org"),
        (f"{APP}/{'/' * 1500}", "through the relay it would be longer than 4000 characters"),
    ],
)
def test_unfit(url: str, said: str | None) -> None:
    """What the relay or Twilio would refuse is not put there."""
    assert wanted(hosts=("*.example.com",)).unfit_for_relay(url) == said
