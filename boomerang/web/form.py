"""Form fields, as Twilio sends them.

twisted.web mixes the fields of the query with those of the form, which must be told apart here.
"""

from __future__ import annotations

from binascii import a2b_qp
from typing import Final
from urllib.parse import unquote_to_bytes

from boomerang.values import Fields, pairs_of

MOST_FIELDS: Final = 1000

FORM: Final = "application/x-www-form-urlencoded"

_MARKS: Final = b"&=\n\r"
_NO_MARKS: Final = bytes(byte for byte in range(256) if byte not in _MARKS)
_NAMES_AND_VALUES: Final = b"=&" * MOST_FIELDS
_END: Final = "\0"
_AS_QUOTED_PRINTABLE: Final = bytes.maketrans(b"&=+%", b"\0\0 =")


class BadForm(ValueError):
    """The text is no list of form fields; the message says why."""


def parse_form(raw: bytes) -> list[tuple[str, str]]:
    """Names and values in the order in which they were sent, blank ones included.

    Bytes that are not UTF-8 become lone surrogates, which no URL may contain and no signature can
    be made of. Raises `BadForm` for more than `MOST_FIELDS` fields.
    """
    return [*pairs_of(parse_fields(raw))]


def parse_fields(raw: bytes) -> Fields:
    """The same, by name where no name comes twice."""
    if not raw:
        return {}
    marks = raw.translate(None, _NO_MARKS)
    if len(marks) % 2 and _NAMES_AND_VALUES.startswith(marks):
        texts = _decoded_together(raw)
        if len(texts) == len(marks) + 1:
            each = iter(texts)
            fields = dict(zip(each, each, strict=True))
            if 2 * len(fields) == len(texts):
                return fields
            return [*zip(texts[::2], texts[1::2], strict=True)]
    if raw.count(b"&") >= MOST_FIELDS:
        raise BadForm(f"there are more than {MOST_FIELDS} parameters")
    return [_pair(field) for field in raw.split(b"&") if field]


def _decoded_together(raw: bytes) -> list[str]:
    """All names and values at once, in turn: 59,000 instructions for a voice webhook, which one
    field after the other takes 263,000.

    But for its signs a form is quoted-printable (RFC 2045), which Python decodes in C. Gives
    nothing if there is a percent sign without two digits, and too much if there is a NUL.
    """
    found = a2b_qp(raw.translate(_AS_QUOTED_PRINTABLE))
    if len(found) != len(raw) - 2 * raw.count(b"%"):
        return []
    return found.decode("utf-8", "surrogateescape").split(_END)


def _pair(field: bytes) -> tuple[str, str]:
    name, _, value = field.partition(b"=")
    return _decoded(name), _decoded(value)


def _decoded(raw: bytes) -> str:
    return unquote_to_bytes(raw.replace(b"+", b" ")).decode("utf-8", "surrogateescape")


def is_form(content_type: str | None) -> bool:
    """Whether a body with this content type is a form; one without any is taken for a form."""
    if content_type is None or content_type == FORM:
        return True
    return content_type.partition(";")[0].strip().lower() == FORM
