"""Which probe asks for which kind of check."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from boomerang.monitor.probes.asking import Asking
from boomerang.monitor.probes.dns import DnsProbe, servers_of
from boomerang.monitor.probes.http import HttpProbe
from boomerang.monitor.probes.redis import RedisProbe
from boomerang.monitor.probes.statuspage import StatusPageProbe
from boomerang.monitor.probes.tcp import TcpProbe
from boomerang.monitor.run import Probe
from boomerang.outbound import Outbound
from boomerang.outbound.lookups import Lookups


def probes(
    reactor: Any, *, outbound: Outbound, wall_clock: Callable[[], float]
) -> Mapping[str, Probe]:
    """A probe for each kind of check (`boomerang.settings.checks.KINDS`)."""
    asking = Asking(outbound, wall_clock)
    lookups = Lookups(reactor.nameResolver)
    return {
        "http": HttpProbe(asking),
        "statuspage": StatusPageProbe(asking),
        "tcp": TcpProbe(reactor, lookups),
        "dns": DnsProbe(reactor, lookups, own_servers=servers_of),
        "redis": RedisProbe(reactor),
    }
