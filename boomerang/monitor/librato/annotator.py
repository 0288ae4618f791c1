"""Makes annotations, and remembers in the store which of them have still to be given an end."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final, TypeVar
from urllib.parse import quote

from attrs import frozen
from twisted.internet.defer import Deferred, TimeoutError
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from boomerang import __version__
from boomerang.monitor.librato.api import LibratoApi
from boomerang.monitor.librato.errors import Refused, TryLater
from boomerang.monitor.librato.measurement import source_of
from boomerang.monitor.outage import Outage
from boomerang.stores.interfaces import NoteStore, StoreUnavailable

T = TypeVar("T")

STARTS: Final = "boomerang-starts"
OUTAGES: Final = "boomerang-outages"

TOPIC: Final = "librato.annotations"
"""Of the notes: what is known of an annotation, by environment, check, and when it began."""

PATIENCE: Final = 5.0
"""Seconds that the store is waited for."""

MOST_UNWRITTEN: Final = 1000
"""Notes that are kept for a store that is away; beyond, the oldest are never written."""

_log = Logger(namespace="boomerang.monitor.librato")


@frozen
class Made:
    """An annotation that Librato has; ``end`` is what it must still be told (epoch seconds)."""

    id: str
    end: int | None = None


class Annotator:
    """One annotation a call. All methods raise what `LibratoApi` raises.

    A store that is away costs no annotation: what it should know is written with the next note.
    Only who has forgotten an annotation since (after a restart) must wait for the store; then
    `TryLater` is raised.
    """

    def __init__(
        self, api: LibratoApi, *, environment: str, notes: NoteStore, clock: IReactorTime
    ) -> None:
        self._api = api
        self._environment = environment
        self._notes = notes
        self._clock = clock
        self._made: dict[str, Made] = {}
        self._unwritten: dict[str, str | None] = {}
        self._store_is_away = False

    async def start(self, at: float) -> None:
        """The daemon has started."""
        document = {
            "title": "boomerang started",
            "source": source_of(self._environment),
            "description": __version__,
            "start_time": int(at),
        }
        await self._api.post(f"annotations/{STARTS}", document)

    async def begin(self, outage: Outage) -> None:
        """Annotate an outage whose end is not known."""
        answer = await self._api.post(f"annotations/{OUTAGES}", self._document(outage))
        if isinstance(answer, dict) and "id" in answer:
            await self._note(self._key(outage), Made(str(answer["id"])))
        else:
            raise Refused("an answer without the annotation's id", status=201)

    async def end(self, outage: Outage) -> None:
        """Give an outage's annotation its end, or annotate all of it if there is none yet."""
        key, end = self._key(outage), int(outage.ended or outage.began)
        made = self._made.get(key) or (await self._read()).get(key)
        if made is None:
            whole = {**self._document(outage), "end_time": end}
            await self._api.post(f"annotations/{OUTAGES}", whole)
        else:
            await self._note(key, Made(made.id, end))
            await self.finish(key)

    async def unfinished(self) -> list[str]:
        """What another process of this environment could not `finish`."""
        prefix = f"{self._environment}/"
        left = {
            key: made
            for key, made in (await self._read()).items()
            if key.startswith(prefix) and made.end is not None
        }
        self._made.update(left)
        return list(left)

    async def finish(self, key: str) -> None:
        """Tell Librato of an end that is noted, unless that has been done meanwhile."""
        made = self._made.get(key)
        if made is None:
            return
        try:
            path = f"annotations/{OUTAGES}/{quote(made.id, safe='')}"
            await self._api.put(path, {"end_time": made.end})
        except Refused:
            await self._note(key, None)
            raise
        await self._note(key, None)

    def _key(self, outage: Outage) -> str:
        return f"{self._environment}/{outage.check}/{outage.began:.3f}"

    def _document(self, outage: Outage) -> dict[str, Any]:
        affected = f"; affects {', '.join(outage.affects)}" if outage.affects else ""
        return {
            "title": f"{outage.check} is down",
            "source": source_of(self._environment, outage.check),
            "description": f"{outage.reason.value}: {outage.detail}{affected}",
            "start_time": int(outage.began),
        }

    async def _note(self, key: str, made: Made | None) -> None:
        if made is None:
            self._made.pop(key, None)
            self._unwritten[key] = None
        else:
            self._made[key] = made
            self._unwritten[key] = json.dumps({"id": made.id, "end": made.end})
        if len(self._unwritten) > MOST_UNWRITTEN:
            del self._unwritten[next(iter(self._unwritten))]
        writing = dict(self._unwritten)
        try:
            await self._in_time(self._notes.write(TOPIC, writing))
        except (StoreUnavailable, TimeoutError) as error:
            self._store_does_not_answer(error)
        else:
            self._store_is_away = False
            for written, text in writing.items():
                if self._unwritten.get(written) == text:
                    del self._unwritten[written]

    async def _read(self) -> Mapping[str, Made]:
        try:
            noted = await self._in_time(self._notes.read(TOPIC))
        except (StoreUnavailable, TimeoutError) as error:
            self._store_does_not_answer(error)
            raise TryLater("the store does not say which annotation it was") from None
        return {key: made for key, text in noted.items() if (made := _made(text)) is not None}

    def _store_does_not_answer(self, error: Exception) -> None:
        if not self._store_is_away:
            self._store_is_away = True
            _log.warn(
                "annotations cannot be noted in the store: {reason}",
                reason=getattr(error, "brief", "no answer in time"),
            )

    def _in_time(self, answer: Deferred[T]) -> Deferred[T]:
        return answer.addTimeout(PATIENCE, self._clock)


def _made(text: str) -> Made | None:
    """A note from the store; `None` for what is none (a newer boomerang's)."""
    try:
        data = json.loads(text)
        end = data["end"]
        return Made(id=str(data["id"]), end=None if end is None else int(end))
    except (ValueError, KeyError, TypeError):
        return None
