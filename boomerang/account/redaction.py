"""What of a text of Twilio's may be printed or logged. Pure."""

from __future__ import annotations

import re
from typing import Final

_LOGIN: Final = re.compile(r"(?i)(https?(?:://|%3A%2F%2F))(?:(?!%2F|%3F|%23)[^/?#\s])*?(?:@|%40)")
"""User and password of a web address, also of one that stands in the query of another."""


def shown(text: str) -> str:
    """The text without logins, or what a terminal would obey."""
    bare = _LOGIN.sub(r"\1***@", text)
    return "".join(each if each.isprintable() else "?" for each in bare)
