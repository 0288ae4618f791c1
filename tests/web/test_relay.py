"""``/relay`` and ``/debugger``, as Twilio meets them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from urllib.parse import quote, urlencode

import pytest
from attrs import evolve
from prometheus_client import CollectorRegistry
from twilio.request_validator import RequestValidator
from twisted.internet.defer import Deferred, fail
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent

from boomerang.endpoints.rules import RuleBook
from boomerang.relay.accepting import Accepting
from boomerang.relay.callback import Callback
from boomerang.relay.counts import RelayCounts
from boomerang.relay.intake import PATIENCE, Intake
from boomerang.relay.making import Intaking
from boomerang.relay.record import RelayRecord
from boomerang.relay.resign import Signer
from boomerang.relay.signers import Signers, name_of
from boomerang.relay.standing import FULL_FOR, Standing
from boomerang.settings import Sources, load_settings
from boomerang.stores.interfaces import StoreUnavailable
from boomerang.stores.notes_memory import MemoryNotes
from boomerang.stores.queue import Bounds, Filter
from boomerang.stores.queue_memory import MemoryQueue
from boomerang.web.relay import DebuggerRoute, RelayRoute
from boomerang.web.signature import Keys
from boomerang.web.trust import Trust
from tests.relay.callbacks import ACCOUNT
from tests.relay.test_accepting import APP, ENDPOINTS, FIELDS
from tests.web.driving import NO_STORE, Answer, Bench, get, post, request, signature, whole

BASE = "https://boomerang.example.com"
RELAY = f"/relay?Url={quote(APP, safe='')}"
THERE = Answer(204, "No Content", NO_STORE)


class Relayed(Bench):
    """The routes over a queue in memory, or over one that the test gives."""

    def __init__(
        self,
        *,
        tokens: Sequence[str] = (),
        shared: Mapping[str, str] | None = None,
        allowed_hosts: tuple[str, ...] = (),
        accept: Deferred[bool] | None = None,
        bounds: Bounds | None = None,
    ) -> None:
        clock = Clock()
        settings = load_settings(Sources(file=ENDPOINTS))
        book = RuleBook(settings.retry, settings.endpoint)
        self.registry = CollectorRegistry()
        counts = RelayCounts(self.registry, [rules.name for rules in book])
        self.queue = MemoryQueue(clock.seconds, bounds=bounds)
        if accept is not None:
            self.queue.accept = lambda callback: accept  # type: ignore[method-assign]
        self.standing = Standing(RelayRecord(counts), wall_clock=clock.seconds)
        self.nudged = 0
        self.signers = Signers(tokens, shared or {}, notes=MemoryNotes(clock))
        self.relay = Intaking(
            accepting=Accepting(book, settings.endpoint),
            intake=Intake(
                self.queue,
                clock=clock,
                record=RelayRecord(counts),
                standing=self.standing,
                nudge=self._nudge,
            ),
            signers=self.signers,
            record=RelayRecord(counts),
            is_async=frozenset(rules.name for rules in book if rules.mode == "async"),
            wall_clock=clock.seconds,
        )
        trust = Trust(
            keys=Keys(tokens=tuple(tokens), shared=shared or {}),
            public_url=BASE,
            allowed_hosts=allowed_hosts,
        )
        super().__init__(
            RelayRoute(relay=self.relay, trust=trust).app,
            DebuggerRoute(relay=self.relay, trust=trust).app,
            clock=clock,
        )

    def _nudge(self) -> None:
        self.nudged += 1

    def stored(self) -> list[Callback]:
        found: list[Callback] = []
        looking = self.queue.look(Filter(), most=100)
        looking.addCallback(lambda queued: found.extend(each.callback for each in queued))
        return found

    def count(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(name, labels)


def debugger(url: str = APP, *, status: int | None = 500, sid: str = "NO1") -> dict[str, str]:
    """The form of a Debugger event."""
    made = {"url": url, "method": "POST", "headers": {}, "parameters": FIELDS}
    webhook = {"request": made, "response": {"status_code": status}}
    payload = json.dumps({"error_code": "15003", "webhook": webhook})
    return {"Sid": sid, "AccountSid": ACCOUNT, "Level": "ERROR", "Payload": payload}


def test_stored() -> None:
    """A callback is stored, the courier is told, and then there is 204 without content."""
    bench = Relayed()
    assert bench.ask(post(RELAY, FIELDS)) == THERE
    (callback,) = bench.stored()
    assert callback.url == APP
    assert callback.body == urlencode(FIELDS).encode()
    assert bench.nudged == 1
    assert bench.count("boomerang_relay_callbacks_total", outcome="accepted", endpoint="call-ended")


def test_get() -> None:
    """GET is taken as well."""
    bench = Relayed()
    assert bench.ask(get(RELAY, FIELDS)) == THERE
    (callback,) = bench.stored()
    assert callback.url == f"{APP}&{urlencode(FIELDS)}"


def test_by_name() -> None:
    """An endpoint is addressed by its name."""
    bench = Relayed()
    assert bench.ask(post("/relay/call-ended/calls/1/call_ended?session=5", FIELDS)) == THERE
    (callback,) = bench.stored()
    assert (callback.url, callback.endpoint) == (APP, "call-ended")


def test_twice() -> None:
    """The same callback again is acknowledged again, and stored once."""
    bench = Relayed()
    token = ("I-Twilio-Idempotency-Token", "a")
    plain = {"CallSid": "CA1"}
    for _ in range(2):
        assert bench.ask(post(RELAY, plain, [token])) == THERE
    assert bench.ask(post(RELAY, plain, [(token[0], "b")])) == THERE
    assert len(bench.stored()) == 2


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (post("/relay", FIELDS), 400),
        (post("/relay?Url=x", FIELDS), 400),
        (post("/relay/nobody/calls/1", FIELDS), 400),
        (post(f"/relay?Url={quote(BASE, safe='')}/retry", FIELDS), 400),
        (post("/relay?Url=http://boomerang.example.com:443/relay", FIELDS), 400),
        (request("POST", RELAY, [("Content-Type", "text/xml")], b"<a/>"), 415),
        (request("POST", RELAY, [("Content-Type", "multipart/form-data")], b"x"), 415),
        (request("POST", RELAY, [("Content-Type", "text/plain")], b"x" * 65537), 413),
        (request("PUT", RELAY), 405),
        (request("HEAD", RELAY), 405),
        (request("GET", "/debugger"), 405),
        (request("GET", "/relay/"), 404),
        (post("/debugger", {}), 400),
        (post("/debugger", {"Sid": "NO1", "Payload": "{"}), 400),
    ],
)
def test_refused(raw: bytes, status: int) -> None:
    """What cannot be relayed is refused, and not stored."""
    bench = Relayed()
    assert bench.ask(raw).status == status
    assert bench.stored() == []


def test_signed() -> None:
    """With a token, only what Twilio signed is taken, and its account's token is remembered."""
    bench = Relayed(tokens=("first", "second"))
    assert bench.ask(post(RELAY, FIELDS)).status == 403
    wrong = signature(BASE + RELAY, {**FIELDS, "x": "1"}, token="first")
    assert bench.ask(post(RELAY, FIELDS, [wrong])).status == 403
    assert bench.stored() == []
    right = signature(BASE + RELAY, FIELDS, token="second")
    assert bench.ask(post(RELAY, FIELDS, [right])) == THERE
    (callback,) = bench.stored()
    assert callback.signed_by == name_of(Signer("second"))
    assert bench.signers.of(evolve(callback, signed_by="")) == Signer("second")


def test_signed_json() -> None:
    """The body of JSON counts, too."""
    bench = Relayed(tokens=("token",))
    body = '{"a": "ä"}'
    target = f"{RELAY}&bodySHA256={RequestValidator('token').compute_hash(body)}"
    header = signature(BASE + target, {}, token="token")
    kind = ("Content-Type", "application/json")
    assert bench.ask(request("POST", target, [kind, header], b"{}")).status == 403
    assert bench.ask(request("POST", target, [kind, header], body.encode())) == THERE
    (callback,) = bench.stored()
    assert callback.body == body.encode()


@pytest.mark.parametrize("kind", ["application/json", "application/x-www-form-urlencoded"])
def test_body_that_nobody_signed(kind: str) -> None:
    """Who has seen a signed GET cannot send a body of their own with its signature."""
    bench = Relayed(tokens=("token",))
    header = signature(BASE + RELAY, {}, token="token")
    forged = request("POST", RELAY, [("Content-Type", kind), header], b'{"CallStatus": "forged"}')
    assert bench.ask(request("GET", RELAY, [header])) == THERE
    assert bench.ask(forged).status == 403
    assert len(bench.stored()) == 1


def test_signed_with_shared_key() -> None:
    """A shared key is remembered with its name and algorithm."""
    bench = Relayed(tokens=("token",), shared={"SK1": "secret"})
    computed = RequestValidator("secret").compute_signature(BASE + RELAY, FIELDS, "HMAC_SHA256")
    headers = [
        ("X-Twilio-Signature", str(computed)),
        ("X-Twilio-Webhooks-Signature-Settings", "key=SK1,algorithm=HMAC_SHA256"),
    ]
    assert bench.ask(post(RELAY, FIELDS, headers)) == THERE
    (callback,) = bench.stored()
    assert callback.signed_by == name_of(Signer("secret", "SK1", "HMAC_SHA256"))
    assert bench.signers.of(evolve(callback, signed_by="")) == Signer(
        "secret", "SK1", "HMAC_SHA256"
    )


def test_allowed_hosts() -> None:
    """Nothing is taken for a host that is not allowed."""
    bench = Relayed(allowed_hosts=("*.example.net",))
    assert bench.ask(post(RELAY, FIELDS)).status == 403
    assert bench.ask(post("/debugger", debugger())) == THERE
    assert bench.stored() == []


def unavailable(answer: Answer, words: str) -> bool:
    body = f"503 Service Unavailable: {words}, nothing was stored\n".encode()
    kind = {"Content-Type": "text/plain; charset=utf-8"}
    return answer == whole(503, body, kind, NO_STORE, {"Retry-After": "30"})


def test_full() -> None:
    """A queue that is full says so, once in the log, and in health until it has room or is left
    alone."""
    bench = Relayed(bounds=Bounds(most=1))
    assert bench.ask(post(RELAY, FIELDS)) == THERE
    more = {**FIELDS, "SequenceNumber": "4"}
    with capturedLogs() as events:
        assert unavailable(bench.ask(post(RELAY, more)), "the queue is full")
        event = debugger("https://app.example.com/calls/2/call_ended")
        assert unavailable(bench.ask(post("/debugger", event)), "the queue is full")
        assert bench.ask(post(RELAY, FIELDS)) == THERE  # is stored already, and needs no room
        assert [part for part, _ in bench.standing.troubles()] == ["relay queue"]
        assert len(bench.stored()) == 1
        bench.queue.drop([1])
        assert bench.ask(post(RELAY, more)) == THERE
    assert bench.standing.troubles() == []
    told = [formatEvent(event) for event in events if "relay's queue" in formatEvent(event)]
    assert told == [
        "callbacks are refused, the relay's queue is full: 1 callbacks wait",
        "the relay's queue has room again",
    ]
    assert unavailable(
        bench.ask(post(RELAY, {**FIELDS, "SequenceNumber": "5"})), "the queue is full"
    )
    bench.wait(FULL_FOR)
    assert bench.standing.troubles() == []


def test_store_away() -> None:
    """A store that is away makes it 503, once told in health."""
    bench = Relayed(accept=fail(StoreUnavailable("secret words")))
    assert unavailable(bench.ask(post(RELAY, FIELDS)), "the store is away")
    assert [part for part, _ in bench.standing.troubles()] == ["relay store"]


def test_only_once_stored() -> None:
    """There is no answer before the store's."""
    storing: Deferred[bool] = Deferred()
    bench = Relayed(accept=storing)
    connection = bench.connect()
    connection.send(post(RELAY, FIELDS))
    bench.wait(5)
    assert connection.answers() == []
    storing.callback(True)
    assert connection.answers() == [THERE]
    bench.wait(PATIENCE)


def test_store_hangs() -> None:
    """A store that says nothing makes it 503 while Twilio waits; its late word is no error."""
    storing: Deferred[bool] = Deferred()
    bench = Relayed(accept=storing)
    connection = bench.connect()
    connection.send(post(RELAY, FIELDS))
    bench.wait(PATIENCE)
    assert unavailable(connection.answer(), "the store is away")
    storing.callback(True)
    assert bench.nudged == 1
    assert bench.standing.troubles() == []


def test_hung_up() -> None:
    """Whoever goes away does not stop the store."""
    storing: Deferred[bool] = Deferred()
    bench = Relayed(accept=storing)
    connection = bench.connect()
    connection.send(post(RELAY, FIELDS))
    connection.hang_up()
    storing.callback(True)
    assert bench.nudged == 1


def test_debugger() -> None:
    """A lost callback that an event tells of is queued; the same event twice is one."""
    bench = Relayed()
    for _ in range(2):
        assert bench.ask(post("/debugger", debugger())) == THERE
    (callback,) = bench.stored()
    assert callback.url == APP
    events = "boomerang_debugger_events_total"
    assert bench.count(events, code="15003", fate="redelivered") == 2
    assert bench.ask(post("/debugger", debugger(status=200))) == THERE
    assert bench.ask(post("/debugger", debugger(f"{BASE}/retry"))) == THERE
    assert bench.count(events, code="15003", fate="counted") == 1
    assert bench.count(events, code="15003", fate="loop") == 1
    assert len(bench.stored()) == 1


def test_debugger_signed() -> None:
    """Events are signed, too."""
    bench = Relayed(tokens=("first", "second"))
    assert bench.ask(post("/debugger", debugger())).status == 403
    header = signature(f"{BASE}/debugger", debugger(), token="second")
    assert bench.ask(post("/debugger", debugger(), [header])) == THERE
    (callback,) = bench.stored()
    assert callback.signed_by == name_of(Signer("second"))


def test_debugger_of_another_account() -> None:
    """An event's key says nothing of a callback that another account made."""
    bench = Relayed(tokens=("first", "second"))
    event = {**debugger(), "AccountSid": f"AC{9:032x}"}
    header = signature(f"{BASE}/debugger", event, token="second")
    assert bench.ask(post("/debugger", event, [header])) == THERE
    (callback,) = bench.stored()
    assert callback.signed_by == ""
