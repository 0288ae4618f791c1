"""The probes by kind of check."""

from __future__ import annotations

import time

from twisted.internet import reactor

from boomerang.monitor.probes.table import probes
from boomerang.outbound import Outbound
from boomerang.settings.checks import KINDS
from tests.monitor.probes.driving import Listener, check, listening, run
from tests.monitor.probes.naming import serving
from tests.servers import HOST


async def test_table() -> None:
    """There is a probe for each kind that the settings know, and each speaks its protocol."""
    table = probes(reactor, outbound=Outbound(reactor), wall_clock=time.time)
    assert table.keys() == set(KINDS)
    http = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%b"
    page = b'{"status": {"indicator": "none"}}'
    for kind, url, answers in (
        ("http", "http://{0}:{1}", [http % (0, b"")]),
        ("statuspage", "http://{0}:{1}", [http % (len(page), page)]),
        ("tcp", "tcp://{0}:{1}", []),
        ("redis", "redis://{0}:{1}", [b"+PONG\r\n"]),
    ):
        async with listening(Listener(answers)) as listener:
            result = await run(table[kind], check(kind, url.format(HOST, listener.port)))
            assert result.well, f"{kind}: {result.detail}"
    async with serving() as server:
        result = await run(table["dns"], check("dns", server.url("example.com")))
        assert result.well, result.detail
