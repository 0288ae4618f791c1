"""The stand-in for Twilio's API answers as Twilio's own description says, and refuses as Twilio."""

from __future__ import annotations

import pytest

from boomerang.account.resources import Kind
from tests.account.described import answer_problems, description, fields_of
from tests.fakes.twilio_api import MAIN, TOKEN, Asked, FakeTwilio
from tests.fakes.twilio_records import CHANGEABLE, KEYS, PATHS, record, sid_of

_ROOT = "/2010-04-01/Accounts/{AccountSid}/"


def described(kind: Kind, *, one: bool) -> str:
    """The path of a list, or of one of its resources, as the description writes it."""
    path = PATHS[kind]
    v1 = path.startswith("/v1/")
    return ("" if v1 else _ROOT) + path + ("/{Sid}" if one else "") + ("" if v1 else ".json")


def ask(fake: FakeTwilio, method: str, path: str, **more: dict[str, str]) -> tuple[int, dict]:  # type: ignore[type-arg]
    asked = Asked(method, path, more.get("query", {}), more.get("form", {}))
    return fake.answer(asked, (MAIN, TOKEN))


def of(kind: Kind, number: int = 1, **given: object) -> FakeTwilio:
    fake = FakeTwilio()
    made = record(kind, number, MAIN, **given)
    fake.main.resources[kind][made["sid"]] = made
    return fake


@pytest.mark.parametrize("kind", list(Kind))
class TestDescribed:
    def test_list(self, kind: Kind) -> None:
        """A list is as described, and each record has no field that the description lacks."""
        fake, path = of(kind), described(kind, one=False)
        status, document = ask(fake, "GET", path.replace("{AccountSid}", MAIN))
        assert status == 200
        assert answer_problems(path, "get", document) == []
        assert document[KEYS[kind]][0].keys() <= fields_of(path, KEYS[kind])

    def test_pages(self, kind: Kind) -> None:
        """So are the pages of a longer one."""
        fake, path = of(kind), described(kind, one=False)
        for number in range(2, 6):
            fake.main.resources[kind][sid_of(kind, number)] = record(kind, number, MAIN)
        query = {"PageSize": "2", "Page": "1"}
        _, document = ask(fake, "GET", path.replace("{AccountSid}", MAIN), query=query)
        assert answer_problems(path, "get", document) == []
        assert [each["sid"] for each in document[KEYS[kind]]] == [sid_of(kind, n) for n in (3, 4)]

    def test_update(self, kind: Kind) -> None:
        """An answer to an update is as described, and so are the parameters that are taken."""
        fake, path = of(kind), described(kind, one=True)
        where = path.replace("{AccountSid}", MAIN).replace("{Sid}", sid_of(kind, 1))
        status, document = ask(fake, "POST", where, form={})
        assert status == 200
        assert answer_problems(path, "post", document) == []
        body = description()["paths"][path]["post"]["requestBody"]["content"]
        (form,) = body.values()
        assert CHANGEABLE[kind].keys() <= form["schema"]["properties"].keys()


@pytest.mark.parametrize(
    ("kind", "what", "key"),
    [
        (Kind.NUMBER, "PhoneNumbers", "phone_numbers"),
        (Kind.SHORT_CODE, "ShortCodes", "short_codes"),
    ],
)
def test_senders(kind: Kind, what: str, key: str) -> None:
    """The senders of a messaging service are listed as described."""
    fake = of(kind)
    service = record(Kind.MESSAGING_SERVICE, 1, MAIN)
    fake.main.resources[Kind.MESSAGING_SERVICE][service["sid"]] = service
    fake.main.senders[service["sid"]] = [sid_of(kind, 1)]
    path = f"/v1/Services/{{ServiceSid}}/{what}"
    status, document = ask(fake, "GET", path.replace("{ServiceSid}", service["sid"]))
    assert status == 200
    assert answer_problems(path, "get", document) == []
    assert [each["sid"] for each in document[key]] == [sid_of(kind, 1)]
    assert document[key][0].keys() <= fields_of(path, key)


def test_accounts() -> None:
    """The list of accounts is as described."""
    _, document = ask(FakeTwilio(), "GET", "/2010-04-01/Accounts.json")
    assert answer_problems("/2010-04-01/Accounts.json", "get", document) == []


def test_checker() -> None:
    """The check of answers finds a wrong type, a wrong method and a wrong SID."""
    path = described(Kind.NUMBER, one=True)
    wrong = {"voice_url": 1, "voice_method": "PUT", "sid": "XX"}
    assert len(answer_problems(path, "post", wrong)) == 4
    assert answer_problems(path, "post", {"voice_url": None, "voice_method": None}) == []


GOOD = "https://b.example.com/retry"
NUMBER = f"/2010-04-01/Accounts/{MAIN}/IncomingPhoneNumbers/{sid_of(Kind.NUMBER, 1)}.json"


@pytest.mark.parametrize(
    ("form", "code"),
    [
        ({"VoiceFallbackUrl": GOOD}, 21405),
        ({"SmsFallbackUrl": GOOD}, 21406),
        ({"VoiceFallbackMethod": "PUT"}, 22106),
        ({"StatusCallback": "nonsense"}, 22105),
        ({"StatusCallback": f"https://b.example.com/{'x' * 4000}"}, 21609),
        ({"Nonsense": "1"}, 20001),
    ],
)
def test_refusals(form: dict[str, str], code: int) -> None:
    """What Twilio refuses is refused with its code, and changes nothing."""
    fake = of(Kind.NUMBER)
    before = fake.state()
    status, document = ask(fake, "POST", NUMBER, form=form)
    assert (status, document["code"], document["status"]) == (400, code, 400)
    assert fake.state() == before


def test_update() -> None:
    """What is taken is kept, and an empty text clears a field."""
    fake = of(Kind.NUMBER, voice_url="https://app.example.com/")
    assert ask(fake, "POST", NUMBER, form={"VoiceFallbackUrl": GOOD})[0] == 200
    assert GOOD in fake.state()
    assert ask(fake, "POST", NUMBER, form={"VoiceFallbackUrl": ""})[1]["voice_fallback_url"] is None


@pytest.mark.parametrize("login", [(MAIN, "wrong"), ("AC" + "f" * 32, TOKEN), ("", "")])
def test_credentials(login: tuple[str, str]) -> None:
    """Wrong credentials are refused."""
    status, document = FakeTwilio().answer(Asked("GET", "/2010-04-01/Accounts.json", {}, {}), login)
    assert (status, document["code"]) == (401, 20003)


@pytest.mark.parametrize(
    "path", ["/", "/v1/Nothing", f"/2010-04-01/Accounts/AC{'f' * 32}/Applications.json"]
)
def test_nowhere(path: str) -> None:
    """What is not there, or is not the asker's, is not found."""
    assert ask(FakeTwilio(), "GET", path)[1]["code"] == 20404
