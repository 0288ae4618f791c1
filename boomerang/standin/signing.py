"""X-Twilio-Signature: how Twilio signs a request, so that the app can tell it from others'.

https://www.twilio.com/docs/usage/webhooks/webhooks-security. How such a signature is checked is
in `boomerang.web.signature`; both have the sums from Twilio's own library.
"""

from __future__ import annotations

from twilio.request_validator import RequestValidator

from boomerang.relay.resign import SIGNATURE, Fields
from boomerang.standin.script import VOICE, Pairs

__all__ = ["SIGNATURE", "signature", "signed_url"]


def signature(token: str, url: str, form: Pairs = ()) -> str:
    """The signature of a request: its URL as `signed_url` has it, and the fields of its form.

    A GET has its parameters in the URL, and no form.
    """
    return str(RequestValidator(token).compute_signature(url, Fields(form)))


def signed_url(scheme: str, host: str, port: str, target: str, *, product: str) -> str:
    """The URL that is signed. ``port`` has its colon, and is empty where the URL names none.

    Neither name nor password are part of it; calls over https leave out the port as well.
    """
    shown = "" if product == VOICE and scheme == "https" else port
    return f"{scheme}://{host}{shown}{target}"
