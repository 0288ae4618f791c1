"""``/retry`` from the bytes that Twilio sends to the bytes that it gets."""

from __future__ import annotations

from collections.abc import Mapping
from xml.etree import ElementTree

import pytest

from boomerang.endpoints.fallback import APOLOGY
from tests.web.driving import (
    ACCOUNT,
    APP,
    MESSAGE,
    NO_STORE,
    Daemon,
    get,
    post,
    request,
    signature,
    whole,
)
from tests.web.retrying import (
    BY_METHOD,
    MESSAGING,
    PRODUCTS,
    PUBLIC,
    SIDS,
    SORRY,
    VOICE,
    WAIT,
    WITH_SORRY,
    XML,
    Sender,
    answer_to,
    bad,
    given_up,
    redirect,
)


@BY_METHOD
@PRODUCTS
class TestSecondChance:
    def test_first_failure(self, send: Sender, fields: Mapping[str, str]) -> None:
        """The first failure is held for eight seconds, and sent back to the URL that failed."""
        answer = answer_to(Daemon(), send("/retry", fields), after=WAIT)
        assert answer == redirect(APP, decision="retry; attempt=1")

    def test_second_failure(self, send: Sender, fields: Mapping[str, str]) -> None:
        """The second one is sent to the FallbackUrl at once, by GET."""
        daemon = Daemon()
        answer_to(daemon, send(WITH_SORRY, fields), after=WAIT)
        answer = answer_to(daemon, send(WITH_SORRY, fields))
        assert answer == redirect(SORRY, decision="fallback; attempt=2", method="GET")

    def test_without_fallback(self, send: Sender, fields: Mapping[str, str]) -> None:
        """Without a FallbackUrl it is answered with 500, for Twilio's standard message."""
        daemon = Daemon()
        answer_to(daemon, send("/retry", fields), after=WAIT)
        assert answer_to(daemon, send("/retry", fields)) == given_up(2)

    def test_methods(self, send: Sender, fields: Mapping[str, str]) -> None:
        """Method and FallbackMethod say how the redirects are followed."""
        daemon = Daemon()
        target = f"{WITH_SORRY}&Method=get&FallbackMethod=POST"
        first = answer_to(daemon, send(target, fields), after=WAIT)
        assert first == redirect(APP, decision="retry; attempt=1", method="GET")
        second = answer_to(daemon, send(target, fields))
        assert second == redirect(SORRY, decision="fallback; attempt=2", method="POST")

    def test_pointless(self, send: Sender, fields: Mapping[str, str]) -> None:
        """An error that would come again is given up at once."""
        fields = {**fields, "ErrorCode": "12100"}
        answer = answer_to(Daemon(), send(WITH_SORRY, fields))
        assert answer == redirect(SORRY, decision="fallback; attempt=0", method="GET")

    def test_forgotten(self, send: Sender, fields: Mapping[str, str]) -> None:
        """After a quarter of an hour a failure is a first one again."""
        daemon = Daemon()
        answer_to(daemon, send("/retry", fields), after=WAIT)
        daemon.wait(900 - WAIT)
        again = answer_to(daemon, send("/retry", fields), after=WAIT)
        assert again == redirect(APP, decision="retry; attempt=1")

    def test_repeated_by_twilio(self, send: Sender, fields: Mapping[str, str]) -> None:
        """A repeat of what is still being held is the same failure, released with it."""
        daemon = Daemon()
        first, second = daemon.connect(), daemon.connect()
        first.send(send("/retry", fields))
        daemon.wait(5)
        second.send(send("/retry", fields))
        daemon.wait(WAIT - 5)
        assert first.answer() == second.answer() == redirect(APP, decision="retry; attempt=1")

    def test_others(self, send: Sender, fields: Mapping[str, str]) -> None:
        """One caller's failure does not cost another the second chance, nor one URL another."""
        daemon = Daemon()
        answer_to(daemon, send("/retry", fields), after=WAIT)
        others = [
            {**fields, "ErrorUrl": "https://app.example.com/other"},
            {**fields, "AccountSid": f"{ACCOUNT}2"},
            {name: f"{value}2" if name in SIDS else value for name, value in fields.items()},
        ]
        for other in others:
            answer = answer_to(daemon, send("/retry", other), after=WAIT)
            assert answer.headers["Boomerang-Decision"] == "retry; attempt=1"

    def test_signed(self, send: Sender, fields: Mapping[str, str]) -> None:
        """All this is so when signatures are required, and the request has one."""
        daemon = Daemon(TWILIO_AUTH_TOKEN="12345", BOOMERANG_PUBLIC_URL=PUBLIC)
        if send is post:
            own = signature(PUBLIC + WITH_SORRY, fields, token="12345")
            sent = post(WITH_SORRY, fields, [own])
        else:
            target = get(WITH_SORRY, fields).split(b" ")[1].decode()
            sent = request("GET", target, [signature(PUBLIC + target, {}, token="12345")])
        answer = answer_to(daemon, sent, after=WAIT)
        assert answer == redirect(APP, decision="retry; attempt=1")

    def test_hanging_up(self, send: Sender, fields: Mapping[str, str]) -> None:
        """A caller who hangs up is forgotten; that the app failed is not."""
        daemon = Daemon()
        connection = daemon.connect()
        connection.send(send("/retry", fields))
        daemon.wait(3)
        connection.hang_up()
        assert daemon.site.under_way == 0
        assert daemon.count("boomerang_held_requests") == 0
        assert daemon.count("boomerang_hung_up_requests_total") == 1
        daemon.wait(WAIT)
        assert answer_to(daemon, send("/retry", fields)) == given_up(2)


class TestUrls:
    @pytest.mark.parametrize(
        "url",
        [
            APP,
            "http://app.example.com",
            "https://app.example.com:8443/v?a=b&amp;c=<>\"'",
            "https://app.example.com/voice#rt=5000&rc=2",
            "https://user:pass@app.example.com/voice",
            "https://app.example.com/a%20b?c=%26&d=+",
            "https://bücher.example/grüße?x=👋",
            "https://app.example.com/" + "x" * 4000,
            "https://[2001:db8::1]/voice",
            "https://app.example.com/]]>",
        ],
    )
    @BY_METHOD
    def test_unchanged(self, send: Sender, url: str) -> None:
        """The URL that failed comes back as it was, whatever XML thinks of its characters."""
        daemon = Daemon(BOOMERANG_RETRY_WAIT="0")
        answer = answer_to(daemon, send("/retry", {**VOICE, "ErrorUrl": url}))
        assert answer == redirect(url, decision="retry; attempt=1")
        assert [element.text for element in ElementTree.fromstring(answer.body)] == [url]

    def test_options_of_the_form(self) -> None:
        """Options come from the URL that its owner wrote, never from Twilio's parameters."""
        daemon = Daemon(BOOMERANG_RETRY_WAIT="0")
        fields = {**VOICE, "FallbackUrl": SORRY, "Method": "GET", "FallbackMethod": "nonsense"}
        first = answer_to(daemon, post("/retry", fields))
        assert first == redirect(APP, decision="retry; attempt=1", method="POST")
        assert answer_to(daemon, post("/retry", fields)) == given_up(2)

    def test_unescaped_option(self) -> None:
        """A FallbackUrl that was written into the URL as it is works too."""
        daemon = Daemon()
        target = f"/retry?FallbackUrl={SORRY}"
        answer = answer_to(daemon, post(target, {**VOICE, "ErrorCode": "12100"}))
        assert answer == redirect(SORRY, decision="fallback; attempt=0", method="GET")

    @pytest.mark.parametrize("method", ["GET", "POST"])
    def test_the_last_resort_has_failed(self, method: str) -> None:
        """A FallbackUrl that fails itself is not tried again."""
        fields = {**VOICE, "ErrorUrl": SORRY}
        assert answer_to(Daemon(), get(WITH_SORRY, fields)) == given_up(0)


class TestRounds:
    def test_no_end(self) -> None:
        """A call that goes round and round is sent to its FallbackUrl once, and then ended."""
        daemon = Daemon(BOOMERANG_RETRY_WAIT="0")
        decisions = [
            answer_to(
                daemon, post(WITH_SORRY, {**VOICE, "ErrorUrl": f"{APP}&page={page}"})
            ).headers["Boomerang-Decision"]
            for page in range(12)
        ]
        assert decisions[:10] == ["retry; attempt=1"] * 10
        assert decisions[10:] == ["fallback; attempt=1", "give-up; attempt=1"]


class TestBadRequests:
    @pytest.mark.parametrize(
        ("change", "reason"),
        [
            (
                {"ErrorCode": None},
                "ErrorCode is missing: this is not a fallback request of Twilio's",
            ),
            ({"ErrorUrl": None}, "ErrorUrl is missing: this is not a fallback request of Twilio's"),
            ({"ErrorCode": "x"}, "ErrorCode is not a number"),
            ({"ErrorUrl": "/voice"}, "ErrorUrl is not an absolute http or https URL"),
            ({"ErrorUrl": "ftp://a.example.com/"}, "ErrorUrl is not an absolute http or https URL"),
            ({"ErrorUrl": "https://a.example.com/\x0b"}, "ErrorUrl has control characters"),
            ({"ErrorUrl": "https://a.example.com/\r\nA: b"}, "ErrorUrl has control characters"),
            ({"ErrorUrl": "https://a.example.com/\ufffe"}, "ErrorUrl has control characters"),
            ({"CallSid": "CA\n"}, "CallSid has control characters"),
            (
                {"MessageSid": MESSAGE},
                "CallSid and MessageSid contradict each other: is it a call or a message?",
            ),
        ],
    )
    @BY_METHOD
    def test_parameters(self, send: Sender, change: Mapping[str, str | None], reason: str) -> None:
        """What is no fallback request of Twilio's is refused, in plain words."""
        fields = {name: value for name, value in {**VOICE, **change}.items() if value is not None}
        daemon = Daemon()
        assert answer_to(daemon, send("/retry", fields)) == bad(reason)
        assert daemon.count('boomerang_refused_requests_total{status="400"}') == 1

    @pytest.mark.parametrize(
        ("query", "reason"),
        [
            ("FallbackUrl=", "FallbackUrl is not an absolute http or https URL"),
            ("FallbackUrl=//a", "FallbackUrl is not an absolute http or https URL"),
            ("FallbackUrl=https://a/%0a", "FallbackUrl has control characters"),
            ("FallbackUrl=https://a/%ff", "FallbackUrl has control characters"),
            (
                "FallbackUrl=https://a/&FallbackUrl=https://a/",
                "FallbackUrl is given more than once",
            ),
            ("Method=PUT", "Method is neither GET nor POST"),
            ("Method=", "Method is neither GET nor POST"),
            ("FallbackMethod=HEAD", "FallbackMethod is neither GET nor POST"),
            ("Method=GET&Method=POST", "Method is given more than once"),
            ("&".join(["a=b"] * 1001), "there are more than 1000 parameters"),
        ],
    )
    @BY_METHOD
    def test_options(self, send: Sender, query: str, reason: str) -> None:
        """Nor is an option taken that is wrong or doubled."""
        assert answer_to(Daemon(), send(f"/retry?{query}", VOICE)) == bad(reason)

    @pytest.mark.parametrize(
        ("sent", "reason"),
        [
            (
                request("POST", "/retry", {"Content-Type": "application/json"}, b"{}"),
                "the parameters of a POST must be a form (x-www-form-urlencoded)",
            ),
            (
                request("POST", "/retry", {"Content-Type": "\udcff"}, b"ErrorCode=11200"),
                "the parameters of a POST must be a form (x-www-form-urlencoded)",
            ),
            (
                request("POST", "/retry", (), b"&".join([b"a=b"] * 1001)),
                "there are more than 1000 parameters",
            ),
            (
                request("POST", "/retry", (), b"ErrorCode=11200&ErrorCode=11200"),
                "ErrorCode is given more than once",
            ),
            (
                post("/retry?ErrorCode=11205", VOICE),
                "ErrorCode has one value in the form and another in the query",
            ),
            (
                request("POST", get("/retry", VOICE).split(b" ")[1].decode()),
                "ErrorCode is missing: this is not a fallback request of Twilio's",
            ),
            (
                request("GET", "/retry", (), b"ErrorCode=11200&ErrorUrl=https://a.example.com/"),
                "ErrorCode is missing: this is not a fallback request of Twilio's",
            ),
            (
                request("GET", "/retry?ErrorCode=11200&ErrorUrl=https://a/%80"),
                "ErrorUrl has control characters",
            ),
        ],
    )
    def test_places(self, sent: bytes, reason: str) -> None:
        """Parameters count where Twilio puts them: the form of a POST, the query of a GET."""
        assert answer_to(Daemon(), sent) == bad(reason)

    def test_without_content_type(self) -> None:
        """A POST that does not say what its body is has a form."""
        body = b"ErrorCode=11200&ErrorUrl=https://a.example.com/"
        answer = answer_to(Daemon(BOOMERANG_RETRY_WAIT="0"), request("POST", "/retry", (), body))
        assert answer == redirect("https://a.example.com/", decision="retry; attempt=1")


class TestOrder:
    @pytest.mark.parametrize(
        ("target", "change", "status", "reason"),
        [
            ("/retry?Method=PUT", {}, 400, "Method"),
            ("/retry", {"ErrorUrl": "nonsense"}, 400, "ErrorUrl"),
            ("/retry", {"ErrorUrl": "https://evil.test/"}, 403, "X-Twilio-Signature"),
            ("/retry", {}, 403, "X-Twilio-Signature"),
        ],
    )
    @BY_METHOD
    def test_unsigned(
        self, send: Sender, target: str, change: Mapping[str, str], status: int, reason: str
    ) -> None:
        """It is looked at first what is asked, then who asks, then for which host."""
        daemon = Daemon(TWILIO_AUTH_TOKEN="12345", BOOMERANG_ALLOWED_HOSTS="app.example.com")
        answer = answer_to(daemon, send(target, {**VOICE, **change}))
        assert answer.status == status
        assert reason in answer.text

    def test_signed_for_another_host(self) -> None:
        """A signature does not open a host that is not allowed."""
        daemon = Daemon(
            TWILIO_AUTH_TOKEN="12345",
            BOOMERANG_PUBLIC_URL=PUBLIC,
            BOOMERANG_ALLOWED_HOSTS="*.example.org",
        )
        own = signature(f"{PUBLIC}/retry", VOICE, token="12345")
        answer = answer_to(daemon, post("/retry", VOICE, [own]))
        assert (answer.status, "allowed_hosts" in answer.text) == (403, True)

    def test_refused_requests_leave_no_mark(self) -> None:
        """What was refused is not counted as a failure of the app."""
        daemon = Daemon(TWILIO_AUTH_TOKEN="12345", BOOMERANG_PUBLIC_URL=PUBLIC)
        own = signature(f"{PUBLIC}/retry", VOICE, token="12345")
        for _ in range(3):
            answer_to(daemon, post("/retry", VOICE))
        answer = answer_to(daemon, post("/retry", VOICE, [own]), after=WAIT)
        assert answer == redirect(APP, decision="retry; attempt=1")


class TestConnections:
    def test_held_requests_are_small(self) -> None:
        """While a request is held, nothing of what was sent is kept."""
        connection = Daemon().connect()
        connection.send(post("/retry", {**VOICE, "Extra": "x" * 60000}, [("Cookie", "a=b")]))
        held = connection.channel.request
        assert (held.uri, held.body, held.header_names()) == (b"", b"", [])

    def test_kept(self) -> None:
        """A connection can be used for one call after the other."""
        daemon = Daemon()
        connection = daemon.connect()
        calls = [{**VOICE, "CallSid": f"CA{number}"} for number in range(3)]
        for number, call in enumerate(calls):
            connection.send(post("/retry", call))
            daemon.wait(WAIT)
            assert len(connection.answers()) == number + 1
        assert connection.answers() == [redirect(APP, decision="retry; attempt=1")] * 3

    def test_many_at_once(self) -> None:
        """Calls that fail together are released together, each by itself."""
        daemon = Daemon()
        connections = [daemon.connect() for _ in range(50)]
        for number, connection in enumerate(connections):
            connection.send(post("/retry", {**VOICE, "CallSid": f"CA{number}"}))
        assert daemon.count("boomerang_held_requests") == 50
        daemon.wait(WAIT)
        for connection in connections:
            assert connection.answer() == redirect(APP, decision="retry; attempt=1")
        assert daemon.count("boomerang_held_requests") == 0

    def test_no_room(self) -> None:
        """More than can be held are sent back at once."""
        daemon = Daemon(BOOMERANG_RETRY_MAX_HELD="1")
        held = daemon.connect()
        held.send(post("/retry", VOICE))
        answer = answer_to(daemon, post("/retry", {**VOICE, "CallSid": "CA2"}))
        assert answer == redirect(APP, decision="retry; attempt=1")
        assert held.received == b""

    def test_no_store(self) -> None:
        """A store that does not answer costs nobody the second chance, nor any time."""
        daemon = Daemon(BOOMERANG_STORE="redis://store.example.com/0")
        answer = answer_to(daemon, post("/retry", VOICE), after=WAIT)
        assert answer == redirect(APP, decision="retry; attempt=1")
        assert answer_to(daemon, post("/retry", VOICE)) == given_up(2)
        assert daemon.count("boomerang_degraded_decisions_total") == 2
        assert '"status": "degraded"' in daemon.ask(request("GET", "/health")).text


@pytest.mark.parametrize("fallback", ["apology", "<Response><Say>Grüße</Say></Response>"])
@BY_METHOD
def test_apology(send: Sender, fallback: str) -> None:
    """TwiML that the settings have as last resort is served from here, to calls alone."""
    daemon = Daemon(BOOMERANG_RETRY_FALLBACK=fallback, BOOMERANG_RETRY_ATTEMPTS="0")
    document = APOLOGY if fallback == "apology" else fallback
    answer = answer_to(daemon, send("/retry", VOICE))
    decision = {"Boomerang-Decision": "apology; attempt=1"}
    assert answer == whole(200, document.encode(), XML, NO_STORE, decision)
    assert answer_to(daemon, send("/retry", MESSAGING)) == given_up(1)
    assert (
        answer_to(daemon, send(WITH_SORRY, VOICE)).headers
        == redirect(SORRY, decision="fallback; attempt=2", method="GET").headers
    )
