"""Notes in Redis, on the connection that has the claims."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from twisted.internet.defer import Deferred, gatherResults, succeed

from boomerang.stores.redis_commands import RedisCommands, first_error, script

_NOTE: Final = script("note.lua")
_APPEND: Final = script("append.lua")
_LEASE: Final = script("lease.lua")


class RedisNotes:
    """A `NoteStore` in Redis. The keys of one step share a hash tag: they live on one shard."""

    def __init__(self, commands: RedisCommands, *, prefix: str) -> None:
        self._do = commands.do
        self._prefix = prefix

    def read(self, topic: str) -> Deferred[Mapping[str, str]]:
        return self._do("hgetall", self._topic(topic))

    def write(self, topic: str, notes: Mapping[str, str | None]) -> Deferred[None]:
        kept = [part for pair in notes.items() if pair[1] is not None for part in pair]
        gone = [key for key, value in notes.items() if value is None]
        arguments = [len(kept) // 2, *kept, *gone]
        return self._do("eval", _NOTE, [self._topic(topic)], arguments).addCallback(_nothing)

    def append(self, entries: Mapping[str, Sequence[str]], *, keep: int) -> Deferred[None]:
        if not entries:
            return succeed(None)
        arguments: list[Any] = [keep]
        for new in entries.values():
            arguments += [len(new), *new]
        keys = [self._journal(name) for name in entries]
        return self._do("eval", _APPEND, keys, arguments).addCallback(_nothing)

    def journals(self, names: Collection[str]) -> Deferred[Mapping[str, Sequence[str]]]:
        asked = [self._do("lrange", self._journal(name), 0, -1) for name in names]

        def found(journals: list[list[str]]) -> Mapping[str, Sequence[str]]:
            return {name: each for name, each in zip(names, journals, strict=True) if each}

        return gatherResults(asked, consumeErrors=True).addCallbacks(found, first_error)

    def lease(self, name: str, *, holder: str, seconds: float) -> Deferred[bool]:
        key = f"{self._prefix}{{lease}}:{name}"
        arguments = [holder, round(seconds * 1000)]
        return self._do("eval", _LEASE, [key], arguments).addCallback(bool)

    def _topic(self, topic: str) -> str:
        return f"{self._prefix}{{notes}}:{topic}"

    def _journal(self, name: str) -> str:
        return f"{self._prefix}{{journal}}:{name}"


def _nothing(_: object) -> None:
    return None
