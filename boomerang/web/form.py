"""Form fields, as Twilio sends them.

twisted.web mixes the fields of the query with those of the form, which must be told apart here;
and the standard library's parser takes a third of the time of twisted.web's.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import parse_qsl

MOST_FIELDS: Final = 1000

FORM: Final = "application/x-www-form-urlencoded"


class BadForm(ValueError):
    """The text is no list of form fields; the message says why."""


def parse_form(raw: bytes) -> list[tuple[str, str]]:
    """Names and values in the order in which they were sent, blank ones included.

    Bytes that are not UTF-8 become lone surrogates, which no URL may contain and no signature can
    be made of. Raises `BadForm` for more than `MOST_FIELDS` fields.
    """
    try:
        return parse_qsl(
            raw.decode("utf-8", "surrogateescape"),
            keep_blank_values=True,
            errors="surrogateescape",
            max_num_fields=MOST_FIELDS,
        )
    except ValueError:
        raise BadForm(f"there are more than {MOST_FIELDS} parameters") from None


def is_form(content_type: str | None) -> bool:
    """Whether a body with this content type is a form; one without any is taken for a form."""
    return content_type is None or content_type.partition(";")[0].strip().lower() == FORM
