"""What at Twilio can have a fallback, as values: the kinds, their fields, one resource. Pure.

The fields are named as Twilio's API and its package name them
(https://www.twilio.com/docs/usage/security/availability-reliability).
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Final

from attrs import evolve, field, frozen

VOICE: Final = "voice"
MESSAGING: Final = "messaging"


class Kind(Enum):
    """A kind of resource; the value stands in settings and listings."""

    NUMBER = "number"
    APPLICATION = "application"
    MESSAGING_SERVICE = "messaging-service"
    SIP_DOMAIN = "sip-domain"
    SHORT_CODE = "short-code"
    BYOC_TRUNK = "byoc-trunk"


@frozen
class Handler:
    """The fields that say who answers calls or messages: the primary URL, and its fallback.

    ``overridden_by`` are fields; with any of them set, Twilio looks elsewhere.
    """

    product: str
    primary: str
    fallback: str
    method: str
    overridden_by: tuple[str, ...] = ()


@frozen
class Callback:
    """The fields of a status callback."""

    product: str
    url: str
    overridden_by: tuple[str, ...] = ()


@frozen
class Layout:
    """All that a kind of resource has of these. ``name`` are fields, of which the first counts."""

    handlers: tuple[Handler, ...]
    callbacks: tuple[Callback, ...] = ()
    name: tuple[str, ...] = ("friendly_name",)

    @property
    def changeable(self) -> frozenset[str]:
        """The fields that may ever be changed: no primary URL is among them."""
        return frozenset(
            [name for each in self.handlers for name in (each.fallback, each.method)]
            + [each.url for each in self.callbacks]
        )

    @property
    def fields(self) -> frozenset[str]:
        """The fields that are looked at."""
        others = [
            name for each in self.handlers for name in (each.primary, *each.overridden_by)
        ] + [name for each in self.callbacks for name in each.overridden_by]
        return self.changeable | frozenset(others)


SERVICE: Final = "messaging_service"
"""No field of Twilio's: the SID of the messaging service that answers the messages to a number, or
to a short code, that is among its senders."""

_ELSEWHERE: Final = ("voice_application_sid", "trunk_sid")

_VOICE: Final = Handler(VOICE, "voice_url", "voice_fallback_url", "voice_fallback_method")
_SMS: Final = Handler(MESSAGING, "sms_url", "sms_fallback_url", "sms_fallback_method")

LAYOUTS: Final[Mapping[Kind, Layout]] = {
    Kind.NUMBER: Layout(
        (
            Handler(VOICE, "voice_url", "voice_fallback_url", "voice_fallback_method", _ELSEWHERE),
            Handler(
                MESSAGING,
                "sms_url",
                "sms_fallback_url",
                "sms_fallback_method",
                ("sms_application_sid", SERVICE),
            ),
        ),
        (Callback(VOICE, "status_callback", _ELSEWHERE),),
        name=("friendly_name", "phone_number"),
    ),
    Kind.APPLICATION: Layout(
        (_VOICE, _SMS),
        (
            Callback(VOICE, "status_callback"),
            Callback(MESSAGING, "message_status_callback"),
            Callback(MESSAGING, "sms_status_callback"),
        ),
    ),
    Kind.MESSAGING_SERVICE: Layout(
        (
            Handler(
                MESSAGING,
                "inbound_request_url",
                "fallback_url",
                "fallback_method",
                ("use_inbound_webhook_on_number",),
            ),
        ),
        (Callback(MESSAGING, "status_callback"),),
    ),
    Kind.SIP_DOMAIN: Layout(
        (_VOICE,),
        (Callback(VOICE, "voice_status_callback_url"),),
        name=("friendly_name", "domain_name"),
    ),
    Kind.SHORT_CODE: Layout(
        (evolve(_SMS, overridden_by=(SERVICE,)),), name=("friendly_name", "short_code")
    ),
    Kind.BYOC_TRUNK: Layout((_VOICE,), (Callback(VOICE, "status_callback_url"),)),
}


@frozen
class Resource:
    """One resource. ``fields`` has all of its layout's; what is not set is the empty text.

    ``names`` are all by which people may know it, like a number's friendly name and its digits.
    """

    kind: Kind
    sid: str
    account: str
    names: tuple[str, ...]
    fields: Mapping[str, str] = field(repr=False)

    @property
    def name(self) -> str:
        """What it is called in listings."""
        return self.names[0] if self.names else self.sid
