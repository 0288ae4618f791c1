"""All settings: each declared once, with type, default, bounds and help.

The command line, the environment, the file, ``boomerang check-config`` and the table in README are
made from these declarations.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from attrs import field, frozen

from boomerang.logs import FORMATS
from boomerang.settings.account import AccountSettings
from boomerang.settings.checks import Check, check_problems, contradictions
from boomerang.settings.declarations import entries, setting
from boomerang.settings.endpoints import Endpoint, endpoint_problems
from boomerang.settings.kinds import (
    boolean,
    choice,
    host_patterns,
    http_url,
    integer,
    listen_strings,
    matching,
    origin,
    password_hash,
    seconds,
    secret_table,
    secrets,
    store_address,
    text,
)
from boomerang.settings.relay import RelaySettings
from boomerang.settings.reports import (
    HeartbeatSettings,
    LibratoSettings,
    NotifySettings,
    OtlpSettings,
)
from boomerang.settings.retry import RetrySettings
from boomerang.stores.address import SqliteAddress, StoreAddress

HOME_URL: Final = "https://github.com/impactdialing/boomerang"


@frozen
class TwilioSettings:
    """``[twilio]``: how Twilio's requests are told from others."""

    account_sid: str | None = setting(
        matching(r"AC[0-9a-f]{32}", "AC and 32 hexadecimal digits"),
        None,
        "the account, for commands that ask Twilio's API",
        env=("TWILIO_ACCOUNT_SID",),
        may_hold_secret=True,  # the auth token, where the two are swapped
    )
    auth_token: tuple[str, ...] = setting(
        secrets(),
        (),
        "auth tokens that requests may be signed with: one, or several during a rotation",
        env=("TWILIO_AUTH_TOKEN",),
        secret=True,
    )
    shared_keys: Mapping[str, str] = setting(
        secret_table(), {}, "shared keys that requests may be signed with, by their id", secret=True
    )


@frozen
class StatusSettings:
    """``[status]``: who may see what is for operators."""

    user: str | None = setting(text(), None, "user name for /status and /metrics")
    password: str | None = setting(
        text(),
        None,
        "password for them; without one only direct connections from this machine are served",
        secret=True,
    )
    password_hash: str | None = setting(
        password_hash(),
        None,
        "a hash of the password, instead of it",
        secret=True,
    )


@frozen
class Settings:
    """The settings of one process, checked."""

    listen: tuple[str, ...] = setting(
        listen_strings(),
        ("tcp:8080:backlog=4096",),
        "Twisted endpoint strings, one or several; PORT=n means tcp:n",
    )
    public_url: str | None = setting(
        origin(), None, "scheme and host under which Twilio reaches this host"
    )
    environment: str = setting(
        matching(r"[\w.-]{1,64}", "letters, digits, dots, dashes"),
        "production",
        "named in metrics, /status and /health; selects nothing",
    )
    store: StoreAddress = setting(
        store_address(),
        SqliteAddress("boomerang.db"),
        "where failures are remembered: memory:, sqlite:FILE, redis://, rediss://,"
        " redis+sentinel://, redis+cluster://, rediss+cluster://",
        env=("REDIS_URL",),
        may_hold_secret=True,
    )
    store_tls_verify: bool = setting(
        boolean(),
        True,
        "whether the certificate of a rediss:// or rediss+cluster:// store is checked",
    )
    allowed_hosts: tuple[str, ...] = setting(
        host_patterns(), (), "hosts to which calls may be sent (*.example.com); none named: all"
    )
    home_url: str = setting(http_url(), HOME_URL, "where / leads")
    workers: int = setting(
        integer(1, 64), 1, "processes that share the listening sockets, the store and the work"
    )
    shutdown_grace: float = setting(
        seconds(0, 3600),
        10.0,
        "how long requests are still held once the process is told to stop",
    )
    log_format: str = setting(choice(*FORMATS), "text", "how the log is written")
    retry: RetrySettings = field(factory=RetrySettings)
    twilio: TwilioSettings = field(factory=TwilioSettings)
    status: StatusSettings = field(factory=StatusSettings)
    check: tuple[Check, ...] = entries(Check, check_problems, problems_of_one=contradictions)
    endpoint: tuple[Endpoint, ...] = entries(Endpoint, endpoint_problems)
    librato: LibratoSettings = field(factory=LibratoSettings)
    otlp: OtlpSettings = field(factory=OtlpSettings)
    notify: NotifySettings = field(factory=NotifySettings)
    heartbeat: HeartbeatSettings = field(factory=HeartbeatSettings)
    account: AccountSettings = field(factory=AccountSettings)
    relay: RelaySettings = field(factory=RelaySettings)
