"""A callback as the bytes that stores keep: the same in every store."""

from __future__ import annotations

import json
from hashlib import blake2b
from typing import Final

from boomerang.relay.callback import Callback

_LONGEST_LAST: Final = 500


def encode(callback: Callback) -> bytes:
    """One line of JSON in ASCII, then the body as it is.

    Raises `ValueError` where key, order or endpoint could not stand in a database as they are.
    """
    for text in (callback.key, callback.order, callback.endpoint):
        if "\0" in text or not _is_unicode(text):
            raise ValueError("a NUL or a lone surrogate in the name of a callback")
    head = [
        callback.key,
        callback.order,
        callback.url,
        callback.method,
        callback.content_type,
        callback.account_sid,
        callback.endpoint,
        callback.received_at,
        callback.signed_by,
    ]
    return json.dumps(head).encode() + b"\n" + callback.body


def decode(record: bytes) -> Callback:
    """The callback that was encoded, by this version or another one.

    Records of older ones end earlier; what newer ones may put at the end is left out.
    """
    head, _, body = record.partition(b"\n")
    given = json.loads(head)
    key, order, url, method, content_type, account_sid, endpoint, received_at = given[:8]
    return Callback(
        key=key,
        order=order,
        url=url,
        method=method,
        content_type=content_type,
        body=body,
        account_sid=account_sid,
        endpoint=endpoint,
        received_at=received_at,
        signed_by=given[8] if len(given) > 8 else "",
    )


def remembered_as(key: str) -> str:
    """The short name under which a key is remembered: half a million of them are to be cheap."""
    return blake2b(key.encode(), digest_size=12).hexdigest()


def words(last: str) -> str:
    """What became of an attempt, such that every database takes it."""
    return last.replace("\0", "").encode(errors="replace").decode()[:_LONGEST_LAST]


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
