"""What is played: one call or one incoming message, and what Twilio knows of it."""

from __future__ import annotations

from random import Random
from typing import ClassVar, Final

from attrs import evolve, field, frozen

Pairs = tuple[tuple[str, str], ...]
"""Parameters in the order in which they are sent."""

VOICE: Final = "voice"
MESSAGING: Final = "messaging"

API_VERSION: Final = "2010-04-01"

_GSM: Final = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    "ÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
"""What a segment of 160 characters may have (3GPP TS 23.038 §6.2.1); others need twice as much."""


@frozen
class Webhook:
    """An address, and how it is asked. The fragment of the URL is for Twilio, and is not sent."""

    url: str
    method: str = "POST"


@frozen(kw_only=True)
class Script:
    """What a call and a message have in common.

    ``first`` and ``fallback`` are what is set at the number called. Without a ``sid`` one is drawn.
    With an ``auth_token`` every request is signed.
    """

    product: ClassVar[str]

    first: Webhook
    fallback: Webhook | None = None
    sender: str = "+15005550006"
    recipient: str = "+15005550001"
    account_sid: str = "AC00000000000000000000000000000001"
    sid: str = ""
    auth_token: str | None = field(default=None, repr=False)


@frozen(kw_only=True)
class Call(Script):
    """An incoming call; ``digits`` are the keys that the caller presses when asked to."""

    product = VOICE

    digits: str = ""


@frozen(kw_only=True)
class Message(Script):
    """An incoming message."""

    product = MESSAGING

    body: str = field(default="", repr=False)


def with_sid(script: Script, chance: Random) -> Script:
    """The script with a SID, drawn if it has none."""
    if script.sid:
        return script
    prefix = "CA" if script.product == VOICE else "SM"
    return evolve(script, sid=f"{prefix}{chance.getrandbits(128):032x}")


def standard_parameters(script: Script, *, picked_up: bool = False) -> Pairs:
    """What every request about the call or message carries.

    ``picked_up`` says whether the call was. Where the caller lives is not known here, so those
    parameters are left out, as Twilio does.
    """
    if isinstance(script, Message):
        return _of_message(script)
    return (
        ("AccountSid", script.account_sid),
        ("ApiVersion", API_VERSION),
        ("CallSid", script.sid),
        ("CallStatus", "in-progress" if picked_up else "ringing"),
        ("Called", script.recipient),
        ("Caller", script.sender),
        ("Direction", "inbound"),
        ("From", script.sender),
        ("To", script.recipient),
    )


def failure_parameters(code: int, url: str) -> Pairs:
    """What a fallback is told of the failure, beside what every request carries.

    https://www.twilio.com/docs/usage/security/availability-reliability
    """
    return (("ErrorCode", str(code)), ("ErrorUrl", url))


def _of_message(script: Message) -> Pairs:
    return (
        ("AccountSid", script.account_sid),
        ("ApiVersion", API_VERSION),
        ("Body", script.body),
        ("From", script.sender),
        ("MessageSid", script.sid),
        ("NumMedia", "0"),
        ("NumSegments", str(segments(script.body))),
        ("SmsMessageSid", script.sid),
        ("SmsSid", script.sid),
        ("SmsStatus", "received"),
        ("To", script.recipient),
    )


def segments(body: str) -> int:
    """How many short messages a text takes (https://www.twilio.com/docs/glossary/what-sms-segment).

    The few characters that take two places in a segment are counted as one.
    """
    if _GSM.issuperset(body):
        length, alone, joined = len(body), 160, 153
    else:
        length, alone, joined = len(body.encode("utf-16-le", "surrogatepass")) // 2, 70, 67
    return 1 if length <= alone else -(-length // joined)
