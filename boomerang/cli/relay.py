"""``boomerang relay``: see the callbacks that wait or were given up, deliver them again, drop them.

It works on the running daemon's store, which has to be SQLite or Redis.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

from twisted.internet.task import deferLater
from twisted.python import usage

from boomerang.cli.arguments import OptionsAnywhere, over_zero
from boomerang.cli.daemon_stores import stores_of
from boomerang.cli.running import FAILED, PENDING, WELL, CommandFailed, Group, ReactorCommand
from boomerang.relay.callback import Queued, State
from boomerang.relay.listing import as_record, listed, shown, summary
from boomerang.settings import Settings
from boomerang.settings.relay import spans
from boomerang.stores.queue import Filter, QueueStore

PAGE: Final = 500
"""Callbacks that are asked for, replayed or dropped in one step."""

_FILTERS = [
    ["host", "H", None, "Callbacks for this host, or host:port."],
    ["endpoint", "e", None, "Callbacks of this endpoint."],
    ["sid", "s", None, "Callbacks of this CallSid or MessageSid."],
    ["state", None, None, "waiting or dead."],
    ["older-than", None, None, "Accepted longer ago than this: 30s, 5min, 2h, 1d."],
    ["younger-than", None, None, "Accepted more lately than this."],
]

_JSON = ["json", "j", "Print JSON, one value a line."]


class Picking(OptionsAnywhere, ReactorCommand):
    """A command for the callbacks that its filters, or numbers, pick."""

    def parseArgs(self, *numbers: str) -> None:
        if not all(number.isascii() and number.isdigit() for number in numbers):
            raise usage.UsageError("callbacks are named by their numbers, see boomerang relay list")
        self["numbers"] = [int(number) for number in numbers] or None

    def postOptions(self) -> None:
        super().postOptions()
        state = self["state"]
        if state is not None and state not in [each.value for each in State]:
            raise usage.UsageError(f"--state is {state}, expected waiting or dead")
        self["filter"] = Filter(
            state=None if state is None else State(state),
            host=self["host"],
            endpoint=self["endpoint"],
            order=self["sid"],
            numbers=self["numbers"],
            older_than=_span("older-than", self["older-than"]),
            younger_than=_span("younger-than", self["younger-than"]),
        )

    async def act(self, settings: Settings, reactor: Any) -> int:
        async with queue_of(settings, reactor) as queue:
            return await self.work(queue, reactor)

    async def work(self, queue: QueueStore, reactor: Any) -> int:
        """Do it with the open queue; returns the exit status."""
        raise NotImplementedError

    async def picked(self, queue: QueueStore) -> list[Queued]:
        """All that the filters pick."""
        return [each async for page in pages(queue, self["filter"]) for each in page]

    async def missing(self, queue: QueueStore, found: Sequence[Queued]) -> list[int]:
        """The numbers that were named and that no callback has, whatever the filters say."""
        sought = set(self["numbers"] or ()) - {each.number for each in found}
        if sought:
            async for page in pages(queue, Filter(numbers=sorted(sought))):
                sought -= {each.number for each in page}
        return sorted(sought)


class List(Picking):
    """``boomerang relay list``."""

    optParameters = [*_FILTERS, ["most", "n", "100", "How many at most."]]
    optFlags = [_JSON]
    synopsis = "Usage: boomerang relay list [NUMBER ...] [options]"

    async def work(self, queue: QueueStore, reactor: Any) -> int:
        most = over_zero("most", self["most"], int)
        found: list[Queued] = []
        async for page in pages(queue, self["filter"]):
            found += page
            if len(found) >= most:
                break
        now, stats = time.time(), await queue.stats()
        if self["json"]:
            _print(json.dumps(as_record(each, now=now)) for each in found[:most])
        else:
            _print(listed(found[:most], now=now))
            print(summary(stats, shown=min(len(found), most), now=now))
        return WELL


class Show(Picking):
    """``boomerang relay show``."""

    optParameters = _FILTERS
    optFlags = [_JSON, ["body", "b", "Print the body and the whole URL, too."]]
    synopsis = "Usage: boomerang relay show NUMBER ... [options]"
    longdesc = "Without --body nothing is printed that the app was sent: no query, no body."

    async def work(self, queue: QueueStore, reactor: Any) -> int:
        if self["numbers"] is None:
            raise CommandFailed("which one? see boomerang relay list")
        now, found = time.time(), await self.picked(queue)
        for each in found:
            if self["json"]:
                print(json.dumps(as_record(each, now=now, body=bool(self["body"]))))
            else:
                _print(shown(each, now=now, body=bool(self["body"])))
        _none_missing(await self.missing(queue, found))
        return WELL


class Changing(Picking):
    """A command that changes what the queue holds, with ``--yes`` alone."""

    verb: str
    past: str

    async def work(self, queue: QueueStore, reactor: Any) -> int:
        picked = await self.picked(queue)
        found, missing = self.chosen(picked), await self.missing(queue, picked)
        if not found:
            _none_missing(missing)
        if not self["yes"]:
            _print(listed(found[:20], now=time.time()))
            print(f"would {self.verb} {len(found)}; nothing was changed: --yes does it")
            _none_missing(missing)
            return PENDING if found else WELL
        done = await self.change(queue, [each.number for each in found], reactor)
        print(json.dumps({self.past: done}) if self["json"] else f"{self.past} {done}")
        _none_missing(missing)
        return WELL if done == len(found) else FAILED

    def chosen(self, found: Sequence[Queued]) -> list[Queued]:
        """Which of those that were picked."""
        return list(found)

    async def change(self, queue: QueueStore, numbers: list[int], reactor: Any) -> int:
        """Change these; returns how many were there."""
        raise NotImplementedError


class Replay(Changing):
    """``boomerang relay replay``."""

    verb, past = "replay", "replayed"
    optParameters = [*_FILTERS, ["rate", "r", "50", "How many become due each second."]]
    optFlags = [_JSON, ["yes", "y", "Do it; without it, it is only said what would be done."]]
    synopsis = "Usage: boomerang relay replay [NUMBER ...] [options]"
    longdesc = (
        "Makes dead letters due again, with all of their attempts before them; with --state waiting"
        " those that wait, at once. Exit status: 0 done, 2 when --yes is missing, 1 otherwise."
    )

    def postOptions(self) -> None:
        super().postOptions()
        self["rate"] = over_zero("rate", self["rate"], float)

    def chosen(self, found: Sequence[Queued]) -> list[Queued]:
        """Dead letters, unless others were named."""
        named = self["numbers"] is not None or self["state"] is not None
        return [each for each in found if named or each.state is State.DEAD]

    async def change(self, queue: QueueStore, numbers: list[int], reactor: Any) -> int:
        rate: float = self["rate"]
        step = max(1, min(PAGE, round(rate / 10)))
        begun, done = reactor.seconds(), 0
        for start in range(0, len(numbers), step):
            await deferLater(reactor, max(0.0, begun + start / rate - reactor.seconds()))
            done += await queue.replay(numbers[start : start + step])
            _draw(min(start + step, len(numbers)), len(numbers))
        return done


class Drop(Changing):
    """``boomerang relay drop``."""

    verb, past = "drop", "dropped"
    optParameters = _FILTERS
    optFlags = [_JSON, ["yes", "y", "Do it; without it, it is only said what would be done."]]
    synopsis = "Usage: boomerang relay drop [NUMBER ...] [options]"
    longdesc = (
        "Forgets callbacks for good; at least one filter or number is needed. Exit status: 0 done,"
        " 2 when --yes is missing, 1 otherwise."
    )

    async def work(self, queue: QueueStore, reactor: Any) -> int:
        if self["filter"] == Filter():
            raise CommandFailed("which ones? name numbers, or filters like --state dead")
        return await super().work(queue, reactor)

    async def change(self, queue: QueueStore, numbers: list[int], reactor: Any) -> int:
        done = 0
        for start in range(0, len(numbers), PAGE):
            done += await queue.drop(numbers[start : start + PAGE])
            _draw(min(start + PAGE, len(numbers)), len(numbers))
        return done


class RelayCommands(Group):
    """``boomerang relay``."""

    subCommands = [
        ("list", None, List, "List callbacks that wait or were given up."),
        ("show", None, Show, "Show all that is known of one."),
        ("replay", None, Replay, "Deliver dead letters again, at a rate."),
        ("drop", None, Drop, "Forget callbacks for good."),
    ]
    synopsis = "Usage: boomerang relay COMMAND [options]"


@asynccontextmanager
async def queue_of(settings: Settings, reactor: Any) -> AsyncIterator[QueueStore]:
    """The daemon's queue, while it is needed. Raises `CommandFailed` if it is away."""
    async with stores_of(settings, reactor) as stores:
        try:
            await stores.queue.open()
            yield stores.queue
        finally:
            await stores.queue.close()


async def pages(queue: QueueStore, which: Filter) -> AsyncIterator[Sequence[Queued]]:
    """What the filter picks, by number, a page at a time."""
    after = 0
    while True:
        page = await queue.look(which, most=PAGE, after=after)
        if page:
            yield page
        if len(page) < PAGE:
            return
        after = page[-1].number


def _span(name: str, text: str | None) -> float | None:
    if text is None:
        return None
    try:
        (span,) = spans()(text)
    except ValueError:
        raise usage.UsageError(f"--{name} is {text}, expected a span like 30s, 5min, 1d") from None
    return float(span)


def _none_missing(numbers: Sequence[int]) -> None:
    if numbers:
        raise CommandFailed(f"not there: {', '.join(map(str, numbers))}")


def _print(lines: Iterable[str]) -> None:
    for line in lines:
        print(line)


def _draw(done: int, total: int) -> None:
    """The progress in one line of a terminal, if there is one."""
    if not sys.stderr.isatty():
        return
    width = 40 * done // max(1, total)
    end = "\n" if done == total else ""
    bar = "#" * width + "." * (40 - width)
    print(f"\r\033[K[{bar}] {done}/{total}", end=end, file=sys.stderr, flush=True)
