"""Twilio's API through its package: what is read and set, and all the ways in which it fails."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest

from boomerang.account.api import Credentials, MissingSetting, TwilioApi
from boomerang.account.asking import BODY_CAP, TRIES, PatientClient, Unasked
from boomerang.account.errors import Refused, TwilioError
from boomerang.account.plan import Change
from boomerang.account.resources import LAYOUTS, Kind
from boomerang.settings import Settings, TwilioSettings
from boomerang.settings.account import AccountSettings
from tests.fakes.twilio_api import MAIN, TOKEN, FakeTwilio
from tests.fakes.twilio_records import record, sid_of, webhook_rule, webhook_setting

KEY = "SK" + "0" * 32
APP = "https://app.example.com/voice"
OWN = Credentials(MAIN, MAIN, TOKEN)


def fill(fake: FakeTwilio, kind: Kind, count: int, **given: object) -> None:
    for number in range(1, count + 1):
        fake.main.resources[kind][sid_of(kind, number)] = record(kind, number, MAIN, **given)


@contextmanager
def asking(
    fake: FakeTwilio,
    *,
    credentials: Credentials = OWN,
    sleep: Callable[[float], None] = lambda _: None,
) -> Iterator[TwilioApi]:
    api = TwilioApi(credentials, url=fake.url, sleep=sleep, random=lambda: 0.5)
    try:
        yield api
    finally:
        api.close()


@pytest.mark.parametrize("kind", list(Kind))
class TestKinds:
    def test_resources(self, twilio: FakeTwilio, kind: Kind) -> None:
        """All pages of a list are read, with all fields that are looked at."""
        fill(twilio, kind, 9)
        with asking(twilio) as api:
            found = api.resources(kind)
        assert [each.sid for each in found] == [sid_of(kind, n) for n in range(1, 10)]
        assert all(each.account == MAIN for each in found)
        assert found[0].fields.keys() == LAYOUTS[kind].fields
        assert found[0].name == f"{kind.value} 1"
        assert len(twilio.asked) == 3

    def test_update(self, twilio: FakeTwilio, kind: Kind) -> None:
        """Everything that may ever be changed can be set, and is read as it was set."""
        handler = LAYOUTS[kind].handlers[0]
        fill(twilio, kind, 2, **{each.primary: APP for each in LAYOUTS[kind].handlers})
        after = {
            name: "GET" if name.endswith("_method") else f"https://b.example.com/{name}"
            for name in LAYOUTS[kind].changeable
        }
        with asking(twilio) as api:
            api.update(Change(kind, sid_of(kind, 2), MAIN, "", {}, after))
            first, second = api.resources(kind)
            assert {name: second.fields[name] for name in after} == after
            assert first.fields[handler.fallback] == ""
            assert second.fields[handler.primary] == APP
            api.update(Change(kind, sid_of(kind, 2), MAIN, "", {}, {handler.fallback: ""}))
            assert api.resources(kind)[1].fields[handler.fallback] == ""


def test_not_set(twilio: FakeTwilio) -> None:
    """What is null or false is the empty text, what is true the text ``true``."""
    kind = Kind.MESSAGING_SERVICE
    fill(twilio, kind, 1, use_inbound_webhook_on_number=False)
    with asking(twilio) as api:
        assert set(api.resources(kind)[0].fields.values()) == {"", "POST"}
        fill(twilio, kind, 1, use_inbound_webhook_on_number=True)
        assert api.resources(kind)[0].fields["use_inbound_webhook_on_number"] == "true"


class TestSubaccounts:
    def test_with_the_token(self, twilio: FakeTwilio) -> None:
        """A sub-account is asked with its own token: not every path has the account in it."""
        sub = twilio.add_subaccount(2)
        service = record(Kind.MESSAGING_SERVICE, 7, sub.sid)
        sub.resources[Kind.MESSAGING_SERVICE][service["sid"]] = service
        with asking(twilio) as api:
            ((sid, own),) = api.subaccounts()
            assert sid == sub.sid
            assert own is not None
            (found,) = own.resources(Kind.MESSAGING_SERVICE)
            assert (found.sid, found.account) == (service["sid"], sub.sid)
            own.close()

    def test_with_an_api_key(self, twilio: FakeTwilio) -> None:
        """To an API key no tokens are shown, so that the sub-accounts cannot be asked."""
        sub = twilio.add_subaccount(2)
        twilio.keys[KEY] = "key-secret"
        with asking(twilio, credentials=Credentials(MAIN, KEY, "key-secret")) as api:
            assert api.subaccounts() == ((sub.sid, None),)


def test_webhooks_rules(twilio: FakeTwilio) -> None:
    """The rules of the Webhooks API are read with all their pages, and the times of a setting."""
    twilio.main.rules.extend(
        webhook_rule(f"wr_{n}", "ws_1", prefix=f"https://b.example.com/{n}") for n in range(9)
    )
    twilio.main.settings["ws_1"] = webhook_setting("ws_1", readTimeoutMs=5000)
    with asking(twilio) as api:
        rules = api.webhook_rules()
        assert [each["id"] for each in rules] == [f"wr_{n}" for n in range(9)]
        assert rules[0]["settings"][0]["settingId"] == "ws_1"
        assert api.webhook_connection("ws_1") == {"readTimeoutMs": 5000}


class TestPaging:
    def test_in_a_circle(self, twilio: FakeTwilio) -> None:
        """A list whose pages go round in a circle ends."""
        numbers = [record(Kind.NUMBER, n, MAIN) for n in (1, 2)]
        page = {
            "incoming_phone_numbers": numbers,
            "page": 0,
            "next_page_uri": f"/2010-04-01/Accounts/{MAIN}/IncomingPhoneNumbers.json?Page=1",
        }
        twilio.troubles = [(200, {}, json.dumps(page).encode())] * 9
        with asking(twilio) as api:
            assert len(api.resources(Kind.NUMBER)) == 2
        assert len(twilio.asked) == 2

    def test_without_end(self, twilio: FakeTwilio) -> None:
        """A list that has no end is given up."""
        uri = f"/2010-04-01/Accounts/{MAIN}/IncomingPhoneNumbers.json?Page=1"
        page = {"incoming_phone_numbers": [], "page": 0, "next_page_uri": uri}
        twilio.troubles = [(200, {}, json.dumps(page).encode())] * 300
        with (
            asking(twilio) as api,
            pytest.raises(TwilioError, match=r"^a list has more than 200 pages$"),
        ):
            api.resources(Kind.NUMBER)

    def test_to_somebody_else(self, twilio: FakeTwilio) -> None:
        """A next page on a foreign host does not get the credentials."""
        meta = {"key": "services", "next_page_url": "https://evil.example.com/v1/Services"}
        page = {"services": [record(Kind.MESSAGING_SERVICE, 1, MAIN)], "meta": meta}
        twilio.troubles = [(200, {}, json.dumps(page).encode())]
        with (
            asking(twilio) as api,
            pytest.raises(TwilioError, match=r"a page leads to evil\.example\.com"),
        ):
            api.resources(Kind.MESSAGING_SERVICE)

    def test_moved(self, twilio: FakeTwilio) -> None:
        """What moved to the next page, since something new came before it, is there once."""
        fill(twilio, Kind.NUMBER, 6)
        records = list(twilio.main.resources[Kind.NUMBER].values())
        page = {
            "incoming_phone_numbers": [records[0], records[0], records[3]],
            "next_page_uri": f"/2010-04-01/Accounts/{MAIN}/IncomingPhoneNumbers.json?Page=0",
        }
        twilio.troubles = [(200, {}, json.dumps(page).encode())]
        with asking(twilio) as api:
            found = [each.sid for each in api.resources(Kind.NUMBER)]
        assert sorted(found) == [sid_of(Kind.NUMBER, n) for n in range(1, 7)]


def problem(status: int, /, **document: object) -> tuple[int, dict[str, str], bytes]:
    return status, {}, json.dumps(document).encode()


SECRETIVE = problem(400, code=22105, message="https://user:hunter2@a.example.com/ is bad\x1b[2J")
LEGACY = problem(404, code=20404, message="Not found", status=404)
RFC_9457 = problem(400, type="t", title="Bad", status=400, code=60200, detail="a detail")
HTML: tuple[int, dict[str, str], bytes] = (403, {}, b"<html>")


class TestTroubles:
    @pytest.mark.parametrize(
        ("trouble", "told"),
        [
            (LEGACY, "404: Unable to update record: Not found (20404)"),
            (RFC_9457, "400: Bad: a detail (60200)"),
            (HTML, "403: Unable to update record"),
            (
                SECRETIVE,
                "400: Unable to update record: https://***@a.example.com/ is bad?[2J (22105)",
            ),
        ],
    )
    def test_refused(
        self, twilio: FakeTwilio, trouble: tuple[int, dict[str, str], bytes], told: str
    ) -> None:
        """All families of errors are refusals alike, told without colours."""
        twilio.troubles = [trouble]
        with asking(twilio) as api, pytest.raises(Refused) as refused:
            api.update(Change(Kind.NUMBER, "PN1", MAIN, "", {}, {"voice_fallback_url": APP}))
        assert str(refused.value) == told
        assert refused.value.status == trouble[0]

    @pytest.mark.parametrize(
        ("trouble", "told"),
        [
            (LEGACY, "404: Not found (20404)"),
            (RFC_9457, "400: Bad (60200)"),
            (HTML, "403: no reason given"),
        ],
    )
    def test_refused_page(
        self, twilio: FakeTwilio, trouble: tuple[int, dict[str, str], bytes], told: str
    ) -> None:
        """So are those of lists, of which the package says nothing itself."""
        twilio.troubles = [trouble]
        with asking(twilio) as api, pytest.raises(Refused) as refused:
            api.resources(Kind.NUMBER)
        assert (str(refused.value), refused.value.status) == (told, trouble[0])

    def test_wrong_token(self, twilio: FakeTwilio) -> None:
        """Wrong credentials are refused, and not told."""
        with (
            asking(twilio, credentials=Credentials(MAIN, MAIN, "hunter2")) as api,
            pytest.raises(Refused, match=r"^401: Authenticate \(20003\)$"),
        ):
            api.resources(Kind.NUMBER)
        assert "hunter2" not in repr(Credentials(MAIN, MAIN, "hunter2"))

    @pytest.mark.parametrize("body", [b"", b"[]", b"{}", b"nonsense", b'{"page": 0}'])
    def test_not_understood(self, twilio: FakeTwilio, body: bytes) -> None:
        """An answer that makes no sense is an error of the API's, not one of ours."""
        twilio.troubles = [(200, {}, body)]
        with asking(twilio) as api, pytest.raises(TwilioError, match="not understood"):
            api.resources(Kind.NUMBER)

    def test_environment(self, twilio: FakeTwilio, monkeypatch: pytest.MonkeyPatch) -> None:
        """Regions, edges and credentials of the process's environment count for nothing here."""
        for name in ("TWILIO_REGION", "TWILIO_EDGE", "TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN"):
            monkeypatch.setenv(name, "ie1")
        fill(twilio, Kind.NUMBER, 1)
        with asking(twilio) as api:
            assert len(api.resources(Kind.NUMBER)) == 1


class TestPatience:
    def test_too_many_requests(self, twilio: FakeTwilio) -> None:
        """429 and a server's moment of weakness are waited out, longer each time."""
        pauses: list[float] = []
        twilio.troubles = [problem(429), problem(503), problem(502), problem(504)]
        fill(twilio, Kind.NUMBER, 1)
        with asking(twilio, sleep=pauses.append) as api:
            assert len(api.resources(Kind.NUMBER)) == 1
        assert pauses == [1, 2, 4, 8]

    def test_retry_after(self, twilio: FakeTwilio) -> None:
        """As long as Twilio says, if it says so, but not for ever."""
        pauses: list[float] = []
        twilio.troubles = [
            (429, {"Retry-After": seconds}, b"{}") for seconds in ("7", "0", "3600", "Tomorrow")
        ]
        with asking(twilio, sleep=pauses.append) as api:
            assert api.resources(Kind.NUMBER) == ()
        assert pauses == [7, 2, 30, 8]

    def test_in_the_end(self, twilio: FakeTwilio) -> None:
        """In the end it is given up; that is no refusal, so that it may be tried again later."""
        twilio.troubles = [problem(429, code=20429, message="Too many requests")] * 9
        with asking(twilio) as api, pytest.raises(TwilioError) as error:
            api.resources(Kind.NUMBER)
        assert str(error.value) == "429: Too many requests (20429)"
        assert not isinstance(error.value, Refused)
        assert len(twilio.asked) == TRIES

    def test_an_update(self, twilio: FakeTwilio) -> None:
        """An update is repeated as well: to set a field twice is as good as once."""
        fill(twilio, Kind.SHORT_CODE, 1, sms_url=APP)
        twilio.troubles = [problem(429)]
        after = {"sms_fallback_url": "https://b.example.com/retry"}
        with asking(twilio) as api:
            api.update(Change(Kind.SHORT_CODE, sid_of(Kind.SHORT_CODE, 1), MAIN, "", {}, after))
        assert [each.form for each in twilio.updates()] == [
            {"SmsFallbackUrl": after["sms_fallback_url"]}
        ] * 2

    def test_interrupted(self, twilio: FakeTwilio) -> None:
        """What sleeping raises ends it."""

        def sleep(_: float) -> None:
            raise KeyboardInterrupt

        twilio.troubles = [problem(429)]
        with asking(twilio, sleep=sleep) as api, pytest.raises(KeyboardInterrupt):
            api.resources(Kind.NUMBER)
        assert len(twilio.asked) == 1


class TestAsking:
    """The limits, without the package."""

    def client(self, host: str) -> PatientClient:
        return PatientClient(hosts=[host], sleep=lambda _: None, random=lambda: 0.5, timeout=0.05)

    def test_silence(self) -> None:
        """A server that never answers is given up."""
        with socket.create_server(("127.0.0.1", 0)) as server:
            host = f"127.0.0.1:{server.getsockname()[1]}"
            client = self.client(host)
            with pytest.raises(Unasked, match=r"^no answer in time$"):
                client.request("GET", f"http://{host}/")
            client.close()

    def test_nobody(self) -> None:
        """So is one that is not there."""
        with socket.create_server(("127.0.0.1", 0)) as server:
            host = f"127.0.0.1:{server.getsockname()[1]}"
        client = self.client(host)
        with pytest.raises(Unasked, match=r"^no connection, or it broke$"):
            client.request("GET", f"http://{host}/")
        client.close()

    def test_trickle(self) -> None:
        """So is one whose answer comes in drops, and never ends."""
        with socket.create_server(("127.0.0.1", 0)) as server:

            def drip() -> None:
                with suppress(OSError):
                    while True:
                        peer, _ = server.accept()
                        with peer, suppress(OSError):
                            peer.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                            while not enough.wait(0.02):
                                peer.sendall(b" " * 65536)

            enough = threading.Event()
            thread = threading.Thread(target=drip)
            thread.start()
            host = f"127.0.0.1:{server.getsockname()[1]}"
            client = self.client(host)
            with pytest.raises(Unasked, match=r"^no answer in time$"):
                client.request("GET", f"http://{host}/")
            client.close()
            enough.set()
            server.shutdown(socket.SHUT_RDWR)
            thread.join()

    def test_half_an_answer(self) -> None:
        """So is one that falls silent in the middle of its answer."""
        with socket.create_server(("127.0.0.1", 0)) as server:
            host = f"127.0.0.1:{server.getsockname()[1]}"
            client = self.client(host)
            peers = []

            def begin() -> None:
                with suppress(OSError):
                    while True:
                        peers.append(server.accept()[0])
                        peers[-1].sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n[")

            thread = threading.Thread(target=begin)
            thread.start()
            with pytest.raises(Unasked, match=r"^no answer in time$"):
                client.request("GET", f"http://{host}/")
            client.close()
            server.shutdown(socket.SHUT_RDWR)
            thread.join()
            for peer in peers:
                peer.close()

    def test_no_tls(self, twilio: FakeTwilio) -> None:
        """Where TLS fails, asking again is of no use."""
        pauses: list[float] = []
        host = twilio.url.removeprefix("http://")
        client = PatientClient(hosts=[host], sleep=pauses.append, random=lambda: 0.5)
        with pytest.raises(Unasked, match=r"^its certificate or its TLS is wrong$"):
            client.request("GET", f"https://{host}/")
        client.close()
        assert pauses == []

    def test_proxy(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A proxy of the environment is used, and named if it is the one that fails."""
        with socket.create_server(("127.0.0.1", 0)) as server:
            nobody = f"http://127.0.0.1:{server.getsockname()[1]}"
        for name in ("http_proxy", "HTTP_PROXY"):
            monkeypatch.setenv(name, nobody)
        for name in ("no_proxy", "NO_PROXY"):
            monkeypatch.delenv(name, raising=False)
        client = self.client("api.example.com")
        with pytest.raises(Unasked, match=r"^the proxy does not let us through$"):
            client.request("GET", "http://api.example.com/")
        client.close()

    def test_too_long(self, twilio: FakeTwilio) -> None:
        """An answer without end is not read to its end."""
        twilio.troubles = [(200, {}, b" " * (BODY_CAP + 1))]
        client = PatientClient(
            hosts=[twilio.url.removeprefix("http://")], sleep=lambda _: None, random=lambda: 0.5
        )
        with pytest.raises(Unasked, match="longer than"):
            client.request("GET", twilio.url)
        client.close()

    def test_redirect(self, twilio: FakeTwilio) -> None:
        """A redirect is not followed, lest somebody else gets the credentials."""
        twilio.troubles = [(302, {"Location": f"{twilio.url}/elsewhere"}, b"{}")]
        with asking(twilio) as api, pytest.raises(TwilioError, match=r"^302: "):
            api.resources(Kind.NUMBER)
        assert len(twilio.asked) == 1


class TestCredentials:
    def settings(
        self, account: str | None = MAIN, *tokens: str, key: str | None = None
    ) -> Settings:
        return Settings(
            twilio=TwilioSettings(account_sid=account, auth_token=tokens),
            account=AccountSettings(api_key=key, api_secret="key-secret" if key else None),
        )

    def test_chosen(self) -> None:
        """The API key comes before the auth token, of which the first counts."""
        assert Credentials.of(self.settings(MAIN, "one", "two")) == Credentials(MAIN, MAIN, "one")
        key = self.settings(MAIN, "one", key=KEY)
        assert Credentials.of(key) == Credentials(MAIN, KEY, "key-secret")

    @pytest.mark.parametrize(
        ("account", "told"), [(None, "twilio.account_sid is not set"), (MAIN, "neither")]
    )
    def test_missing(self, account: str | None, told: str) -> None:
        """What is missing is named."""
        with pytest.raises(MissingSetting, match=f"^{told}"):
            Credentials.of(self.settings(account))
