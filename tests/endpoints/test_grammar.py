"""The elements of TwiML, as Twilio's library knows them."""

from __future__ import annotations

import pytest

from boomerang.endpoints.grammar import grammar


def nested_in(product: str, *path: str) -> set[str]:
    known = grammar(product)
    builder = known.root
    for name in path:
        builder = known.nested[builder][name]
    return set(known.nested[builder])


VERBS = """Connect Dial Echo Enqueue Gather Hangup Leave Pause Pay Play Prompt Queue Record Redirect
    Refer Reject Say Sms Start Stop"""

NOUNS = "Application Client Conference Number Queue Sim Sip WhatsApp"


@pytest.mark.parametrize(
    ("product", "path", "names"),
    [
        ("voice", (), VERBS),
        ("voice", ("Dial",), NOUNS),
        ("voice", ("Dial", "Number"), ""),
        ("voice", ("Dial", "Sip"), "Headers Uri"),
        ("voice", ("Refer", "Sip"), ""),
        ("voice", ("Gather",), "Say Play Pause"),
        ("voice", ("Enqueue",), "Task"),
        ("voice", ("Say", "emphasis", "say-as"), ""),
        ("voice", ("Hangup",), "Parameter"),
        ("messaging", (), "Message Redirect"),
        ("messaging", ("Message",), "Body Media"),
    ],
)
def test_nested(product: str, path: tuple[str, ...], names: str) -> None:
    """What may stand in an element depends on the product, and on where the element stands."""
    assert nested_in(product, *path) == set(names.split())


def test_speech() -> None:
    """Speech may be marked up."""
    assert nested_in("voice", "Say") >= {"break", "emphasis", "p", "s", "say-as"}
