"""Calls that are held for longer than one webhook may take: ``/retry``, and the way back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from xml.etree import ElementTree

import pytest
from twisted.internet.interfaces import ISSLTransport
from twisted.logger import capturedLogs, formatEvent
from zope.interface import alsoProvides

from tests.web.driving import (
    APP,
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
from tests.web.retrying import (
    BY_METHOD,
    MESSAGING,
    PUBLIC,
    SORRY,
    VOICE,
    WITH_SORRY,
    XML,
    Sender,
    answer_to,
    bad,
    given_up,
    redirect,
)

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
