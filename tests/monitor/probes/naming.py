"""A real name server for tests, by UDP and TCP, that can be told to misbehave."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from twisted.internet import reactor
from twisted.internet.defer import gatherResults, maybeDeferred
from twisted.internet.error import CannotListenError
from twisted.names import dns
from twisted.names.authority import FileAuthority
from twisted.names.server import DNSServerFactory

from tests.servers import HOST

LONG_TEXTS: Final = [b"%d " % number + b"x" * 200 for number in range(5)]
"""More than fits the 512 bytes of a datagram."""


class Zone(FileAuthority):
    """What example.com has."""

    soa: Any
    records: Any

    def loadFile(self, filename: object) -> None:
        self.soa = (b"example.com", dns.Record_SOA(mname=b"ns.example.com", minimum=60))
        self.records = {
            b"example.com": [
                self.soa[1],
                dns.Record_A("192.0.2.1"),
                dns.Record_A("192.0.2.2"),
                dns.Record_AAAA("2001:db8::1"),
                dns.Record_MX(10, b"mail.example.com"),
                dns.Record_NS(b"ns.example.com"),
                dns.Record_TXT(b"v=spf1 ", b"-all"),
            ],
            b"www.example.com": [dns.Record_CNAME(b"example.com")],
            b"nowhere.example.com": [dns.Record_CNAME(b"elsewhere.example.org")],
            b"long.example.com": [dns.Record_TXT(text) for text in LONG_TEXTS],
        }


class NameServer(DNSServerFactory):
    """Answers from `Zone`.

    ``asked`` says by which way each question came. The first ``lost`` questions are not answered,
    nor is any by a way that is ``silent``; ``code`` is the answers' code; ``first`` are datagrams
    sent before an answer.
    """

    noisy = False

    def __init__(self) -> None:
        super().__init__(authorities=[Zone("")])
        self.asked: list[str] = []
        self.lost = 0
        self.silent: set[str] = set()
        self.hanging_up = False
        self.code = dns.OK
        self.first: list[bytes] = []
        self.port = 0

    def url(self, name: str, record: str = "A", *, server: str = HOST) -> str:
        return f"dns://{server}:{self.port}/{name}?type={record}"

    def messageReceived(self, message: Any, proto: Any, address: Any = None) -> None:
        way = "udp" if address else "tcp"
        self.asked.append(way)
        if self.lost or way in self.silent:
            self.lost -= 1
            return
        if way == "tcp" and self.hanging_up:
            proto.transport.loseConnection()
            return
        for datagram in self.first:
            proto.transport.write(datagram, address)
        super().messageReceived(message, proto, address)

    def sendReply(self, protocol: Any, message: Any, address: Any) -> None:
        message.rCode = message.rCode or self.code
        message.maxSize = 512 if address else 0
        super().sendReply(protocol, message, address)


@asynccontextmanager
async def serving(host: str = HOST) -> AsyncIterator[NameServer]:
    server = NameServer()
    network: Any = reactor  # whose types know of no UDP
    while True:
        udp = network.listenUDP(0, dns.DNSDatagramProtocol(server), interface=host)
        server.port = udp.getHost().port
        try:
            tcp = network.listenTCP(server.port, server, interface=host)
        except CannotListenError:
            await maybeDeferred(udp.stopListening)
        else:
            break
    try:
        yield server
    finally:
        await gatherResults([maybeDeferred(port.stopListening) for port in (udp, tcp)])
