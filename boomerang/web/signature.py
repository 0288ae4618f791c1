"""X-Twilio-Signature: whether a request was signed with one of the known keys.

https://www.twilio.com/docs/usage/webhooks/webhooks-security. The sums are those of the SDK
(`twilio.request_validator`), which the tests hold them to; the spellings of the URL under which
they are tried, and what is strange in a request, are dealt with here.
"""

from __future__ import annotations

import hmac
from base64 import b64encode
from collections.abc import Mapping, Sequence
from functools import lru_cache
from hashlib import sha256
from itertools import chain
from typing import Final
from urllib.parse import parse_qs

from attrs import field, frozen
from twilio.request_validator import HMAC_SHA1, HMAC_SHA256

from boomerang.relay.resign import SETTINGS, SIGNATURE, Signer
from boomerang.values import Fields, quick_frozen

__all__ = ["SETTINGS", "SIGNATURE", "Keys", "Signed", "is_genuine", "signature", "signer_of"]

_HASHES: Final = {HMAC_SHA1: "sha1", HMAC_SHA256: "sha256"}

_PORTS: Final = {"https": "443", "http": "80"}


@frozen
class Keys:
    """The secrets that Twilio may sign with: auth tokens, and shared keys by their id.

    During a rotation there are two tokens. Sub-accounts sign with tokens of their own.
    """

    tokens: tuple[str, ...] = field(default=(), repr=False)
    shared: Mapping[str, str] = field(factory=dict, repr=False)

    def __bool__(self) -> bool:
        return bool(self.tokens or self.shared)


@quick_frozen
class Signed:
    """What a signature covers.

    ``bases`` are the scheme and host under which Twilio may know this host, ``target`` is the
    request target as it was sent, ``form`` the fields of a form body in any order, ``body`` the raw
    body (which needs its hash in the query), ``signature`` and ``settings`` the headers.
    """

    bases: Sequence[str]
    target: str
    form: Fields
    body: bytes
    signature: str | None
    settings: str | None


def is_genuine(signed: Signed, keys: Keys) -> bool:
    """Whether one of the keys made the signature. False for whatever cannot be checked."""
    return signer_of(signed, keys) is not None


def signer_of(signed: Signed, keys: Keys) -> Signer | None:
    """Which of the keys made the signature."""
    if not signed.signature:
        return None
    algorithm, key, secrets = _announced(signed.settings, keys)
    if algorithm not in _HASHES or not _body_unchanged(signed):
        return None
    given = signed.signature.encode("utf-8", "replace")
    try:
        rest = signed.target + _flat(signed.form)
        for base in signed.bases:
            for url in _spellings(base):
                covered = (url + rest).encode()
                for secret in secrets:
                    if hmac.compare_digest(signature(secret, covered, algorithm), given):
                        return Signer(secret, key, algorithm)
    except UnicodeEncodeError:  # not UTF-8, so nothing that Twilio sends
        pass
    return None


def signature(secret: str, covered: bytes, algorithm: str) -> bytes:
    """What the header says for a URL and the fields behind it.

    The sums of the SDK's `RequestValidator.compute_signature`, which asks a mapping for each field:
    without that, and with what is remembered below, the check of a voice webhook takes 79,000
    instructions instead of 113,000 (benchmarks/README.md).
    """
    summing = _keyed(secret, algorithm).copy()
    summing.update(covered)
    return b64encode(summing.digest())


@lru_cache(maxsize=64)
def _keyed(secret: str, algorithm: str) -> hmac.HMAC:
    """The beginning of the sum, which is the same for all requests."""
    return hmac.new(secret.encode(), digestmod=_HASHES[algorithm])


def _flat(form: Fields) -> str:
    """Names and values with nothing in between, sorted; what is there twice counts once."""
    if not isinstance(form, dict):
        return "".join(chain.from_iterable(sorted(set(form))))
    names = sorted(form)  # without their values, which takes 19,000 instructions less
    texts = names + names
    texts[::2], texts[1::2] = names, map(form.__getitem__, names)
    return "".join(texts)


def _announced(settings: str | None, keys: Keys) -> tuple[str, str | None, tuple[str, ...]]:
    """Algorithm, shared key and secrets that the settings header means: the tokens, or one key."""
    if not settings:
        return HMAC_SHA1, None, keys.tokens
    given = dict(_setting(part) for part in settings.split(","))
    algorithm = given.get("algorithm") or HMAC_SHA1
    if "key" not in given:
        return algorithm, None, keys.tokens
    secret = keys.shared.get(given["key"])
    return algorithm, given["key"], () if secret is None else (secret,)


def _setting(part: str) -> tuple[str, str]:
    name, _, value = part.partition("=")
    return name.strip(), value.strip()


def _body_unchanged(signed: Signed) -> bool:
    """Twilio puts the hash of a JSON body into the query, and signs the URL alone.

    Without a hash there is no such body: with the signature of a GET that somebody has seen, any
    body could be sent, and the relay would sign it anew for the app.
    """
    if signed.form:
        return True
    if "bodySHA256=" not in signed.target:
        return not signed.body
    hashes = parse_qs(signed.target.partition("?")[2]).get("bodySHA256", [])
    return hashes == [sha256(signed.body).hexdigest()]


@lru_cache(maxsize=256)
def _spellings(base: str) -> tuple[str, ...]:
    """The ways in which Twilio may have written scheme and host when it signed.

    Its products disagree on whether credentials and ports belong to the signed URL.
    """
    scheme, _, authority = base.partition("://")
    login, at, host = authority.rpartition("@")
    name, colon, port = host.rpartition(":")
    if colon and port.isdigit():
        hosts = [host, name]
    else:
        hosts = [host, f"{host}:{_PORTS.get(scheme, '443')}"]
    logins = [login + at, ""] if login else [""]
    return tuple(f"{scheme}://{login}{host}" for login in logins for host in hosts)
