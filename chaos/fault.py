"""A fault: what is done, and what it may cost."""

from __future__ import annotations

from collections.abc import Callable

from attrs import field, frozen

from chaos.judge import Promise, Seen
from chaos.scene import Scene


@frozen
class Fault:
    """One row of the table.

    ``done`` says in words what ``act`` does. ``alone``: it would disturb others at the same time.
    ``brief``: it is part of the short form. ``needs`` says why it cannot be done here; empty if
    it can.
    """

    name: str
    act: Callable[[Scene], None]
    done: str
    promise: Promise
    alone: bool = field(default=False, kw_only=True)
    brief: bool = field(default=True, kw_only=True)
    needs: Callable[[], str] = field(default=lambda: "", kw_only=True)


@frozen
class Result:
    """What came of a fault: broken promises, and remarks.

    ``seen`` is `None` if it was not done, or could not be done to its end.
    """

    fault: Fault
    seen: Seen | None
    broken: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    skipped: str = ""
