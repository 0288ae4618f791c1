"""Who may see what is for operators: whoever knows the password, else who sits at this machine."""

from __future__ import annotations

import binascii
import hmac
import os
from base64 import b64decode
from collections import OrderedDict
from collections.abc import Callable
from hashlib import blake2b
from ipaddress import ip_address
from typing import Final

from attrs import define, field, frozen
from twisted.internet.defer import DeferredSemaphore
from twisted.internet.interfaces import IAddress, IReactorTime
from werkzeug.security import check_password_hash

from boomerang.threads import Run
from boomerang.web.reply import Refused
from boomerang.web.request import GuardedRequest
from boomerang.web.trust import neighbourhood

MOST_WRONG: Final = 10
"""Wrong passwords that an address may send one after the other."""

FORGIVEN_EVERY: Final = 6.0
"""Seconds after which an address may send another one."""

MOST_ADDRESSES: Final = 10_000
MOST_AT_ONCE: Final = 2
"""Passwords that are compared with a hash at once: each takes 50 ms of a core, and 32 MiB."""

_FORWARDING: Final = frozenset(
    {"forwarded", "via", "x-real-ip", "cf-connecting-ip", "true-client-ip", "x-client-ip"}
)


@frozen
class Login:
    """The login of ``[status]``; with neither password nor hash there is none."""

    user: str | None = None
    password: str | None = field(default=None, repr=False)
    password_hash: str | None = field(default=None, repr=False)

    def __bool__(self) -> bool:
        return self.password is not None or self.password_hash is not None


@define
class _Account:
    wrong: float
    at: float


class WrongPasswords:
    """How many wrong passwords each address has sent lately; ``clock`` is monotonic."""

    def __init__(self, clock: IReactorTime, *, most_addresses: int = MOST_ADDRESSES) -> None:
        self._clock = clock
        self._most_addresses = most_addresses
        self._accounts: OrderedDict[str, _Account] = OrderedDict()

    def wait(self, address: str) -> float:
        """Seconds until the address may try (again), 0 if it may now."""
        return max(0.0, (self._wrong(address) - MOST_WRONG + 1) * FORGIVEN_EVERY)

    def count(self, address: str) -> None:
        """The address has sent a wrong one."""
        wrong = self._wrong(address) + 1
        self._accounts[address] = _Account(wrong, self._clock.seconds())
        self._accounts.move_to_end(address)
        if len(self._accounts) > self._most_addresses:
            self._accounts.popitem(last=False)

    def _wrong(self, address: str) -> float:
        account = self._accounts.get(address)
        if account is None:
            return 0.0
        forgiven = (self._clock.seconds() - account.at) / FORGIVEN_EVERY
        return max(0.0, account.wrong - forgiven)


class Visitors:
    """Lets people see what is for operators.

    ``run`` does what takes long in a thread. Credentials that were found right are remembered as
    a digest, so that a page that is looked at costs one comparison with a hash.
    """

    def __init__(self, login: Login, *, clock: IReactorTime, run: Run) -> None:
        self._login = login
        self._wrong = WrongPasswords(clock)
        self._run = run
        self._hashing = DeferredSemaphore(MOST_AT_ONCE)
        self._key = os.urandom(32)
        self._right = b""

    async def check(self, request: GuardedRequest) -> None:
        """Raise `Refused` (401, 403 or 429) for everyone else."""
        if not self._login:
            if not _sits_here(request):
                raise Refused(
                    403, "only direct connections from this machine, or set [status] password"
                )
            return
        header = request.getHeader("authorization")
        given = _credentials(header or "")
        if given is not None and self._is_remembered(given):
            return
        address = _who(request.getClientAddress())
        if header is not None:
            self._refuse_hasty(address)
        if given is None or not await self._knows(given):
            if header is not None:
                self._wrong.count(address)
            challenge = ((b"WWW-Authenticate", b'Basic realm="boomerang", charset="UTF-8"'),)
            raise Refused(401, "user and password of [status] are needed", headers=challenge)
        self._right = self._digest(given)

    def _refuse_hasty(self, address: str) -> None:
        wait = self._wrong.wait(address)
        if wait > 0:
            headers = ((b"Retry-After", b"%d" % (wait + 1)),)
            raise Refused(429, "too many wrong passwords from this address", headers=headers)

    async def _knows(self, given: bytes) -> bool:
        user, _, password = given.partition(b":")
        login = self._login
        right_user = hmac.compare_digest(user, (login.user or "").encode())
        if login.password is not None:
            right = hmac.compare_digest(password, login.password.encode())
        else:
            right = await self._hashing.run(self._run, self._hash_check(password))
        return right_user and right

    def _hash_check(self, password: bytes) -> Callable[[], bool]:
        known, tried = self._login.password_hash or "", password.decode("utf-8", "replace")
        return lambda: check_password_hash(known, tried)

    def _is_remembered(self, given: bytes) -> bool:
        return hmac.compare_digest(self._digest(given), self._right)

    def _digest(self, given: bytes) -> bytes:
        return blake2b(given, key=self._key).digest()


def _credentials(authorization: str) -> bytes | None:
    """User, colon, password, as they were sent; `None` where there are none that can be read."""
    scheme, _, credentials = authorization.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        return b64decode(credentials.strip(), validate=True)
    except (binascii.Error, ValueError):
        return None


def _sits_here(request: GuardedRequest) -> bool:
    for name in request.header_names():
        if name in _FORWARDING or name.startswith("x-forwarded-"):
            return False
    return _is_loopback(request.getClientAddress())


def _is_loopback(address: IAddress) -> bool:
    try:
        found = ip_address(getattr(address, "host", ""))
    except ValueError:
        return False
    mapped = getattr(found, "ipv4_mapped", None)
    return bool((mapped or found).is_loopback)


def _who(address: IAddress) -> str:
    """Whom to count as one."""
    return neighbourhood(str(getattr(address, "host", "")))
