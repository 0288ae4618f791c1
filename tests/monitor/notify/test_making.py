"""From the settings to messages that arrive."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest
from twisted.internet import reactor
from twisted.internet.utils import getProcessOutputAndValue

from boomerang.monitor.libraries import MissingExtra
from boomerang.monitor.notify.making import make_notifications, notify_problems
from boomerang.monitor.notify.service import Notifications
from boomerang.monitor.outage import Outage
from boomerang.monitor.result import Reason
from boomerang.settings.checks import Check
from boomerang.settings.reports import NotifySettings
from boomerang.stores.address import parse_store
from boomerang.stores.interfaces import NoteStore
from boomerang.stores.notes_memory import MemoryNotes
from boomerang.stores.opening import make_stores
from tests.monitor.notify.desk import Counts
from tests.monitor.notify.listener import Listener, listening
from tests.servers import HOST, eventually, free_port

ROOT: Final = Path(__file__).parents[3]

WEB: Final = Check(name="web", url="https://app.example.com/")
DOWN: Final = Outage("web", 1_800_000_000.0, Reason.DNS, "no such name")


def make(
    *urls: str, notes: NoteStore, counts: Counts | None = None, holder: str = "one"
) -> Notifications | None:
    return make_notifications(
        NotifySettings(urls=urls),
        environment="test",
        checks=[WEB],
        notes=notes,
        holder=holder,
        reactor=reactor,
        wall_clock=time.time,
        watcher=counts or Counts(),
    )


def test_off() -> None:
    """Without a URL there is no service, and no problem."""
    assert make(notes=MemoryNotes(reactor)) is None
    assert notify_problems([]) == []


def test_problems() -> None:
    """What is wrong with the URLs is said without them."""
    assert len(notify_problems(["json://example.com", "hush"])) == 1


async def test_on() -> None:
    """An outage is told to all addresses, and the failing one is not told of."""
    here, counts = Listener(), Counts()
    async with listening(here) as where:
        dead = f"json://{HOST}:{free_port()}"
        service = make(
            f"json://{where}/a",
            dead,
            f"form://{where}/b",
            notes=MemoryNotes(reactor),
            counts=counts,
        )
        assert service is not None
        service.startService()
        service.began(DOWN)
        await eventually(lambda: counts == (2, 1, 0), what="two arrive, one fails")
        await service.stopService()
    assert sorted(path for path, _, _ in here.heard) == ["/a", "/b"]
    assert {title for _, title, _ in here.heard} == {"[test] web is down"}


async def test_over_a_restart(tmp_path: Path) -> None:
    """What was not taken before the end is delivered by the next process, from the file."""
    address = parse_store(f"sqlite:{tmp_path}/notes.db")

    async def process(holder: str, outage: Outage | None, *, expected: Counts) -> int:
        """How many messages it leaves behind."""
        stores, counts = make_stores(address, reactor), Counts()
        await stores.claims.open()
        service = make(f"json://{where}", notes=stores.notes, counts=counts, holder=holder)
        assert service is not None
        service.startService()
        if outage is not None:
            service.began(outage)
        await eventually(lambda: counts == expected, what="an attempt")
        await service.stopService()
        left = len(await stores.notes.read("notify.outbox.test"))
        await stores.claims.close()
        return left

    listener = Listener(status=503)
    async with listening(listener) as where:
        assert await process("one", DOWN, expected=Counts(failed=1)) == 1
        listener.status = 200
        assert await process("two", None, expected=Counts(delivered=1)) == 0
    assert [title for _, title, _ in listener.heard] == ["[test] web is down"] * 2


PROCESS: Final = """
import sys, time
from twisted.internet import reactor
from boomerang.monitor.notify.making import make_notifications
from boomerang.monitor.outage import Outage
from boomerang.monitor.result import Reason
from boomerang.settings.reports import NotifySettings
from boomerang.stores.notes_memory import MemoryNotes

class Counts:
    def notified(self, outcome):
        print(outcome, flush=True)

service = make_notifications(
    NotifySettings(urls=(sys.argv[1],)), environment="test", checks=[], holder="one",
    notes=MemoryNotes(reactor), reactor=reactor, wall_clock=time.time, watcher=Counts(),
)
service.startService()
began = time.monotonic()
service.began(Outage("web", time.time(), Reason.DNS, ""))
assert time.monotonic() - began < 0.1
reactor.callLater(0.5, lambda: service.stopService().addBoth(lambda _: reactor.stop()))
reactor.run()
"""


async def run_process(url: str) -> bytes:
    """What a process counts that tells of an outage; it writes nothing else."""
    out, error, code = await getProcessOutputAndValue(
        sys.executable, ["-c", PROCESS, url], path=str(ROOT), env=os.environ
    )
    assert (error, code) == (b"", 0)
    counted: bytes = out
    return counted


async def test_a_process_that_cannot_tell() -> None:
    """An address that never answers holds up neither the reactor nor the end of the process."""
    listener = Listener(hanging=True)
    async with listening(listener) as where:
        began = time.monotonic()
        assert await run_process(f"json://{where}/?rto=60") == b""
        assert time.monotonic() - began < 10
    assert len(listener.heard) == 1


async def test_quiet() -> None:
    """An address where nobody is costs nothing on standard error."""
    assert await run_process(f"json://{HOST}:{free_port()}/hush") == b"failed\n"


@pytest.mark.parametrize(
    "ask",
    [
        lambda: notify_problems(["json://example.com"]),
        lambda: make("json://example.com", notes=MemoryNotes(reactor)),
    ],
)
def test_missing(ask: Callable[[], object], monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the library the start is stopped, with the words that help."""
    monkeypatch.setitem(sys.modules, "apprise", None)
    monkeypatch.delitem(sys.modules, "boomerang.monitor.notify.sending", raising=False)
    with pytest.raises(MissingExtra) as caught:
        ask()
    assert str(caught.value) == "[notify] needs: pip install boomerang[notify]"
