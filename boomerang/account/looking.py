"""From settings to an audit: asks, reads, judges."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from boomerang.account.api import Credentials, MissingSetting, TwilioApi
from boomerang.account.audit import Audit, audit
from boomerang.account.reading import Accounts, read
from boomerang.account.wanted import Wanted
from boomerang.settings import Settings


def wanted_by(settings: Settings) -> Wanted:
    """What should be. Raises `MissingSetting`."""
    if settings.public_url is None:
        raise MissingSetting("public_url is not set: where should the fallbacks point?")
    return Wanted.of(settings, settings.public_url)


@contextmanager
def reached(
    settings: Settings,
    *,
    subaccounts: bool,
    sleep: Callable[[float], None],
    random: Callable[[], float],
) -> Iterator[Accounts]:
    """The accounts, until their connections are closed.

    Raises `MissingSetting` or `boomerang.account.errors.TwilioError`.
    """
    credentials = Credentials.of(settings)
    api = TwilioApi(credentials, url=settings.account.api_url, sleep=sleep, random=random)
    try:
        accounts = Accounts.of(api, subaccounts=subaccounts)
        try:
            yield accounts
        finally:
            accounts.close()
    finally:
        api.close()


def look(
    settings: Settings, *, sleep: Callable[[float], None], random: Callable[[], float]
) -> Audit:
    """Audit the account as the settings say. Blocks, for minutes where an account is large.

    Raises `MissingSetting`, `boomerang.account.errors.TwilioError`, and what ``sleep`` raises.
    """
    wanted = wanted_by(settings)
    with reached(
        settings, subaccounts=settings.account.subaccounts, sleep=sleep, random=random
    ) as accounts:
        return audit(read(accounts, url=wanted.retry_url), wanted)
