"""Addresses of hosts: one look-up for all who ask for the same name at the same time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from ipaddress import ip_address
from typing import Any, Final

from attrs import field, frozen
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import (
    IAddress,
    IHostnameResolver,
    IHostResolution,
    IResolutionReceiver,
)
from zope.interface import implementer

from boomerang.outbound.troubles import Trouble, Unreachable

Addresses = Sequence[IPv4Address | IPv6Address]

_LONGEST_LABEL: Final = 63


class Lookups:
    """Looks names up without blocking.

    The system's look-up cannot be stopped, and takes a thread each time. While name servers are
    down, what is asked for again and again would queue up there without end; joining those who
    already wait bounds the queue by the number of names.
    """

    def __init__(self, resolver: IHostnameResolver) -> None:
        self._resolver = resolver
        self._waiting: dict[str, list[Deferred[Addresses]]] = {}

    def addresses(self, host: str) -> Deferred[Addresses]:
        """The addresses of a host (`WebUrl.host`), at least one; may be cancelled.

        Fails with `Unreachable` when there is none. The ports in the addresses mean nothing.
        """
        literal = _literal(host)
        if literal is not None:
            return succeed([literal])
        if any(len(label) > _LONGEST_LABEL for label in host.split(".")):
            return fail(_no_address(host))  # Python's own look-up would fail in ways of its own
        waiter: Deferred[Addresses] = Deferred(lambda gone: self._waiting[host].remove(gone))
        if host in self._waiting:
            self._waiting[host].append(waiter)
        else:
            self._waiting[host] = [waiter]
            self._resolver.resolveHostName(_Receiver(partial(self._found, host)), host)
        return waiter

    def _found(self, host: str, addresses: Addresses) -> None:
        for waiter in self._waiting.pop(host):
            if addresses:
                waiter.callback(addresses)
            else:
                waiter.errback(_no_address(host))


def _literal(host: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(host.strip("[]"))
    except ValueError:
        return None
    kind = IPv4Address if address.version == 4 else IPv6Address
    return kind("TCP", str(address), 0)


def _no_address(host: str) -> Unreachable:
    return Unreachable(Trouble.DNS, f"{host}: no address found for this name")


@implementer(IResolutionReceiver)
@frozen(eq=False)
class _Receiver:
    found: Callable[[Addresses], None]
    _addresses: list[Any] = field(factory=list)

    def resolutionBegan(self, resolutionInProgress: IHostResolution) -> None:
        pass

    def addressResolved(self, address: IAddress) -> None:
        self._addresses.append(address)

    def resolutionComplete(self) -> None:
        self.found(self._addresses)
