"""The undo file: what was there before the first change, for ``boomerang twilio undo``. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from boomerang.account.plan import Change
from boomerang.account.resources import LAYOUTS, Kind

_FORMAT: Final = "boomerang undo 1"

_TEXTS: Final = ("sid", "account", "name")


class BadUndoFile(ValueError):
    """The text is no undo file; the message says why, without quoting it."""


def to_text(changes: Sequence[Change]) -> str:
    """What the file has. It holds whole URLs, which may have passwords in them."""
    document = {
        "format": _FORMAT,
        "changes": [
            {
                "kind": change.kind.value,
                **{name: getattr(change, name) for name in _TEXTS},
                "before": dict(change.before),
                "after": dict(change.after),
            }
            for change in changes
        ],
    }
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def from_text(text: str) -> tuple[Change, ...]:
    """The changes that a file is about. Raises `BadUndoFile`.

    A file that asks for a field that no plan would ever change is refused.
    """
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        raise BadUndoFile("it is not JSON") from None
    if not isinstance(document, dict) or document.get("format") != _FORMAT:
        raise BadUndoFile(f'its format is not "{_FORMAT}"')
    changes = document.get("changes")
    if not isinstance(changes, list):
        raise BadUndoFile("it has no list of changes")
    return tuple(_change(number, each) for number, each in enumerate(changes, start=1))


def _change(number: int, entry: Any) -> Change:
    kinds = {kind.value: kind for kind in Kind}
    if not isinstance(entry, dict) or entry.get("kind") not in kinds:
        raise BadUndoFile(f"change {number} has no known kind")
    kind = kinds[entry["kind"]]
    before, after = (_fields(number, kind, entry.get(when)) for when in ("before", "after"))
    if before.keys() != after.keys():
        raise BadUndoFile(f"change {number} has other fields before than after")
    texts = {name: entry.get(name) for name in _TEXTS}
    for name, value in texts.items():
        if not isinstance(value, str) or not value:
            raise BadUndoFile(f"change {number} has no {name}")
    return Change(kind=kind, before=before, after=after, **{k: str(v) for k, v in texts.items()})


def _fields(number: int, kind: Kind, entry: Any) -> Mapping[str, str]:
    if not isinstance(entry, dict) or not all(isinstance(each, str) for each in entry.values()):
        raise BadUndoFile(f"change {number} has no texts before and after")
    strange = entry.keys() - LAYOUTS[kind].changeable
    if strange:
        raise BadUndoFile(f"change {number} has fields that boomerang never changes")
    return dict(entry)
