"""Which key signs a callback: the one that signed the request that brought it.

Of several auth tokens (sub-accounts, a rotation) nothing tells whose they are but a signature that
fits. So a callback is stored with the name of its key: another process may deliver it. Where that
key is no longer among the settings (a rotation), or the callback has none, the key that its account
was last seen to sign with takes its place. Those are noted in the store, so that they outlive the
process. Names are the id of a shared key, or the digest of a token, never a secret.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Final

from twilio.request_validator import HMAC_SHA1, HMAC_SHA256
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from boomerang.relay.callback import Callback
from boomerang.relay.resign import Signer
from boomerang.stores.interfaces import NoteStore, StoreUnavailable

TOPIC: Final = "relay.signers"

MOST: Final = 2000
"""Accounts that are known apart; of those beyond only this process knows, until it knows others."""


class Signers:
    """Finds the key of a callback. Without any key nothing is signed."""

    def __init__(
        self, tokens: Sequence[str], shared: Mapping[str, str], *, notes: NoteStore
    ) -> None:
        known = [Signer(token) for token in tokens]
        known += [
            Signer(secret, key, algorithm)
            for key, secret in shared.items()
            for algorithm in (HMAC_SHA1, HMAC_SHA256)
        ]
        self._known = {name_of(signer): signer for signer in known}
        self._usual = known[0] if known else None
        self._notes = notes
        self._names: dict[str, str] = {}

    def of(self, callback: Callback) -> Signer | None:
        """Its own key, else the one that its account was last seen to sign with, else the first."""
        names = (callback.signed_by, self._names.get(callback.account_sid, ""))
        return next((self._known[name] for name in names if name in self._known), self._usual)

    def heard(self, account_sid: str, signer: Signer | None) -> None:
        """A request of this account was signed so."""
        name = name_of(signer)
        if name not in self._known or not account_sid or self._names.get(account_sid) == name:
            return
        is_new = account_sid not in self._names
        if len(self._names) >= MOST and is_new:
            self._names.pop(next(iter(self._names)))
        self._names[account_sid] = name
        if len(self._known) > 1:
            self._notes.write(TOPIC, {account_sid: name}).addErrback(self._unwritten, account_sid)

    async def recall(self) -> None:
        """Learn what is noted, by this process or others. Raises `StoreUnavailable`."""
        if len(self._known) > 1:
            reading: Deferred[Mapping[str, str]] = self._notes.read(TOPIC)
            noted = await reading
            known = {**self._names, **noted}  # of a rotation others may have heard before us
            self._names = dict(list(known.items())[-MOST:])

    def _unwritten(self, trouble: Failure, account_sid: str) -> None:
        """Note it with the next request."""
        trouble.trap(StoreUnavailable)
        self._names.pop(account_sid, None)


def name_of(signer: Signer | None) -> str:
    """What a key is known by in the store, which tells nothing about it; empty for none."""
    if signer is None:
        return ""
    if signer.key is not None:
        return f"key {signer.key} {signer.algorithm}"
    return f"token {blake2b(signer.secret.encode(), digest_size=8).hexdigest()}"
