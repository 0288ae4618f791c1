"""Signs a request again, for the app's own URL, exactly as Twilio would have signed it.

https://www.twilio.com/docs/usage/webhooks/webhooks-security; the sums are the SDK's own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from attrs import field
from twilio.request_validator import HMAC_SHA1, RequestValidator

from boomerang.outbound.request import Request
from boomerang.relay.callback import Callback
from boomerang.urls import DEFAULT_PORTS
from boomerang.values import quick_frozen
from boomerang.web.form import is_form, parse_form

SIGNATURE: Final = "X-Twilio-Signature"
SETTINGS: Final = "X-Twilio-Webhooks-Signature-Settings"


@quick_frozen
class Signer:
    """What Twilio signs with: an auth token, or a shared key with its id."""

    secret: str = field(repr=False)
    key: str | None = None
    algorithm: str = HMAC_SHA1


def signed_headers(callback: Callback, signer: Signer) -> Mapping[str, str]:
    """The headers by which the app sees that the callback is Twilio's."""
    form = callback.method == "POST" and is_form(callback.content_type or None)
    fields = Fields(parse_form(callback.body) if form else ())
    signature = RequestValidator(signer.secret).compute_signature(
        signed_url(callback), fields, signer.algorithm
    )
    headers = {SIGNATURE: str(signature)}
    if signer.key is not None:
        headers[SETTINGS] = f"key={signer.key},algorithm={signer.algorithm}"
    return headers


def signed_url(callback: Callback) -> str:
    """The URL as it is signed: as it is sent, without name and password.

    Calls over https leave out the port as well; a default port never shows, since neither the
    request nor the app's idea of its URL has it.
    """
    request = Request(callback.method, callback.url)
    target = request.target
    voice = callback.order.startswith("CA") and target.scheme == "https"
    port = "" if voice or target.port == DEFAULT_PORTS[target.scheme] else f":{target.port}"
    sent = request.uri.decode("ascii").partition("://")[2]
    return f"{target.scheme}://{target.host}{port}/{sent.partition('/')[2]}"


class Fields(dict[str, list[str]]):
    """Form fields as the SDK likes to ask for them: a name may have several values."""

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        super().__init__()
        for name, value in pairs:
            self.setdefault(name, []).append(value)

    def getall(self, name: str) -> list[str]:
        return self[name]
