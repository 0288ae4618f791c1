"""Carries a plan out, one change after the other."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from boomerang.account.errors import TwilioError
from boomerang.account.plan import Change
from boomerang.account.reading import Accounts
from boomerang.account.undo import to_text


class Stopped(Exception):
    """A change was not taken, and none after it was tried; ``left`` are all these."""

    def __init__(self, reason: str, left: Sequence[Change]) -> None:
        super().__init__(reason)
        self.left = tuple(left)


def write_undo(path: Path, changes: Sequence[Change]) -> None:
    """Put the undo file onto the disk, readable for its owner alone. Raises `OSError`.

    A file that is there already is never overwritten: it may be what another run needs.
    """
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(to_text(changes))
        file.flush()
        os.fsync(file.fileno())


def carry_out(
    accounts: Accounts, changes: Sequence[Change], *, done: Callable[[Change], None]
) -> None:
    """Make the changes; ``done`` hears of each once it is made, and raises nothing.

    Raises `Stopped` at the first that is not taken, and if it is interrupted. To do it again is
    safe: a new plan has what is left.
    """
    for position, change in enumerate(changes):
        try:
            accounts.apis[change.account].update(change)
            done(change)
        except TwilioError as error:
            raise Stopped(str(error), changes[position:]) from None
        except KeyboardInterrupt:
            raise Stopped("interrupted", changes[position:]) from None
