"""Settings that are right alone and wrong together."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from boomerang.settings.account import account_problems
from boomerang.settings.reports import LIBRATO_URL
from boomerang.settings.rescue import rescue_problems
from boomerang.settings.retry import RetrySettings
from boomerang.stores.address import MemoryAddress
from boomerang.urls import is_loopback, parse_url


def contradictions(
    values: Mapping[str, Any], given: Collection[str], retry: RetrySettings
) -> Iterator[str]:
    """What is wrong with values by dotted name, of which those in ``given`` may be wrong alone.

    ``retry`` is what they make of ``[retry]``.
    """
    yield from _login_problems(given)
    if values.get("workers", 1) > 1 and isinstance(values.get("store"), MemoryAddress):
        yield (
            "workers is more than 1 and store is memory:, of which each would have its own;"
            " expected sqlite:FILE or redis://"
        )
    librato = parse_url(values.get("librato.url", LIBRATO_URL))
    if librato.scheme == "http" and not is_loopback(librato.host):
        yield "librato.url is not https: the token would be readable on its way"
    nameless = "librato.token" in given and "librato.user" not in given
    if nameless and values.get("librato.dialect") != "tags":
        yield "librato.token is set, expected librato.user too (AppOptics needs none)"
    signed = "twilio.auth_token" in given or "twilio.shared_keys" in given
    if "retry.max_held_per_account" in given and not signed:
        yield (
            "retry.max_held_per_account is set, expected twilio.auth_token or twilio.shared_keys"
            " too: who does not sign can name any account"
        )
    yield from account_problems(values, given)
    endpoints, hosts = values.get("endpoint", ()), values.get("allowed_hosts", ())
    yield from rescue_problems(retry, endpoints, hosts)


def _login_problems(given: Collection[str]) -> Iterator[str]:
    passwords = [name for name in ("status.password", "status.password_hash") if name in given]
    if "status.user" in given and not passwords:
        yield "status.user is set, expected status.password or status.password_hash too"
    if passwords and "status.user" not in given:
        yield f"{passwords[0]} is set, expected status.user too"
    if len(passwords) > 1:
        yield "status.password and status.password_hash are set, expected one of them"
