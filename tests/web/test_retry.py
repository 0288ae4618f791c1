"""``/retry`` from the bytes that Twilio sends to the bytes that it gets."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from html import escape
from xml.etree import ElementTree

import pytest
from twisted.internet.interfaces import ISSLTransport
from twisted.logger import capturedLogs, formatEvent
from zope.interface import alsoProvides

from boomerang.endpoints.fallback import APOLOGY
from tests.web.driving import (
    ACCOUNT,
    APP,
    FIELDS,
    MESSAGE,
    NO_STORE,
    TEXT,
    Answer,
    Daemon,
    get,
    post,
    request,
    signature,
    whole,
)

WAIT = 8.0
SORRY = "https://static.example.com/sorry.xml"
WITH_SORRY = "/retry?FallbackUrl=https%3A%2F%2Fstatic.example.com%2Fsorry.xml"
PUBLIC = "https://boomerang.example.com"
XML = {"Content-Type": "text/xml; charset=utf-8"}

VOICE = FIELDS
MESSAGING = {
    "AccountSid": ACCOUNT,
    "Body": "Grüße & <so on>",
    "ErrorCode": "11205",
    "ErrorUrl": APP,
    "From": "+15005550006",
    "MessageSid": MESSAGE,
    "NumMedia": "0",
    "SmsMessageSid": MESSAGE,
    "SmsSid": MESSAGE,
    "To": "+15005550001",
    "FromCity": "",
}

SIDS = ("CallSid", "MessageSid", "SmsSid", "SmsMessageSid")

Sender = Callable[[str, Mapping[str, str]], bytes]
BY_METHOD = pytest.mark.parametrize("send", [get, post])
PRODUCTS = pytest.mark.parametrize("fields", [VOICE, MESSAGING], ids=["voice", "messaging"])


def redirect(url: str, *, decision: str, method: str = "POST") -> Answer:
    body = (
        '<?xml version="1.0" encoding="UTF-8"?>'
        f'<Response><Redirect method="{method}">{escape(url, quote=False)}</Redirect></Response>'
    )
    return whole(200, body.encode(), XML, NO_STORE, {"Boomerang-Decision": decision})


def given_up(attempt: int) -> Answer:
    decision = {"Boomerang-Decision": f"give-up; attempt={attempt}"}
    return whole(500, b"boomerang gives this call or message up\n", TEXT, NO_STORE, decision)


def bad(reason: str) -> Answer:
    return whole(400, f"400 Bad Request: {reason}\n".encode(), TEXT, NO_STORE)


def answer_to(daemon: Daemon, sent: bytes, *, after: float = 0.0) -> Answer:
    """The answer, which must come after so many seconds and not before."""
    connection = daemon.connect()
    connection.send(sent)
    if after:
        daemon.wait(after - 0.25)
        assert connection.received == b"", "answered too early"
        daemon.wait(0.25)
    return connection.answer()


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


# Held in turns

TURN = 10.0
LIMIT = 24.0
"""Seconds: one turn, a second for the way, and the rest in one piece."""

HERE = "http://boomerang.example.com"


def patient(**environment: str) -> Daemon:
    """A daemon that holds calls for longer than one webhook may take, for an app that sleeps."""
    return Daemon(
        BOOMERANG_RETRY_PROBE="http://127.0.0.1:1/health",
        BOOMERANG_RETRY_HOLD_LIMIT=str(LIMIT),
        **environment,
    )


def way_back(answer: Answer) -> str:
    """Where the call is to come back to."""
    assert answer.status == 200
    *_, pause, redirect = ElementTree.fromstring(answer.body)
    assert (pause.tag, pause.attrib) == ("Pause", {"length": "1"})
    assert (redirect.tag, redirect.attrib) == ("Redirect", {"method": "POST"})
    assert redirect.text is not None
    return redirect.text


def turn(daemon: Daemon, sent: bytes) -> str:
    """The end of a turn: the call is told to come back; and where to."""
    answer = answer_to(daemon, sent, after=TURN)
    assert answer.headers["Boomerang-Decision"] == "hold; attempt=1"
    return way_back(answer)


def target_of(url: str) -> str:
    """Path and query, as they stand in a request."""
    return "/" + url.split("/", 3)[3]


def without_error(fields: Mapping[str, str]) -> dict[str, str]:
    """What Twilio sends when a call comes back: no fallback request, so no error."""
    return {name: value for name, value in fields.items() if not name.startswith("Error")}


RETURNING = without_error(VOICE)


@BY_METHOD
class TestTurns:
    def test_come_back(self, send: Sender) -> None:
        """A call is told to come back to this very host, and is held further when it does."""
        daemon = patient()
        url = turn(daemon, send("/retry", VOICE))
        assert url.startswith(f"{HERE}/retry/continue?token=")
        daemon.wait(1)
        answer = answer_to(daemon, send(target_of(url), RETURNING), after=LIMIT - TURN - 1)
        assert answer == redirect(APP, decision="retry; attempt=1")
        assert answer_to(daemon, send("/retry", VOICE)) == given_up(2)

    def test_document(self, send: Sender) -> None:
        """The answer is whole, and as every other one is not to be kept."""
        daemon = patient()
        answer = answer_to(daemon, send("/retry", VOICE), after=TURN)
        url = way_back(answer)
        body = (
            '<?xml version="1.0" encoding="UTF-8"?><Response><Pause length="1"/>'
            f'<Redirect method="POST">{url}</Redirect></Response>'
        )
        decision = {"Boomerang-Decision": "hold; attempt=1"}
        assert answer == whole(200, body.encode(), XML, NO_STORE, decision)

    def test_options(self, send: Sender) -> None:
        """What the first request was told goes for the call all the way."""
        daemon = patient()
        url = turn(daemon, send(f"{WITH_SORRY}&Method=GET", VOICE))
        daemon.wait(LIMIT)
        answer = answer_to(daemon, send(target_of(url), RETURNING))
        assert answer == redirect(APP, decision="retry; attempt=1", method="GET")

    @pytest.mark.parametrize(
        ("message", "verb"),
        [
            ("One <moment> & please.", "<Say>One &lt;moment&gt; &amp; please.</Say>"),
            ("https://cdn.example.com/a?b&c", "<Play>https://cdn.example.com/a?b&amp;c</Play>"),
        ],
    )
    def test_message(self, send: Sender, message: str, verb: str) -> None:
        """Who is to wait long hears of it first, at once, and once only."""
        daemon = patient(BOOMERANG_RETRY_HOLD_MESSAGE=message)
        answer = answer_to(daemon, send("/retry", VOICE))
        assert answer.headers["Boomerang-Decision"] == "hold; attempt=1"
        assert answer.text.partition("<Response>")[2].startswith(f'{verb}<Pause length="1"/>')
        daemon.wait(4)
        again = answer_to(daemon, send(target_of(way_back(answer)), RETURNING), after=TURN)
        assert again.text.partition("<Response>")[2].startswith('<Pause length="1"/>')

    def test_messages(self, send: Sender) -> None:
        """A message is held for as long as Twilio waits, and then sent back."""
        answer = answer_to(patient(), send("/retry", MESSAGING), after=14.0)
        assert answer == redirect(APP, decision="retry; attempt=1")

    def test_counted(self, send: Sender) -> None:
        """Each turn is counted as what it is."""
        daemon = patient()
        url = turn(daemon, send("/retry", VOICE))
        daemon.wait(LIMIT)
        answer_to(daemon, send(target_of(url), RETURNING))
        for decision in ("hold", "retry"):
            labels = f'{{decision="{decision}",endpoint="unknown",product="voice"}}'
            assert daemon.count(f"boomerang_decisions_total{labels}") == 1

    def test_hanging_up(self, send: Sender) -> None:
        """Who hangs up in a later turn is forgotten."""
        daemon = patient()
        url = turn(daemon, send("/retry", VOICE))
        connection = daemon.connect()
        connection.send(send(target_of(url), RETURNING))
        daemon.wait(2)
        assert daemon.count("boomerang_held_requests") == 1
        connection.hang_up()
        assert daemon.site.under_way == 0
        assert daemon.count("boomerang_held_requests") == 0
        assert daemon.count("boomerang_hung_up_requests_total") == 1


def forbidden(reason: str) -> Answer:
    return whole(403, f"403 Forbidden: {reason}\n".encode(), TEXT, NO_STORE)


@BY_METHOD
class TestReturns:
    def test_tampered(self, send: Sender) -> None:
        """A token of which anything was changed is refused."""
        daemon = patient()
        target = target_of(turn(daemon, send("/retry", VOICE)))
        for place in (len("/retry/continue?token="), len(target) // 2, len(target) - 2):
            other = "A" if target[place] != "A" else "B"
            changed = target[:place] + other + target[place + 1 :]
            answer = answer_to(daemon, send(changed, RETURNING))
            assert answer == forbidden("the continuation was not made here")
        assert daemon.count('boomerang_refused_requests_total{status="403"}') == 3

    @pytest.mark.parametrize("token", ["x", "%20", "%FF", "%C3%BC", "A" * 5000, "eyJhIjoxfQ"])
    def test_made_up(self, send: Sender, token: str) -> None:
        """So is one that was made up."""
        answer = answer_to(patient(), send(f"/retry/continue?token={token}", RETURNING))
        assert answer.status == 403

    def test_another_call(self, send: Sender) -> None:
        """One call cannot come back with the token of another."""
        daemon = patient()
        target = target_of(turn(daemon, send("/retry", VOICE)))
        answer = answer_to(daemon, send(target, {**RETURNING, "CallSid": "CA2"}))
        assert answer == forbidden("the continuation is another call's")

    def test_another_host(self, send: Sender) -> None:
        """A token of a boomerang with other secrets is refused."""
        target = target_of(turn(patient(), send("/retry", VOICE)))
        answer = answer_to(patient(), send(target, RETURNING))
        assert answer == forbidden("the continuation was not made here")

    @pytest.mark.parametrize(
        ("query", "change", "name"),
        [
            ("", {}, "token"),
            ("?token=", {}, "token"),
            ("?token=a&token=b", {}, "token"),
            ("?Token=a", {}, "token"),
            ("?token=a", {"CallSid": ""}, "CallSid"),
        ],
    )
    def test_missing(self, send: Sender, query: str, change: Mapping[str, str], name: str) -> None:
        """Without token or CallSid, or with two of them, it is no call that comes back."""
        fields = {**RETURNING, **change}
        answer = answer_to(patient(), send(f"/retry/continue{query}", fields))
        assert answer == bad(f"{name} is missing, or given more than once")

    def test_no_call(self, send: Sender) -> None:
        """Nor is one that names no call at all."""
        fields = {name: value for name, value in RETURNING.items() if name != "CallSid"}
        answer = answer_to(patient(), send("/retry/continue?token=x", fields))
        assert answer == bad("CallSid is missing, or given more than once")

    def test_signed(self, send: Sender) -> None:
        """Where signatures are required, those who come back need one too."""
        daemon = patient(TWILIO_AUTH_TOKEN="12345", BOOMERANG_PUBLIC_URL=PUBLIC)
        url = turn(daemon, signed(send, f"{PUBLIC}/retry", VOICE))
        assert url.startswith(f"{PUBLIC}/retry/continue?token=")
        assert answer_to(daemon, send(target_of(url), RETURNING)).status == 403
        daemon.wait(LIMIT)
        answer = answer_to(daemon, signed(send, url, RETURNING))
        assert answer == redirect(APP, decision="retry; attempt=1")

    def test_another_instance(self, send: Sender) -> None:
        """Any instance with the same auth token, be it a new one, goes on with a call."""
        settings = {"TWILIO_AUTH_TOKEN": "12345", "BOOMERANG_PUBLIC_URL": PUBLIC}
        url = turn(patient(**settings), signed(send, f"{PUBLIC}/retry", VOICE))
        another = patient(**settings)
        another.wait(TURN + 1)
        answer = answer_to(another, signed(send, url, RETURNING), after=LIMIT - TURN - 1)
        assert answer == redirect(APP, decision="retry; attempt=1")

    def test_allowed_hosts(self, send: Sender) -> None:
        """The list of hosts to which calls may be sent need not name boomerang itself."""
        daemon = patient(BOOMERANG_ALLOWED_HOSTS="app.example.com,127.0.0.1")
        url = turn(daemon, send("/retry", VOICE))
        daemon.wait(LIMIT)
        answer = answer_to(daemon, send(target_of(url), RETURNING))
        assert answer == redirect(APP, decision="retry; attempt=1")


def signed(send: Sender, url: str, fields: Mapping[str, str]) -> bytes:
    """A request that Twilio has signed."""
    target = target_of(url)
    if send is post:
        return post(target, fields, [signature(url, fields, token="12345")])
    target = get(target, fields).split(b" ")[1].decode()
    own = signature(f"{PUBLIC}{target}", {}, token="12345")
    return request("GET", target, [own])


@BY_METHOD
class TestInterrupted:
    """The way back failed, since boomerang was just being restarted: Twilio asks `/retry`."""

    def failed(self, url: str) -> dict[str, str]:
        return {**VOICE, "ErrorUrl": url, "ErrorCode": "11205"}

    def test_resumed(self, send: Sender) -> None:
        """The call goes on where it was, and it costs no attempt and no round."""
        daemon = patient(BOOMERANG_RETRY_ROUNDS="1")
        url = turn(daemon, send("/retry", VOICE))
        daemon.wait(1)
        sent = send(WITH_SORRY, self.failed(url))
        answer = answer_to(daemon, sent, after=LIMIT - TURN - 1)
        assert answer == redirect(APP, decision="retry; attempt=1")
        assert answer_to(daemon, send("/retry", VOICE)) == given_up(2)

    def test_resumed_elsewhere(self, send: Sender) -> None:
        """Also by the process that has been started since."""
        settings = {"TWILIO_AUTH_TOKEN": "12345", "BOOMERANG_PUBLIC_URL": PUBLIC}
        url = turn(patient(**settings), signed(send, f"{PUBLIC}/retry", VOICE))
        sent = signed(send, f"{PUBLIC}/retry", self.failed(url))
        another = patient(**settings)
        another.wait(TURN)
        answer = answer_to(another, sent, after=LIMIT - TURN)
        assert answer == redirect(APP, decision="retry; attempt=1")

    def test_allowed_hosts(self, send: Sender) -> None:
        """Boomerang's own address need not be among those to which calls may be sent."""
        daemon = patient(BOOMERANG_ALLOWED_HOSTS="app.example.com,127.0.0.1")
        url = turn(daemon, send("/retry", VOICE))
        answer = answer_to(daemon, send("/retry", self.failed(url)), after=LIMIT - TURN)
        assert answer == redirect(APP, decision="retry; attempt=1")

    @pytest.mark.parametrize(
        "change",
        [
            lambda url: url.replace("token=", "token=x"),
            lambda url: url + "&token=x",
            lambda url: url.replace("?token=", "?t="),
            lambda url: url.replace("/continue", "/continued"),
            lambda url: url.split("?")[0],
        ],
    )
    def test_not_ours(self, send: Sender, change: Callable[[str], str]) -> None:
        """An address of boomerang's own that has no good token is the end, as ever."""
        daemon = patient()
        url = change(turn(daemon, send("/retry", VOICE)))
        assert answer_to(daemon, send("/retry", self.failed(url))) == given_up(0)
        answer = answer_to(daemon, send(WITH_SORRY, self.failed(url)))
        assert answer == redirect(SORRY, decision="fallback; attempt=0", method="GET")

    def test_another_call(self, send: Sender) -> None:
        """Nor is the token of another call good for this one."""
        daemon = patient()
        url = turn(daemon, send("/retry", VOICE))
        fields = {**self.failed(url), "CallSid": "CA2"}
        assert answer_to(daemon, send("/retry", fields)) == given_up(0)

    def test_another_host(self, send: Sender) -> None:
        """Nor is such an address at another host boomerang's own: that is an app like any."""
        daemon = patient()
        url = turn(daemon, send("/retry", VOICE)).replace("boomerang.", "other.")
        answer = answer_to(daemon, send("/retry", self.failed(url)), after=TURN)
        assert answer.headers["Boomerang-Decision"] == "hold; attempt=1"


class TestWayBack:
    @pytest.mark.parametrize(
        ("public_url", "host", "headers", "expected"),
        [
            ("", "boomerang.example.com", [], HERE),
            ("", "boomerang.example.com:8080", [], f"{HERE}:8080"),
            ("", "[2001:db8::1]:8080", [], "http://[2001:db8::1]:8080"),
            ("", "boomerang.example.com", [("X-Forwarded-Proto", "https")], PUBLIC),
            ("", "boomerang.example.com", [("X-Forwarded-Proto", "HTTPS")], PUBLIC),
            ("", "boomerang.example.com", [("X-Forwarded-Proto", "https, http")], PUBLIC),
            ("", "boomerang.example.com", [("X-Forwarded-Proto", "http")], HERE),
            ("", "boomerang.example.com", [("X-Forwarded-Proto", "javascript")], HERE),
            ("", "boomerang.example.com", [("X-Forwarded-Proto", "https")] * 2, HERE),
            ("", "boomerang.example.com", [("X-Forwarded-Host", "evil.test")], HERE),
            (PUBLIC, "boomerang.example.com", [], PUBLIC),
            (PUBLIC, "10.0.0.1:8080", [("X-Forwarded-Proto", "http")], PUBLIC),
            (f"{HERE}:8080", "elsewhere.example.com", [], f"{HERE}:8080"),
        ],
    )
    def test_address(
        self, public_url: str, host: str, headers: list[tuple[str, str]], expected: str
    ) -> None:
        """A call comes back by public_url, else to where it came, as far as that is known."""
        daemon = patient(BOOMERANG_PUBLIC_URL=public_url)
        url = turn(daemon, post("/retry", VOICE, [("Host", host), *headers]))
        assert url.partition("/retry/continue?")[0] == expected

    def test_tls(self) -> None:
        """Where TLS ends here, it does so for those who come back as well."""
        daemon = patient()
        connection = daemon.connect()
        alsoProvides(connection.channel.transport, ISSLTransport)
        connection.send(post("/retry", VOICE))
        daemon.wait(TURN)
        assert way_back(connection.answer()).startswith(f"{PUBLIC}/retry/continue?")

    @pytest.mark.parametrize("host", ["", "\udcff", "a b", "[::1"])
    def test_no_address(self, host: str) -> None:
        """Where a call could not come back to, it is held as long as one webhook may take."""
        answer = answer_to(patient(), post("/retry", VOICE, [("Host", host)]), after=14.0)
        assert answer == redirect(APP, decision="retry; attempt=1")

    def test_long_addresses(self) -> None:
        """A long URL comes back as it is, as long as it can be packed well enough."""
        daemon = patient()
        long = "https://app.example.com/" + "x" * 4000
        url = turn(daemon, post("/retry", {**VOICE, "ErrorUrl": long}))
        assert len(url) < 1000
        daemon.wait(LIMIT)
        answer = answer_to(daemon, post(target_of(url), RETURNING))
        assert answer == redirect(long, decision="retry; attempt=1")

    def test_other_methods(self) -> None:
        """Nothing but GET and POST is answered."""
        for method in ("PUT", "DELETE", "OPTIONS"):
            assert answer_to(patient(), request(method, "/retry/continue?token=x")).status == 405

    def test_other_bodies(self) -> None:
        """A POST whose body is no form is refused."""
        sent = request(
            "POST", "/retry/continue?token=x", {"Content-Type": "application/json"}, b"{}"
        )
        assert answer_to(patient(), sent) == bad(
            "the parameters of a POST must be a form (x-www-form-urlencoded)"
        )

    def test_held_requests_are_small(self) -> None:
        """In later turns, too, nothing of what was sent is kept."""
        daemon = patient()
        url = turn(daemon, post("/retry", VOICE))
        connection = daemon.connect()
        connection.send(post(target_of(url), {**RETURNING, "Extra": "x" * 60000}))
        held = connection.channel.request
        assert (held.uri, held.body, held.header_names()) == (b"", b"", [])

    def test_no_secret_in_the_log(self) -> None:
        """The token stays between boomerang and Twilio."""
        daemon = patient()
        with capturedLogs() as events:
            url = turn(daemon, post("/retry", VOICE))
            answer_to(daemon, post(target_of(url), {**RETURNING, "CallSid": "CA2"}))
            answer_to(daemon, post("/retry", {**VOICE, "ErrorUrl": url}), after=LIMIT - TURN)
        token = url.partition("token=")[2]
        shown = "".join(f"{formatEvent(event)} {event}" for event in events)
        assert "hold attempt=1" in shown
        assert token[:40] not in shown
