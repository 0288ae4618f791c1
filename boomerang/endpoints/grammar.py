"""Which TwiML elements there are, and which may stand in which, as Twilio's own library has it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any, Final

from attrs import frozen
from twilio.twiml import TwiML
from twilio.twiml.messaging_response import MessagingResponse
from twilio.twiml.voice_response import VoiceResponse

ROOTS: Final[Mapping[str, Callable[[], TwiML]]] = {
    "voice": VoiceResponse,
    "messaging": MessagingResponse,
}


@frozen
class Grammar:
    """The elements of one product.

    An element is known by its builder's class, since one name may mean two things (``Sip`` in
    ``Dial`` and in ``Refer``). ``nested`` has, for each, what may stand in it by name.
    """

    root: type[TwiML]
    nested: Mapping[type[TwiML], Mapping[str, type[TwiML]]]


@cache
def grammar(product: str) -> Grammar:
    """The elements of ``voice`` or ``messaging``; takes some milliseconds the first time."""
    root = ROOTS[product]()
    nested: dict[type[TwiML], Mapping[str, type[TwiML]]] = {}
    untried = [root]
    while untried:
        builder = untried.pop()
        if type(builder) not in nested:
            built = list(_built_in(builder))
            nested[type(builder)] = {each.name: type(each) for each in built}
            untried += built
    return Grammar(root=type(root), nested=nested)


def _built_in(builder: TwiML) -> Iterator[TwiML]:
    """One of each element that the builder has a method for."""
    for name, method in vars(type(builder)).items():
        if inspect.isfunction(method) and not name.startswith("_"):
            element: Any = method(builder, *([""] * _required(method)))
            yield element


def _required(method: Callable[..., Any]) -> int:
    """How many arguments it wants beside ``self``."""
    given = list(inspect.signature(method).parameters.values())[1:]
    return sum(
        each.kind is each.POSITIONAL_OR_KEYWORD and each.default is each.empty for each in given
    )
