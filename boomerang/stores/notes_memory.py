"""Notes in the process's own memory: for ``memory:``, which forgets with the process."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Collection, Mapping, Sequence

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime


class MemoryNotes:
    """A `NoteStore` that forgets with the process."""

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._topics: dict[str, dict[str, str]] = defaultdict(dict)
        self._journals: dict[str, deque[str]] = {}
        self._leases: dict[str, tuple[str, float]] = {}

    def read(self, topic: str) -> Deferred[Mapping[str, str]]:
        return succeed(dict(self._topics.get(topic, {})))

    def write(self, topic: str, notes: Mapping[str, str | None]) -> Deferred[None]:
        for key, value in notes.items():
            if value is None:
                self._topics[topic].pop(key, None)
            else:
                self._topics[topic][key] = value
        return succeed(None)

    def append(self, entries: Mapping[str, Sequence[str]], *, keep: int) -> Deferred[None]:
        for name, new in entries.items():
            self._journals[name] = deque([*self._journals.get(name, ()), *new], maxlen=keep)
        return succeed(None)

    def journals(self, names: Collection[str]) -> Deferred[Mapping[str, Sequence[str]]]:
        found = {name: list(self._journals[name]) for name in names if self._journals.get(name)}
        return succeed(found)

    def lease(self, name: str, *, holder: str, seconds: float) -> Deferred[bool]:
        now = self._clock.seconds()
        other, until = self._leases.get(name, (holder, now))
        if other != holder and until > now:
            return succeed(False)
        if seconds > 0:
            self._leases[name] = (holder, now + seconds)
        else:
            self._leases.pop(name, None)
        return succeed(True)
