"""``[account]`` and its rules, as they are written and as they contradict."""

from __future__ import annotations

import pytest

from boomerang.cli.check_config import described
from boomerang.settings import InvalidSettings, Settings, Sources, load_settings
from boomerang.settings.account import AccountRule

SECRET = "hunter2"
SID = "AC" + "0" * 32
KEY = "SK" + "0" * 32


def load(file: str, **environment: str) -> Settings:
    return load_settings(Sources(file=file, environment=environment))


def problems(file: str, **environment: str) -> list[str]:
    with pytest.raises(InvalidSettings) as invalid:
        load(file, **environment)
    return invalid.value.problems


def test_nothing() -> None:
    """Nothing is audited unless it is asked for."""
    account = load("").account
    assert (account.audit_every, account.subaccounts, account.rule) == (0, False, ())
    assert load("[account]\naudit_every = 0").account.audit_every == 0


def test_customary_names() -> None:
    """The names that are customary at Twilio work."""
    settings = load("", TWILIO_ACCOUNT_SID=SID, TWILIO_API_KEY=KEY, TWILIO_API_SECRET=SECRET)
    assert (settings.account.api_key, settings.account.api_secret) == (KEY, SECRET)
    assert SECRET not in repr(settings)
    assert SECRET not in "\n".join(described(settings))
    assert "account.api_secret = (set)" in described(settings)


def test_swapped() -> None:
    """A secret in the place of the key is not shown."""
    swapped = f'[account]\napi_key = "{SECRET}"\napi_secret = "{KEY}"'
    assert problems(swapped) == [
        "boomerang.toml: account.api_key expected SK and 32 hexadecimal digits"
    ]
    assert problems("", TWILIO_API_KEY=SECRET, TWILIO_API_SECRET=KEY) == [
        "TWILIO_API_KEY expected SK and 32 hexadecimal digits"
    ]


def test_key_shown() -> None:
    """A key that is one is no secret."""
    settings = load("", TWILIO_API_KEY=KEY, TWILIO_API_SECRET=SECRET)
    assert f"account.api_key = {KEY}" in described(settings)


def test_rules() -> None:
    """Rules are read in their order."""
    first, second = load(
        """
        [[account.rule]]
        kind = "number"
        product = "voice"
        name = "sales *"
        sid = "PN*"
        account = "AC*"
        fallback_url = "https://static.example.com/sorry.xml"
        fallback_method = "POST"
        method = "GET"
        relay = true
        [[account.rule]]
        leave = true
        """
    ).account.rule
    assert first == AccountRule(
        kind="number",
        product="voice",
        name="sales *",
        sid="PN*",
        account="AC*",
        fallback_url="https://static.example.com/sorry.xml",
        fallback_method="POST",
        method="GET",
        relay=True,
    )
    assert second == AccountRule(leave=True)


AUDIT = "[account]\naudit_every = 86400\n"


def test_audit() -> None:
    """An audit needs to know where everything should point, and an account to ask for."""
    public = 'public_url = "https://b.example.com"\n'
    settings = load(public + AUDIT, BOOMERANG_TWILIO_ACCOUNT_SID=SID, TWILIO_AUTH_TOKEN=SECRET)
    assert settings.account.audit_every == 86400
    assert problems(AUDIT) == [
        "account.audit_every is set, expected public_url too",
        "account.audit_every is set, expected twilio.account_sid too",
        "account.audit_every is set, expected twilio.auth_token or account.api_key too",
    ]


def rule(*lines: str) -> str:
    return "\n".join(["[[account.rule]]", *lines]) + "\n"


@pytest.mark.parametrize(
    ("file", "said"),
    [
        (
            "[account]\naudit_every = 5",
            "boomerang.toml: account.audit_every is 5,"
            " expected 0 (never) or seconds from 300 to 2.6784e+06",
        ),
        (
            f'[account]\napi_key = "{KEY}"',
            "account.api_key is set, expected account.api_secret too",
        ),
        (
            f'[account]\napi_secret = "{SECRET}"',
            "account.api_secret is set, expected account.api_key too",
        ),
        (
            '[account]\napi_url = "http://mock.example.com"',
            "account.api_url is not https: the credentials would be readable on their way",
        ),
        (
            rule('kind = "call"'),
            "boomerang.toml: [[account.rule]] 1: kind is 'call', expected number or application or"
            " messaging-service or sip-domain or short-code or byoc-trunk",
        ),
        (
            rule('name = "a"', "leave = true", "relay = true"),
            "boomerang.toml: [[account.rule]] 1 ('a'): leave means that nothing is asked for,"
            " and relay asks for something",
        ),
        (
            rule('fallback_method = "POST"'),
            "boomerang.toml: [[account.rule]] 1: fallback_method means nothing without"
            " fallback_url",
        ),
        (
            rule('kind = "short-code"', 'product = "voice"'),
            "boomerang.toml: [[account.rule]] 1: a short-code has nothing for voice",
        ),
        (
            rule('kind = "number"') + rule('kind = "number"', 'name = "a"'),
            "boomerang.toml: account.rule 2 can never fit: rule 1 takes all of it",
        ),
        (
            rule("leave = true") + rule("relay = true"),
            "boomerang.toml: account.rule 2 can never fit: rule 1 takes all of it",
        ),
        (
            'allowed_hosts = ["*.example.com"]\n' + rule('fallback_url = "https://other.org/"'),
            "account.rule 1: fallback_url is at other.org, which allowed_hosts does not name",
        ),
    ],
)
def test_problems(file: str, said: str) -> None:
    """What is wrong is said, without secrets."""
    assert problems(file) == [said]


def test_rules_that_fit_elsewhere() -> None:
    """Rules that leave something to each other do not contradict."""
    some = rule('name = "a"') + rule('kind = "number"') + rule('product = "voice"') + rule()
    assert len(load(some).account.rule) == 4


def test_on_the_same_machine() -> None:
    """A mock on the same machine may do without TLS."""
    settings = load('[account]\napi_url = "http://127.0.0.1:4010/"')
    assert settings.account.api_url == "http://127.0.0.1:4010"
