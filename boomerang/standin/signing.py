"""X-Twilio-Signature: how Twilio signs a request, so that the app can tell it from others'.

https://www.twilio.com/docs/usage/webhooks/webhooks-security. How such a signature is checked is
in `boomerang.web.signature`; both have the sums from Twilio's own library.
"""

from __future__ import annotations

from typing import Final

from twilio.request_validator import RequestValidator

from boomerang.standin.script import VOICE, Pairs

SIGNATURE: Final = "X-Twilio-Signature"


class _Fields(dict[str, list[str]]):
    """Form fields as the library likes to ask for them: a name may have several values."""

    def getall(self, name: str) -> list[str]:
        return self[name]


def signature(token: str, url: str, form: Pairs = ()) -> str:
    """The signature of a request: its URL as `signed_url` has it, and the fields of its form.

    A GET has its parameters in the URL, and no form.
    """
    fields = _Fields()
    for name, value in form:
        fields.setdefault(name, []).append(value)
    return str(RequestValidator(token).compute_signature(url, fields))


def signed_url(scheme: str, host: str, port: str, target: str, *, product: str) -> str:
    """The URL that is signed. ``port`` has its colon, and is empty where the URL names none.

    Neither name nor password are part of it; calls over https leave out the port as well.
    """
    shown = "" if product == VOICE and scheme == "https" else port
    return f"{scheme}://{host}{shown}{target}"
