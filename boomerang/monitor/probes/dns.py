"""Checks of kind ``dns``: a name server gives the answer that is expected of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from ipaddress import IPv6Address, ip_address
from pathlib import Path
from typing import Any, Final

from attrs import frozen
from twisted.internet.abstract import isIPAddress, isIPv6Address
from twisted.names import dns

from boomerang.monitor.probes.name_server import NoSense, Server, ask
from boomerang.monitor.probes.reach import place, reaching
from boomerang.monitor.result import CheckFailed, Reason
from boomerang.monitor.run import Trace
from boomerang.outbound.lookups import Lookups
from boomerang.settings.checks import Check, DnsQuestion, dns_question

RESOLV_CONF: Final = Path("/etc/resolv.conf")

_TYPES: Final = {
    "A": dns.A,
    "AAAA": dns.AAAA,
    "CNAME": dns.CNAME,
    "MX": dns.MX,
    "NS": dns.NS,
    "TXT": dns.TXT,
}

_REFUSALS: Final = {
    dns.EFORMAT: "the name server does not understand the question (FORMERR)",
    dns.ESERVER: "the name server has failed (SERVFAIL)",
    dns.ENAME: "there is no such name (NXDOMAIN)",
    dns.ENOTIMP: "the name server does not answer such questions (NOTIMP)",
    dns.EREFUSED: "the name server refuses to answer (REFUSED)",
}

_SHOWN: Final = 100
"""Characters of an unexpected answer that a failure shows."""


@frozen(eq=False)
class DnsProbe:
    """Asks the name server of the URL, or one of those of this machine, as ``own_servers`` says."""

    reactor: Any
    lookups: Lookups
    own_servers: Callable[[], Sequence[Server]]

    async def __call__(self, check: Check, trace: Trace) -> None:
        question = dns_question(check.url)
        assert question is not None  # the settings are checked
        where = place(*question.server) if question.server else "the system's name servers"
        query = dns.Query(question.name.encode("ascii"), _TYPES[question.record])
        trace.begin("resolve")
        try:
            with reaching(where, trace):
                servers = await self._servers(question)
                message = await ask(self.reactor, servers, query, timeout=check.timeout)
        except OSError as error:
            words = (error.strerror or str(error)).lower()
            raise CheckFailed(Reason.CONNECT, f"{where}: {words}") from None
        except NoSense as error:
            raise CheckFailed(Reason.ERROR, f"{where}: {error}") from None
        examine(message, question, check.answer)

    async def _servers(self, question: DnsQuestion) -> Sequence[Server]:
        if question.server is None:
            return self.own_servers()
        host, port = question.server
        addresses = await self.lookups.addresses(host)
        return [(address.host, port) for address in addresses]


def servers_of(resolv_conf: Path = RESOLV_CONF) -> list[Server]:
    """The name servers in such a file, or the one that stands for none (man 5 resolv.conf)."""
    try:
        lines = resolv_conf.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    words = [line.split() for line in lines]
    hosts = [each[1] for each in words if len(each) > 1 and each[0] == "nameserver"]
    servers = [(host, dns.PORT) for host in hosts if isIPAddress(host) or isIPv6Address(host)]
    return servers or [("127.0.0.1", dns.PORT)]


def examine(message: dns.Message, question: DnsQuestion, expected: Sequence[str]) -> None:
    """Raise `CheckFailed` unless the answer has records, and one of those that are expected."""
    if message.rCode != dns.OK:
        words = _REFUSALS.get(message.rCode, f"the name server answers with code {message.rCode}")
        raise CheckFailed(Reason.DNS, f"{question.name}: {words}")
    texts = [
        record_text(record.payload)
        for record in message.answers
        if record.type == _TYPES[question.record]
    ]
    if not texts:
        raise CheckFailed(Reason.DNS, f"{question.name}: there is no {question.record} record")
    if expected and not set(map(_comparable, expected)) & set(map(_comparable, texts)):
        raise CheckFailed(Reason.BODY, f"{question.name} {question.record} is {_shown(texts)}")


def record_text(payload: Any) -> str:
    """A record's data as text, like ``10 mail.example.com``."""
    match payload:
        case dns.Record_A():
            return str(payload.dottedQuad())
        case dns.Record_AAAA():
            return str(IPv6Address(payload.address))
        case dns.Record_MX():
            return f"{payload.preference} {_decoded(payload.name.name)}"
        case dns.Record_TXT():
            return _decoded(b"".join(payload.data))
    return _decoded(payload.name.name)  # CNAME, NS


def _decoded(data: bytes) -> str:
    return data.decode("utf-8", errors="backslashreplace")


def _comparable(text: str) -> str:
    """The text of a record without what makes no difference: case, final dot, forms of IPv6."""
    plain = " ".join(text.casefold().removesuffix(".").split())
    try:
        return str(ip_address(plain))
    except ValueError:
        return plain


def _shown(texts: Iterable[str]) -> str:
    shown = ", ".join(texts)
    return shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}..."
