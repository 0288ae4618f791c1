"""What calls and messages are played with: the network, time, chance, and Twilio's time limits."""

from __future__ import annotations

from random import Random
from typing import Any, Self

from attrs import field, frozen
from twisted.internet.interfaces import IReactorTime

from boomerang.outbound.certificates import Trust
from boomerang.outbound.line import Network
from boomerang.outbound.lookups import Lookups


@frozen
class Limits:
    """Twilio's time limits in seconds, where the fragment of a URL has no others.

    ``connect`` is for one try, ``read`` for the answer's beginning and between its pieces.
    ``total`` is never exceeded, whatever the fragment says
    (https://www.twilio.com/docs/usage/webhooks/webhooks-connection-overrides).
    """

    connect: float = 5.0
    read: float = 15.0
    total: float = 15.0


@frozen(eq=False)
class Surroundings:
    """All that is not decided by a script. ``clock`` counts time limits and pauses."""

    network: Network
    clock: IReactorTime
    chance: Random
    limits: Limits = field(factory=Limits)

    @classmethod
    def of(
        cls,
        reactor: Any,
        *,
        chance: Random,
        clock: IReactorTime | None = None,
        limits: Limits | None = None,
        trust_root: Any = None,
    ) -> Self:
        """Play over the reactor's network, and by its time unless there is another ``clock``.

        ``trust_root`` replaces the platform's, for tests with certificates of their own.
        """
        network = Network(
            reactor=reactor, lookups=Lookups(reactor.nameResolver), trust=Trust(trust_root)
        )
        return cls(network, reactor if clock is None else clock, chance, limits or Limits())
