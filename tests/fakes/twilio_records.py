"""What the stand-in for Twilio's API keeps: whole records, as the API shows them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from boomerang.account.resources import Kind

Document = dict[str, Any]

PATHS: Final[Mapping[Kind, str]] = {
    Kind.NUMBER: "IncomingPhoneNumbers",
    Kind.APPLICATION: "Applications",
    Kind.SIP_DOMAIN: "SIP/Domains",
    Kind.SHORT_CODE: "SMS/ShortCodes",
    Kind.MESSAGING_SERVICE: "/v1/Services",
    Kind.BYOC_TRUNK: "/v1/ByocTrunks",
}
"""Below the account, or for v1 from the root."""

KEYS: Final[Mapping[Kind, str]] = {
    Kind.NUMBER: "incoming_phone_numbers",
    Kind.APPLICATION: "applications",
    Kind.SIP_DOMAIN: "domains",
    Kind.SHORT_CODE: "short_codes",
    Kind.MESSAGING_SERVICE: "services",
    Kind.BYOC_TRUNK: "byoc_trunks",
}

_PREFIXES: Final[Mapping[Kind, str]] = {
    Kind.NUMBER: "PN",
    Kind.APPLICATION: "AP",
    Kind.SIP_DOMAIN: "SD",
    Kind.SHORT_CODE: "SC",
    Kind.MESSAGING_SERVICE: "MG",
    Kind.BYOC_TRUNK: "BY",
}

_RFC_2822: Final = "Thu, 30 Jul 2015 23:19:04 +0000"
_ISO: Final = "2015-07-30T20:12:31Z"

_VOICE: Final = ("voice_url", "voice_method", "voice_fallback_url", "voice_fallback_method")
_SMS: Final = ("sms_url", "sms_method", "sms_fallback_url", "sms_fallback_method")
_STATUS: Final = ("status_callback", "status_callback_method")

_URLS: Final[Mapping[Kind, tuple[str, ...]]] = {
    Kind.NUMBER: (*_VOICE, *_SMS, *_STATUS),
    Kind.APPLICATION: (
        *_VOICE,
        *_SMS,
        *_STATUS,
        "message_status_callback",
        "sms_status_callback",
    ),
    Kind.SIP_DOMAIN: (*_VOICE, "voice_status_callback_url", "voice_status_callback_method"),
    Kind.SHORT_CODE: _SMS,
    Kind.MESSAGING_SERVICE: (
        "inbound_request_url",
        "inbound_method",
        "fallback_url",
        "fallback_method",
        "status_callback",
    ),
    Kind.BYOC_TRUNK: (*_VOICE, "status_callback_url", "status_callback_method"),
}

CHANGEABLE: Final[Mapping[Kind, Mapping[str, str]]] = {
    kind: {"".join(part.capitalize() for part in name.split("_")): name for name in names}
    for kind, names in _URLS.items()
}
"""The parameters of an update, and the fields that they set."""


def sid_of(kind: Kind, number: int) -> str:
    """A SID of this kind."""
    return f"{_PREFIXES[kind]}{number:032x}"


def record(kind: Kind, number: int, account: str, **given: object) -> Document:
    """A resource as Twilio shows it, with all that its description names."""
    v1 = PATHS[kind].startswith("/v1/")
    fields: Document = {
        "sid": sid_of(kind, number),
        "account_sid": account,
        "friendly_name": f"{kind.value} {number}",
        "date_created": _ISO if v1 else _RFC_2822,
        "date_updated": _ISO if v1 else _RFC_2822,
        **{name: "POST" if name.endswith("_method") else None for name in _URLS[kind]},
        **_others(kind, number),
    }
    sid = fields["sid"]
    if v1:
        fields["url"] = f"https://example.twilio.com{PATHS[kind]}/{sid}"
    else:
        fields["api_version"] = "2010-04-01"
        fields["uri"] = f"/2010-04-01/Accounts/{account}/{PATHS[kind]}/{sid}.json"
    strange = given.keys() - fields.keys()
    assert not strange, strange
    return {**fields, **given}


def _others(kind: Kind, number: int) -> Document:
    match kind:
        case Kind.NUMBER:
            return {
                "phone_number": f"+1500{number:07d}",
                "voice_application_sid": None,
                "sms_application_sid": None,
                "trunk_sid": None,
                "voice_receive_mode": "voice",
                "voice_caller_id_lookup": False,
                "capabilities": {"voice": True, "sms": True, "mms": True, "fax": False},
                "address_requirements": "none",
                "beta": False,
                "origin": "twilio",
                "status": "in-use",
            }
        case Kind.APPLICATION:
            return {"voice_caller_id_lookup": False, "public_application_connect_enabled": False}
        case Kind.SIP_DOMAIN:
            return {
                "domain_name": f"domain-{number}.sip.twilio.com",
                "auth_type": "IP_ACL",
                "sip_registration": True,
                "secure": True,
                "byoc_trunk_sid": None,
            }
        case Kind.SHORT_CODE:
            return {"short_code": f"{10000 + number}"}
        case Kind.MESSAGING_SERVICE:
            return {
                "use_inbound_webhook_on_number": False,
                "sticky_sender": True,
                "validity_period": 600,
                "usecase": "marketing",
            }
        case Kind.BYOC_TRUNK:
            return {"cnam_lookup_enabled": False}


def account_record(sid: str, owner: str, token: str | None) -> Document:
    """An account as Twilio lists it; the token is not shown to an API key."""
    return {
        "sid": sid,
        "owner_account_sid": owner,
        "friendly_name": f"account {sid[-2:]}",
        "auth_token": token,
        "status": "active",
        "type": "Full",
        "date_created": _RFC_2822,
        "date_updated": _RFC_2822,
        "uri": f"/2010-04-01/Accounts/{sid}.json",
    }


def sender_record(kind: Kind, of: Document, service: str) -> Document:
    """A number or a short code as it is listed among the senders of a messaging service."""
    what = "phone_number" if kind is Kind.NUMBER else "short_code"
    return {
        "sid": of["sid"],
        "account_sid": of["account_sid"],
        "service_sid": service,
        what: of[what],
        "country_code": "US",
        "capabilities": ["SMS"],
        "date_created": _ISO,
        "date_updated": _ISO,
        "url": f"https://example.twilio.com/v1/Services/{service}/{of['sid']}",
    }


def webhook_rule(id: str, setting: str, **given: str) -> Document:
    """A rule of the Webhooks API; ``prefix`` or ``value`` is what it is about."""
    return {
        "id": id,
        "friendlyName": id,
        "matchType": "PREFIX" if "prefix" in given else "EXACT",
        "settings": [{"settingId": setting, "percentage": 100}],
        "createdAt": _ISO,
        "updatedAt": _ISO,
        **given,
    }


def webhook_setting(id: str, **connection: int) -> Document:
    """A setting of the Webhooks API."""
    return {
        "id": id,
        "friendlyName": id,
        "connection": connection,
        "createdAt": _ISO,
        "updatedAt": _ISO,
    }
