"""Checks of kind dns, against a real name server."""

from __future__ import annotations

import gc
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from twisted.internet import reactor
from twisted.internet.defer import CancelledError
from twisted.logger import capturedLogs
from twisted.names import dns

from boomerang.monitor.probes.dns import DnsProbe, examine, record_text, servers_of
from boomerang.monitor.probes.name_server import Server
from boomerang.monitor.result import CheckFailed, Reason, Result
from boomerang.outbound.lookups import Lookups
from boomerang.settings.checks import DnsQuestion
from tests.monitor.probes.driving import (
    Listener,
    Names,
    check,
    listening,
    nothing_left,
    run,
    start,
    turn,
)
from tests.monitor.probes.naming import LONG_TEXTS, NameServer, serving
from tests.servers import HOST, eventually, free_port

QUESTION = DnsQuestion(name="example.com", record="A", server=None)


def none_of_our_own() -> Sequence[Server]:
    raise AssertionError("the URL names a server")


def probe(names: Names) -> DnsProbe:
    return DnsProbe(reactor, Lookups(names), own_servers=none_of_our_own)


PROBE = probe(Names({}))


async def asked(server: NameServer, name: str = "example.com", **keys: Any) -> Result:
    return await run(PROBE, check("dns", server.url(name), **keys))


# What an answer says


@pytest.mark.parametrize(
    ("record", "text"),
    [
        (dns.Record_A("192.0.2.1"), "192.0.2.1"),
        (dns.Record_AAAA("2001:db8:0:0::1"), "2001:db8::1"),
        (dns.Record_CNAME(b"Example.com"), "Example.com"),
        (dns.Record_NS(b"ns.example.com"), "ns.example.com"),
        (dns.Record_MX(10, b"mail.example.com"), "10 mail.example.com"),
        (dns.Record_TXT(b"v=spf1 ", b"-all"), "v=spf1 -all"),
        (dns.Record_TXT("grüße".encode()), "grüße"),
        (dns.Record_TXT(b"\xff"), r"\xff"),
        (dns.Record_TXT(), ""),
    ],
)
def test_record_text(record: Any, text: str) -> None:
    """A record is written as people write it."""
    assert record_text(record) == text


def answer(*records: Any, code: int = dns.OK) -> dns.Message:
    message = dns.Message(rCode=code)
    message.answers = [dns.RRHeader(b"example.com", each.TYPE, payload=each) for each in records]
    return message


A = dns.Record_A("192.0.2.1")
ALIAS = dns.Record_CNAME(b"www.example.com")


@pytest.mark.parametrize(
    ("record", "records", "expected"),
    [
        ("A", [A], ()),
        ("A", [A], ["192.0.2.1"]),
        ("A", [dns.Record_A("192.0.2.9"), A], ["192.0.2.7", "192.0.2.1"]),
        ("A", [ALIAS, A], ["192.0.2.1"]),
        ("CNAME", [ALIAS], ["WWW.Example.com."]),
        ("AAAA", [dns.Record_AAAA("2001:db8::1")], ["2001:0DB8:0:0::0001"]),
        ("MX", [dns.Record_MX(10, b"mail.example.com")], ["10  MAIL.example.com."]),
        ("MX", [dns.Record_MX(0, b"")], ["0 ."]),
        ("TXT", [dns.Record_TXT(b"v=spf1 ", b"-all")], ["v=spf1 -all"]),
    ],
)
def test_expected(record: str, records: list[Any], expected: list[str]) -> None:
    """One expected record is enough; case, final dot and form of an address do not count."""
    question = DnsQuestion(name="example.com", record=record, server=None)
    examine(answer(*records), question, expected)


@pytest.mark.parametrize(
    ("message", "expected", "reason", "detail"),
    [
        (
            answer(code=dns.ENAME),
            (),
            Reason.DNS,
            "example.com: there is no such name (NXDOMAIN)",
        ),
        (
            answer(code=dns.ESERVER),
            (),
            Reason.DNS,
            "example.com: the name server has failed (SERVFAIL)",
        ),
        (
            answer(A, code=dns.EREFUSED),
            (),
            Reason.DNS,
            "example.com: the name server refuses to answer (REFUSED)",
        ),
        (answer(code=9), (), Reason.DNS, "example.com: the name server answers with code 9"),
        (answer(), (), Reason.DNS, "example.com: there is no A record"),
        (answer(ALIAS), ["www.example.com"], Reason.DNS, "example.com: there is no A record"),
        (
            answer(A, dns.Record_A("192.0.2.2")),
            ["192.0.2.3", "192.0.2.4"],
            Reason.BODY,
            "example.com A is 192.0.2.1, 192.0.2.2",
        ),
    ],
)
def test_not_expected(
    message: dns.Message, expected: Sequence[str], reason: Reason, detail: str
) -> None:
    """What is wrong with an answer is told in words."""
    with pytest.raises(CheckFailed) as failed:
        examine(message, QUESTION, expected)
    assert (failed.value.reason, failed.value.detail) == (reason, detail)


def test_long_answer_is_shortened() -> None:
    """Of a long answer only the beginning is told."""
    records = [dns.Record_A(f"192.0.2.{number}") for number in range(10, 90)]
    with pytest.raises(CheckFailed) as failed:
        examine(answer(*records), QUESTION, ["192.0.2.1"])
    assert failed.value.detail.startswith("example.com A is 192.0.2.10, 192.0.2.11, ")
    assert failed.value.detail.endswith("...")
    assert len(failed.value.detail) < 150


@pytest.mark.parametrize(
    ("text", "servers"),
    [
        ("", [("127.0.0.1", 53)]),
        ("# nameserver 192.0.2.1\nsearch example.com\n", [("127.0.0.1", 53)]),
        ("nameserver\nnameserver ns.example.com\n", [("127.0.0.1", 53)]),
        (
            "nameserver 192.0.2.1\nnameserver\t2001:db8::1 # second\noptions edns0\n",
            [("192.0.2.1", 53), ("2001:db8::1", 53)],
        ),
    ],
)
def test_servers_of(tmp_path: Path, text: str, servers: list[Server]) -> None:
    """The system's name servers are those of its file, or the one on this machine."""
    path = tmp_path / "resolv.conf"
    path.write_text(text)
    assert servers_of(path) == servers
    assert servers_of(tmp_path / "none") == [("127.0.0.1", 53)]


# Asking


@pytest.mark.parametrize(
    ("name", "record", "expected"),
    [
        ("example.com", "A", "192.0.2.2"),
        ("EXAMPLE.com", "A", "192.0.2.2"),
        ("www.example.com", "A", "192.0.2.2"),
        ("example.com", "AAAA", "2001:db8::1"),
        ("www.example.com", "CNAME", "example.com"),
        ("example.com", "MX", "10 mail.example.com"),
        ("example.com", "NS", "ns.example.com"),
        ("example.com", "TXT", "v=spf1 -all"),
    ],
)
async def test_well(name: str, record: str, expected: str) -> None:
    """The expected answer is well, for every type that can be asked for."""
    async with serving() as server:
        url = server.url(name, record)
        result = await run(PROBE, check("dns", url, answer=(expected,)))
        assert server.asked == ["udp"]
    assert result.well, result.detail
    assert result.phases.keys() == {"resolve"}


@pytest.mark.parametrize(
    ("name", "code", "words"),
    [
        ("none.example.com", dns.OK, "NXDOMAIN"),
        ("example.com", dns.ESERVER, "SERVFAIL"),
        ("example.com", dns.EREFUSED, "REFUSED"),
        ("nowhere.example.com", dns.OK, "there is no A record"),
    ],
)
async def test_no_answer(name: str, code: int, words: str) -> None:
    """A name server that has no answer makes the check fail, with its words."""
    async with serving() as server:
        server.code = code
        result = await asked(server, name)
    assert result.reason is Reason.DNS
    assert words in result.detail


async def test_another_answer() -> None:
    """An answer without the expected record is a failure of class body."""
    async with serving() as server:
        result = await asked(server, answer=("192.0.2.9",))
    assert result.reason is Reason.BODY
    assert "192.0.2.1" in result.detail


async def test_long_answer() -> None:
    """An answer that was cut short is asked for again by TCP."""
    async with serving() as server:
        url = server.url("long.example.com", "TXT")
        last = LONG_TEXTS[-1].decode()
        result = await run(PROBE, check("dns", url, answer=(last,)))
        assert server.asked == ["udp", "tcp"]
    assert result.well, result.detail


async def test_lost_question() -> None:
    """A question that is lost is asked again, well within the check's timeout."""
    async with serving() as server:
        server.lost = 1
        result = await asked(server, timeout=0.2)
        assert server.asked == ["udp", "udp"]
    assert result.well, result.detail
    assert 0.05 <= result.seconds < 0.2


async def test_silent_server() -> None:
    """A name server that never answers is told as a timeout, at the check's own deadline."""
    async with serving() as server:
        server.silent = {"udp"}
        result = await asked(server, timeout=0.1)
    assert (result.reason, result.detail) == (Reason.TIMEOUT, "no answer within 0.1 s (resolve)")
    assert 0.1 <= result.seconds < 1


async def test_silent_by_tcp() -> None:
    """The deadline holds for the second question, by TCP, as well."""
    async with serving() as server:
        server.silent = {"tcp"}
        url = server.url("long.example.com", "TXT")
        result = await run(PROBE, check("dns", url, timeout=0.1))
        assert server.asked == ["udp", "tcp"]
    assert result.reason is Reason.TIMEOUT


async def test_hanging_up() -> None:
    """A name server that hangs up without an answer is a failure of class connect."""
    async with serving() as server:
        server.hanging_up = True
        result = await run(PROBE, check("dns", server.url("long.example.com", "TXT")))
    assert (result.reason, result.detail) == (
        Reason.CONNECT,
        f"{HOST}:{server.port}: closed the connection",
    )


async def test_another_question() -> None:
    """An answer to another question, which cannot be passed over by TCP, makes no sense."""
    other = dns.Message(id=1, answer=1).toStr()
    listener = Listener([len(other).to_bytes(2, "big") + other] * 2)
    async with serving() as server, listening(listener):
        url = server.url("long.example.com", "TXT")
        result = await run(diverted(listener.port), check("dns", url))
    assert (result.reason, result.detail) == (
        Reason.ERROR,
        f"{HOST}:{server.port}: the answer is to another question",
    )


async def test_nobody_there() -> None:
    """Where no name server is, the check need not wait for its timeout to know."""
    port = free_port()
    result = await run(PROBE, check("dns", f"dns://{HOST}:{port}/example.com"))
    assert (result.reason, result.detail) == (Reason.CONNECT, f"{HOST}:{port}: connection refused")


class Diverted(Names):
    """A reactor whose connections all go to one port."""

    def __init__(self, port: int) -> None:
        super().__init__({})
        self._port = port

    def connectTCP(self, host: str, port: int, *rest: Any, **keys: Any) -> Any:
        return reactor.connectTCP(host, self._port, *rest, **keys)


def diverted(port: int) -> DnsProbe:
    return DnsProbe(Diverted(port), Lookups(Names({})), own_servers=none_of_our_own)


async def test_nobody_by_tcp() -> None:
    """A name server that does not listen by TCP is a failure of class connect."""
    async with serving() as server:
        url = server.url("long.example.com", "TXT")
        result = await run(diverted(free_port()), check("dns", url))
    assert (result.reason, result.detail) == (
        Reason.CONNECT,
        f"{HOST}:{server.port}: connection refused",
    )


async def test_not_allowed() -> None:
    """An address that the system sends nothing to is a failure of class connect."""
    result = await run(PROBE, check("dns", "dns://255.255.255.255/example.com"))
    assert (result.reason, result.detail) == (
        Reason.CONNECT,
        "255.255.255.255:53: permission denied",
    )


async def test_no_sense() -> None:
    """What is no DNS message is a failure of class error, told without a traceback."""
    async with serving() as server:
        server.first = [b"\0\1garbage"]
        with capturedLogs() as events:
            result = await asked(server)
    assert result.reason is Reason.ERROR
    assert "cannot be read" in result.detail
    assert not [event for event in events if "log_failure" in event]


async def test_answers_to_others() -> None:
    """Answers to other questions are passed over."""
    other = dns.Message(id=1, answer=1)
    async with serving() as server:
        server.first = [other.toStr(), dns.Message(id=2).toStr()]
        result = await asked(server, answer=("192.0.2.1",))
    assert result.well, result.detail


@pytest.mark.parametrize("server", ["[::1]", "ns.example.com"])
async def test_server(server: str) -> None:
    """The name server may be an IPv6 address, or a name that is looked up first."""
    names = Names({"ns.example.com": ["::1"]})
    async with serving("::1") as found:
        result = await run(probe(names), check("dns", found.url("example.com", server=server)))
        assert found.asked == ["udp"]
    assert result.well, result.detail


async def test_unknown_server() -> None:
    """A name server whose name cannot be looked up is a failure of class dns."""
    result = await run(probe(Names({})), check("dns", "dns://ns.example.com/example.com"))
    assert (result.reason, result.detail) == (
        Reason.DNS,
        "ns.example.com: no address found for this name",
    )


async def test_hanging_look_up_of_the_server() -> None:
    """The deadline holds for the look-up of the name server as well."""
    names = Names({}, hanging=["ns.example.com"])
    result = await run(probe(names), check("dns", "dns://ns.example.com/example.com", timeout=0.05))
    assert result.reason is Reason.TIMEOUT


async def test_own_servers() -> None:
    """Without a server in the URL this machine's are asked, the next when one does not answer."""
    async with serving() as silent, serving() as server:
        silent.silent = {"udp"}
        servers = [(HOST, free_port()), (HOST, silent.port), (HOST, server.port)]
        wandering = DnsProbe(reactor, Lookups(Names({})), own_servers=lambda: servers)
        result = await run(wandering, check("dns", "dns:example.com", timeout=0.3))
        assert (silent.asked, server.asked) == (["udp"], ["udp"])
    assert result.well, result.detail


@pytest.mark.parametrize("silent", ["udp", "tcp"])
async def test_cancelled(silent: str) -> None:
    """A run that is cancelled ends at once as such, and lets go of everything."""
    async with serving() as server:
        server.silent = {silent}
        async with nothing_left():
            running = start(PROBE, check("dns", server.url("long.example.com", "TXT")))
            await eventually(lambda: silent in server.asked, what="asked")
            running.cancel()
            with pytest.raises(CancelledError):
                await running


async def test_cancelled_while_connecting(deaf: int) -> None:
    """So does one that is cancelled before it can ask by TCP."""
    async with serving() as server, nothing_left():
        running = start(diverted(deaf), check("dns", server.url("long.example.com", "TXT")))
        await eventually(lambda: bool(server.asked), what="asked")
        await turn()
        running.cancel()
        with pytest.raises(CancelledError):
            await running


async def test_deadline_while_connecting(deaf: int) -> None:
    """The deadline holds there, too."""
    async with serving() as server:
        url = server.url("long.example.com", "TXT")
        result = await run(diverted(deaf), check("dns", url, timeout=0.1))
    assert (result.reason, result.detail) == (Reason.TIMEOUT, "no answer within 0.1 s (resolve)")


async def test_quiet() -> None:
    """Asking writes nothing into the log."""
    async with serving() as server:
        with capturedLogs() as events:
            assert (await asked(server, "none.example.com")).reason is Reason.DNS
    assert events == []


async def test_socket_is_closed() -> None:
    """The socket for datagrams is closed, and not left to the collector."""
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        async with serving() as server:
            assert (await asked(server)).well
        gc.collect()
    assert not [each for each in warned if each.category is ResourceWarning]
