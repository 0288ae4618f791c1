"""Clients for tests: on the real reactor, with names made up, leaving nothing behind."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from attrs import define, field
from twisted.internet import reactor
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import (
    IAddress,
    IHostnameResolver,
    IHostResolution,
    IResolutionReceiver,
)
from twisted.internet.task import deferLater
from zope.interface import implementer

from boomerang.outbound import Answer, Outbound, Trouble, Unreachable


@implementer(IHostResolution)
@define
class Resolution:
    """A look-up under way."""

    name: str

    def cancel(self) -> None:
        raise NotImplementedError("as Twisted's own cannot be cancelled")


@implementer(IHostnameResolver)
@define
class Names:
    """A resolver that knows some names, and lets others wait until the test answers for them."""

    known: Mapping[str, Sequence[str]] = field(factory=dict)
    hanging: Sequence[str] = ()
    asked: list[str] = field(factory=list)
    waiting: list[IResolutionReceiver] = field(factory=list)

    def resolveHostName(
        self,
        resolutionReceiver: IResolutionReceiver,
        hostName: str,
        portNumber: int = 0,
        addressTypes: Sequence[type[IAddress]] | None = None,
        transportSemantics: str = "TCP",
    ) -> IHostResolution:
        self.asked.append(hostName)
        resolution = Resolution(hostName)
        resolutionReceiver.resolutionBegan(resolution)
        if hostName in self.hanging:
            self.waiting.append(resolutionReceiver)
        else:
            self.answer(resolutionReceiver, *self.known.get(hostName, ()))
        return resolution

    def answer(self, receiver: IResolutionReceiver, *addresses: str) -> None:
        """Give an answer to who waits for one."""
        for address in addresses:
            kind = IPv6Address if ":" in address else IPv4Address
            receiver.addressResolved(kind("TCP", address, 0))
        receiver.resolutionComplete()


@asynccontextmanager
async def client(trust_root: Any = None, resolver: Any = None) -> AsyncIterator[Outbound]:
    """An `Outbound` that is closed in the end, and must not leave anything to be done later."""
    await deferLater(reactor, 0)  # for the test's own time limit to begin
    before = set(reactor.getDelayedCalls())
    outbound = Outbound(reactor, trust_root=trust_root, resolver=resolver)
    try:
        yield outbound
    finally:
        await outbound.close().addTimeout(1, reactor)
        await deferLater(reactor, 0)
    left = set(reactor.getDelayedCalls()) - before
    assert not left, f"left to be done later: {left}"


@define
class Diary:
    """A journey that is written down."""

    begun: list[str] = field(factory=list)
    status: int | None = None
    certificate_expires: float | None = None

    def begin(self, phase: str) -> None:
        self.begun.append(phase)


async def visit(
    outbound: Outbound,
    url: str,
    diary: Diary | None = None,
    *,
    headers: Mapping[str, str] | None = None,
    redirects: int = 0,
) -> Answer:
    """Visit a URL; the journey is written into the diary."""
    return await outbound.visit(
        "GET",
        url,
        headers=headers or {},
        redirects=redirects,
        body_cap=1000,
        journey=diary or Diary(),
    )


async def trouble(
    outbound: Outbound, url: str, diary: Diary | None = None, *, redirects: int = 0
) -> tuple[Trouble, str]:
    """What goes wrong with a visit."""
    with pytest.raises(Unreachable) as caught:
        await visit(outbound, url, diary, redirects=redirects)
    return caught.value.trouble, str(caught.value)
