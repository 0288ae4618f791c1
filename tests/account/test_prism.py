"""Against Prism, which refuses what Twilio's own description of its API forbids.

It keeps nothing, and answers with the description's examples.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from boomerang.account.api import Credentials, TwilioApi
from boomerang.account.audit import audit
from boomerang.account.carrying import carry_out
from boomerang.account.errors import Refused
from boomerang.account.plan import Change, plan
from boomerang.account.reading import Accounts, read
from boomerang.account.resources import LAYOUTS, Kind
from boomerang.account.verdict import Verdict
from boomerang.settings.account import AccountRule
from tests.account.prism import PRISM, prism
from tests.account.resources import RETRY, wanted

pytestmark = pytest.mark.skipif(
    PRISM is None, reason="Prism is not installed: make servers does it where npm is"
)

ACCOUNT = "AC" + "a" * 32


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with prism(tmp_path_factory.mktemp("prism")) as address:
        yield address


@pytest.fixture
def api(url: str) -> Iterator[TwilioApi]:
    credentials = Credentials(ACCOUNT, ACCOUNT, "token")
    asked = TwilioApi(credentials, url=url, sleep=lambda _: None, random=lambda: 0.5)
    yield asked
    asked.close()


@pytest.mark.parametrize("kind", list(Kind))
def test_resources(api: TwilioApi, kind: Kind) -> None:
    """Each kind is asked for as the description wants it, and has all fields that are looked at.

    The example of the TwiML apps always offers another page, as the trap that it is.
    """
    (found,) = api.resources(kind)
    assert found.fields.keys() == LAYOUTS[kind].fields


@pytest.mark.parametrize("kind", list(Kind))
def test_update(api: TwilioApi, kind: Kind) -> None:
    """All that may ever be changed is taken, of each kind."""
    after = {
        name: "POST" if name.endswith("_method") else RETRY for name in LAYOUTS[kind].changeable
    }
    (found,) = api.resources(kind)
    api.update(Change(kind, found.sid, ACCOUNT, "", {}, after))


def test_whole(api: TwilioApi) -> None:
    """An account of one of each kind is audited, and its plan is taken."""
    accounts = Accounts.of(api, subaccounts=True)
    found = audit(read(accounts, url=RETRY), wanted(AccountRule(relay=True)))
    verdicts = [each.verdict for each in found.findings]
    assert {Verdict.MISSING, Verdict.ELSEWHERE, Verdict.NOT_RELAYED} <= set(verdicts)
    assert found.notes == (
        f"the Webhooks rules of {ACCOUNT} were not looked at:"
        " 404: Route not resolved, no path matched",
    )
    done: list[Change] = []
    carry_out(accounts, plan(found.findings).changes, done=done.append)
    assert len(done) == 3


@pytest.mark.parametrize(
    "wrong", [{"voice_fallback_method": "PUT"}, {"voice_fallback_url": "not a URL"}]
)
def test_refused(api: TwilioApi, wrong: dict[str, str]) -> None:
    """What Twilio would refuse is refused."""
    with pytest.raises(Refused, match=r"^422: "):
        api.update(Change(Kind.NUMBER, "PN" + "a" * 32, ACCOUNT, "", {}, wrong))


def test_wrong_sid(api: TwilioApi) -> None:
    """A SID of another kind is none."""
    with pytest.raises(Refused):
        api.update(Change(Kind.NUMBER, "AP1", ACCOUNT, "", {}, {"voice_fallback_url": RETRY}))
