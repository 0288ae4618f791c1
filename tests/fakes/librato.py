"""A stand-in for Librato's API, and AppOptics': it takes and refuses what they do.

Written from the vendor's documentation and from what was captured of its official clients. Where
neither says what the service does, this one takes the stricter side.
"""

from __future__ import annotations

from tests.fakes.librato_alerting import Alerting
from tests.fakes.librato_door import TOKEN, USER
from tests.fakes.librato_drawing import Drawing

__all__ = ["TOKEN", "USER", "FakeLibrato"]


class FakeLibrato(Alerting, Drawing):
    """One account. ``kind`` is ``source`` (Librato of old), ``tags`` (AppOptics) or ``hybrid``.

    What it was asked is in ``asked``, what it took in ``samples``, ``alerts``, ``services``,
    ``streams`` (annotations), ``spaces`` and ``charts``. While ``trouble`` is set it befalls every
    request; ``troubles`` befall the next ones, one each (`tests.fakes.librato_answers` has them).
    """
