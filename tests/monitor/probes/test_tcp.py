"""Checks of kind tcp, against real listeners."""

from __future__ import annotations

import pytest
from twisted.internet import reactor
from twisted.internet.defer import CancelledError

from boomerang.monitor.probes.tcp import TcpProbe
from boomerang.monitor.result import Reason
from boomerang.outbound.lookups import Lookups
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
from tests.servers import HOST, eventually, free_port


def probe(names: Names) -> TcpProbe:
    return TcpProbe(reactor, Lookups(names))


PROBE = probe(Names({}))


@pytest.mark.parametrize(("host", "literal"), [("127.0.0.1", "127.0.0.1"), ("::1", "[::1]")])
async def test_listening(host: str, literal: str) -> None:
    """A port where somebody listens is well; nothing is said, and the connection ends at once."""
    async with listening(Listener(), host=host) as listener:
        result = await run(PROBE, check("tcp", f"tcp://{literal}:{listener.port}"))
        await eventually(lambda: listener.left == 1, what="hung up")
        assert (listener.came, listener.heard) == (1, b"")
    assert result.well, result.detail
    assert result.phases.keys() == {"resolve", "connect"}


async def test_next_address() -> None:
    """Of a name's addresses one that can be reached is enough."""
    async with listening(Listener()) as listener:
        names = Names({"db.example.com": ["::1", HOST]})
        url = f"tcp://db.example.com:{listener.port}"
        result = await run(probe(names), check("tcp", url))
    assert result.well, result.detail


@pytest.mark.parametrize("host", [HOST, "[::1]"])
async def test_refused(host: str) -> None:
    """Where nobody listens, the reason is connect, in the system's words, and no time is told."""
    port = free_port()
    result = await run(PROBE, check("tcp", f"tcp://{host}:{port}"))
    assert (result.reason, result.detail) == (Reason.CONNECT, f"{host}:{port}: connection refused")
    assert result.response_seconds is None


async def test_unknown_name() -> None:
    """A name without address is a failure of class dns."""
    result = await run(probe(Names({})), check("tcp", "tcp://db.example.com:3306"))
    assert result.reason is Reason.DNS
    assert result.detail == "db.example.com: no address found for this name"


async def test_slow_look_up() -> None:
    """A look-up that takes too long is told as a timeout while resolving."""
    names = Names({}, hanging=["db.example.com"])
    result = await run(probe(names), check("tcp", "tcp://db.example.com:1", timeout=0.05))
    assert (result.reason, result.detail) == (
        Reason.TIMEOUT,
        "no answer within 0.05 s (resolve)",
    )
    assert result.phases["resolve"] >= 0.05


async def test_slow_connection(deaf: int) -> None:
    """A host that does not answer is told as a timeout while connecting."""
    result = await run(PROBE, check("tcp", f"tcp://{HOST}:{deaf}", timeout=0.1))
    assert (result.reason, result.detail) == (
        Reason.TIMEOUT,
        "no answer within 0.1 s (connect)",
    )


@pytest.mark.parametrize("where", ["resolve", "connect"])
async def test_cancelled(deaf: int, where: str) -> None:
    """A run that is cancelled ends at once as such, and lets go of everything."""
    names = Names({"known": [HOST]}, hanging=["unknown"])
    host = "unknown" if where == "resolve" else "known"
    async with nothing_left():
        running = start(probe(names), check("tcp", f"tcp://{host}:{deaf}"))
        await turn()
        running.cancel()
        with pytest.raises(CancelledError):
            await running
