"""Which keys of a caller's a <Gather> takes.

https://www.twilio.com/docs/voice/twiml/gather
"""

from __future__ import annotations

from attrs import frozen


@frozen
class Keys:
    """What a <Gather> takes.

    ``entered`` goes to its action; ``pressed`` is that and the key that ended it, ``left`` what
    remains for the next one. Unless it has ``ended``, Twilio waits for more.
    """

    entered: str
    pressed: str
    left: str
    ended: bool


def typed(keys: str, *, most: int | None, end_key: str) -> Keys:
    """What is taken of the keys that the caller is ready to press."""
    for count, key in enumerate(keys, start=1):
        if key == end_key:
            return Keys(keys[: count - 1], keys[:count], keys[count:], ended=True)
        if count == most:
            return Keys(keys[:count], keys[:count], keys[count:], ended=True)
    return Keys(keys, keys, "", ended=False)
