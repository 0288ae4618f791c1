"""Notes in Redis, on the connection that has the claims."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Final

from twisted.internet.defer import Deferred, gatherResults, succeed

from boomerang.stores.redis_commands import RedisCommands
from boomerang.stores.redis_protocol import Script, Word, first_error

_NOTE: Final = Script.beside("note.lua")
_APPEND: Final = Script.beside("append.lua")
_LEASE: Final = Script.beside("lease.lua")


class RedisNotes:
    """A `NoteStore` in Redis. The keys of one step share a hash tag: they live on one shard."""

    def __init__(self, commands: RedisCommands, *, prefix: str) -> None:
        self._commands = commands
        self._prefix = prefix

    def read(self, topic: str) -> Deferred[Mapping[str, str]]:
        key = self._topic(topic)
        return self._commands.ask(key, "HGETALL", key, read=_as_notes)

    def write(self, topic: str, notes: Mapping[str, str | None]) -> Deferred[None]:
        pairs = ((key, value) for key, value in notes.items() if value is not None)
        kept = [part for pair in pairs for part in pair]
        gone = [key for key, value in notes.items() if value is None]
        arguments: list[Word] = [len(kept) // 2, *kept, *gone]
        return self._commands.run(_NOTE, [self._topic(topic)], *arguments, read=_nothing)

    def append(self, entries: Mapping[str, Sequence[str]], *, keep: int) -> Deferred[None]:
        if not entries:
            return succeed(None)
        arguments: list[Word] = [keep]
        for new in entries.values():
            arguments += [len(new), *new]
        keys = [self._journal(name) for name in entries]
        return self._commands.run(_APPEND, keys, *arguments, read=_nothing)

    def journals(self, names: Collection[str]) -> Deferred[Mapping[str, Sequence[str]]]:
        keys = [self._journal(name) for name in names]
        asked = [self._commands.ask(key, "LRANGE", key, 0, -1) for key in keys]

        def found(journals: list[list[bytes]]) -> Mapping[str, Sequence[str]]:
            pairs = zip(names, journals, strict=True)
            return {name: [entry.decode() for entry in each] for name, each in pairs if each}

        return gatherResults(asked, consumeErrors=True).addCallbacks(found, first_error)

    def lease(self, name: str, *, holder: str, seconds: float) -> Deferred[bool]:
        key = f"{self._prefix}{{lease}}:{name}"
        milliseconds = round(seconds * 1000)
        return self._commands.run(_LEASE, [key], holder, milliseconds, read=bool)

    def _topic(self, topic: str) -> str:
        return f"{self._prefix}{{notes}}:{topic}"

    def _journal(self, name: str) -> str:
        return f"{self._prefix}{{journal}}:{name}"


def _as_notes(pairs: Sequence[bytes]) -> dict[str, str]:
    texts = [each.decode() for each in pairs]
    return dict(zip(texts[::2], texts[1::2], strict=True))


def _nothing(_: object) -> None:
    return None
