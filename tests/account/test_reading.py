"""What is read for an audit."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from boomerang.account.api import Credentials, TwilioApi
from boomerang.account.audit import Snapshot
from boomerang.account.errors import Refused, TwilioError
from boomerang.account.reading import Accounts, read
from boomerang.account.resources import SERVICE, Kind
from tests.account.resources import HERE, RETRY
from tests.fakes.twilio_api import MAIN, TOKEN, FakeTwilio
from tests.fakes.twilio_records import record, webhook_rule, webhook_setting


@pytest.fixture
def accounts(twilio: FakeTwilio) -> Iterator[Accounts]:
    credentials = Credentials(MAIN, MAIN, TOKEN)
    api = TwilioApi(credentials, url=twilio.url, sleep=lambda _: None, random=lambda: 0.5)
    found = Accounts.of(api, subaccounts=False)
    yield found
    found.close()


def add(fake: FakeTwilio, kind: Kind, number: int, **given: object) -> str:
    made = record(kind, number, MAIN, **given)
    fake.main.resources[kind][made["sid"]] = made
    return str(made["sid"])


def services(snapshot: Snapshot) -> dict[str, str]:
    return {each.sid: each.fields[SERVICE] for each in snapshot.resources if SERVICE in each.fields}


def test_senders(twilio: FakeTwilio, accounts: Accounts) -> None:
    """Numbers and short codes know the messaging service that answers for them, if one does."""
    answering = add(twilio, Kind.MESSAGING_SERVICE, 1)
    leaving = add(twilio, Kind.MESSAGING_SERVICE, 2, use_inbound_webhook_on_number=True)
    alone, sender, left, short = (
        *(add(twilio, Kind.NUMBER, number) for number in (1, 2, 3)),
        add(twilio, Kind.SHORT_CODE, 1),
    )
    twilio.main.senders.update({answering: [sender, short], leaving: [left]})
    assert services(read(accounts, url=RETRY)) == {
        alone: "",
        sender: answering,
        left: "",
        short: answering,
    }
    assert not [each for each in twilio.asked if f"{leaving}/" in each.path]


@pytest.mark.parametrize(
    ("about", "seconds"),
    [
        ({"prefix": HERE}, 6.5),
        ({"prefix": f"{RETRY}?"}, 6.5),
        ({"value": RETRY}, 6.5),
        ({"value": f"{RETRY}?FallbackUrl=x"}, 6.5),
        ({"value": f"{HERE}/"}, None),
        ({"prefix": f"{HERE}/relay"}, None),
        ({"prefix": "https://app.example.com/"}, None),
        ({}, None),
    ],
)
def test_rules(
    twilio: FakeTwilio, accounts: Accounts, about: dict[str, str], seconds: float | None
) -> None:
    """A rule of the Webhooks API counts if it may be about our URL, with the least of its times."""
    twilio.main.rules.append(webhook_rule("wr_1", "ws_1", **about))
    twilio.main.rules[0]["settings"].append({"settingId": "ws_2", "percentage": 0})
    twilio.main.settings["ws_1"] = webhook_setting(
        "ws_1", connectTimeoutMs=100, readTimeoutMs=12000, totalTimeoutMs=60000
    )
    twilio.main.settings["ws_2"] = webhook_setting("ws_2", readTimeoutMs=6500)
    rules = read(accounts, url=RETRY).rules
    assert [rule.seconds for rule in rules] == ([] if seconds is None else [seconds])


def test_rule_without_times(twilio: FakeTwilio, accounts: Accounts) -> None:
    """A rule that says nothing of times leaves the usual one."""
    twilio.main.rules.append(webhook_rule("wr_1", "ws_1", prefix=HERE))
    twilio.main.settings["ws_1"] = {**webhook_setting("ws_1"), "connection": None}
    (rule,) = read(accounts, url=RETRY).rules
    assert (rule.seconds, rule.account) == (15, MAIN)


def test_setting_that_is_gone(twilio: FakeTwilio, accounts: Accounts) -> None:
    """A rule whose setting cannot be read is told as what was not looked at."""
    twilio.main.rules.append(webhook_rule("wr_1", "ws_1", prefix=HERE))
    (note,) = read(accounts, url=RETRY).notes
    assert note.startswith(f"the Webhooks rules of {MAIN} were not looked at: 404")


@pytest.mark.parametrize(("status", "error"), [(400, Refused), (500, TwilioError)])
def test_webhooks_api_that_fails(
    twilio: FakeTwilio, accounts: Accounts, status: int, error: type[TwilioError]
) -> None:
    """Where the Webhooks API fails, rather than not being there, the whole could not be read."""
    twilio.troubled = "/v1/Webhooks/"
    twilio.troubles.append((status, {}, b"{}"))
    with pytest.raises(error):
        read(accounts, url=RETRY)
