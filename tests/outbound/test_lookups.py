"""Looking names up: together with others, and without trouble for those who cannot wait."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet import reactor
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import CancelledError
from twisted.trial.unittest import SynchronousTestCase

from boomerang.outbound.lookups import Lookups
from boomerang.outbound.troubles import Trouble, Unreachable
from tests.outbound.clients import Names

V4, V6 = IPv4Address("TCP", "192.0.2.1", 0), IPv6Address("TCP", "2001:db8::1", 0)


class LookupsTests(SynchronousTestCase):
    """`Lookups`, with a resolver that waits for the test."""

    def setUp(self) -> None:
        self.names = Names(
            {"known.example": ["192.0.2.1", "2001:db8::1"]}, hanging=["slow.example"]
        )
        self.lookups = Lookups(self.names)

    def test_known(self) -> None:
        """The addresses of a name are all that the resolver knows, in its order."""
        found = self.successResultOf(self.lookups.addresses("known.example"))
        assert list(found) == [V4, V6]

    def test_unknown(self) -> None:
        """A name without an address fails with that reason."""
        failure = self.failureResultOf(self.lookups.addresses("gone.example"), Unreachable)
        assert failure.value.trouble is Trouble.DNS

    def test_literals(self) -> None:
        """An address is its own; nobody is asked."""
        for text, address in (("192.0.2.1", V4), ("[2001:db8::1]", V6), ("2001:db8::1", V6)):
            assert self.successResultOf(self.lookups.addresses(text)) == [address]
        assert self.names.asked == []

    def test_impossible(self) -> None:
        """A name with a label that no name can have is not asked for: it would raise elsewhere."""
        for name in ("a" * 64, f"www.{'a' * 64}.example"):
            self.failureResultOf(self.lookups.addresses(name), Unreachable)
        assert self.names.asked == []

    def test_together(self) -> None:
        """Those who ask for the same name at the same time wait for one look-up."""
        waiting = [self.lookups.addresses("slow.example") for _ in range(3)]
        assert self.names.asked == ["slow.example"]
        self.names.answer(self.names.waiting[0], "192.0.2.1")
        for each in waiting:
            found = self.successResultOf(each)
            assert list(found) == [V4]

    def test_together_in_vain(self) -> None:
        """They fail together, too."""
        waiting = [self.lookups.addresses("slow.example") for _ in range(3)]
        self.names.answer(self.names.waiting[0])
        for each in waiting:
            self.failureResultOf(each, Unreachable)

    def test_again(self) -> None:
        """A look-up that is over is not remembered: addresses change."""
        for _ in range(2):
            self.successResultOf(self.lookups.addresses("known.example"))
        assert self.names.asked == ["known.example"] * 2

    def test_cancelled(self) -> None:
        """One who no longer waits does not disturb the others, nor end the look-up."""
        first, second = (self.lookups.addresses("slow.example") for _ in range(2))
        first.cancel()
        self.failureResultOf(first, CancelledError)
        self.assertNoResult(second)
        self.names.answer(self.names.waiting[0], "192.0.2.1")
        self.successResultOf(second)

    def test_all_cancelled(self) -> None:
        """While a look-up that nobody waits for goes on, who asks again joins it."""
        for _ in range(100):
            self.lookups.addresses("slow.example").addErrback(lambda why: why.trap(CancelledError))
        first = self.lookups.addresses("slow.example")
        first.cancel()
        self.failureResultOf(first, CancelledError)
        again = self.lookups.addresses("slow.example")
        assert self.names.asked == ["slow.example"]
        self.names.answer(self.names.waiting[0], "192.0.2.1")
        self.successResultOf(again)


async def test_of_the_system() -> None:
    """The reactor's resolver is one that fits."""
    network: Any = reactor
    lookups = Lookups(network.nameResolver)
    addresses = await lookups.addresses("localhost")
    assert {address.host for address in addresses} <= {"127.0.0.1", "::1"}
    with pytest.raises(Unreachable):
        await lookups.addresses("gone.invalid")
