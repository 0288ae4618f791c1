"""A message on its way to one address, and its form in the store."""

from __future__ import annotations

import json

from attrs import asdict, frozen

from boomerang.monitor.notify.message import KINDS, Message
from boomerang.monitor.result import number, text_of


@frozen
class Entry:
    """A message to one URL. Entries are in the order of their keys.

    ``to`` is a digest of the URL, which is secret; ``at`` is when it was written (seconds since
    the epoch).
    """

    key: str
    to: str
    at: float
    message: Message


def entry_key(at: float, count: int, to: str) -> str:
    """A key that is in the order of time, and of counts within a millisecond."""
    return f"{round(at * 1000):015d}-{count:06d}-{to}"


def to_json(entry: Entry, *, holder: str) -> str:
    """An entry as it is kept in the store; ``holder`` is the process that delivers it."""
    data = {"to": entry.to, "at": entry.at, "by": holder, "message": asdict(entry.message)}
    return json.dumps(data)


def from_json(key: str, text: str) -> tuple[Entry, str]:
    """An entry from the store, and who delivers it. Raises `ValueError` for what is none."""
    try:
        data = json.loads(text)
        message = data["message"]
        entry = Entry(
            key=key,
            to=text_of(data["to"]),
            at=number(data["at"]),
            message=Message(
                title=text_of(message["title"]),
                body=text_of(message["body"]),
                kind=text_of(message["kind"]),
            ),
        )
        if entry.message.kind not in KINDS:
            raise TypeError("no kind of message")
        return entry, text_of(data["by"])
    except (KeyError, TypeError, RecursionError) as error:
        raise ValueError(f"not a notification: {error}") from None
