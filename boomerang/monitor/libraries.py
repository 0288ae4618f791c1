"""What reports through somebody else's library need: threads of their own, and quiet."""

from __future__ import annotations

import logging
from typing import TypeVar

T = TypeVar("T")


class MissingExtra(Exception):
    """Something is set up whose library is not installed; the message says how to install it."""

    def __init__(self, extra: str) -> None:
        super().__init__(f"[{extra}] needs: pip install boomerang[{extra}]")


def silence(*names: str) -> None:
    """Keep libraries from logging by themselves: they would, to standard error, and URLs too."""
    for name in names:
        logger = logging.getLogger(name)
        logger.addHandler(logging.NullHandler())
        logger.propagate = False
