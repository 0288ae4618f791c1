"""What the setting ``store`` may say, as values."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import parse_qsl, unquote, urlsplit

from attrs import evolve, field, frozen

EXPECTED: Final = (
    "memory:, sqlite:PATH, redis://[user:password@]host[:port][/db],"
    " redis+sentinel://[user:password@]host[:port],.../service[/db] or"
    " redis+cluster://[user:password@]host[:port],...; with TLS rediss"
)

_OPTIONS: Final = ("prefix", "ssl_cert_reqs", "ssl_ca_certs", "db")


@frozen
class MemoryAddress:
    """Nothing outlives the process."""

    def __str__(self) -> str:
        return "memory:"


@frozen
class SqliteAddress:
    """A file on this machine."""

    path: str

    def __str__(self) -> str:
        return f"sqlite:{self.path}"


@frozen
class RedisAddress:
    """A Redis server, or the master of ``service`` that the Sentinels at ``hosts`` know, or the
    ``cluster`` that these are part of.

    ``database`` and ``username`` are `None` where nothing is to be sent for them. ``prefix`` stands
    before each key. ``verify`` is off for servers with self-signed certificates (Heroku's);
    ``authority`` is a PEM file of one's own certificate authority.
    """

    hosts: tuple[tuple[str, int], ...]
    service: str | None = None
    cluster: bool = False
    database: int | None = None
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: bool = False
    verify: bool = True
    authority: str | None = None
    prefix: str = "boomerang:"

    def __str__(self) -> str:
        kind = "+sentinel" if self.service else "+cluster" if self.cluster else ""
        scheme = f"rediss{kind}" if self.tls else f"redis{kind}"
        hosts = ",".join(
            f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host, port in self.hosts
        )
        service = f"/{self.service}" if self.service else ""
        return f"{scheme}://{hosts}{service}/{'' if self.cluster else self.database or 0}"


StoreAddress = MemoryAddress | SqliteAddress | RedisAddress


def unverified(address: StoreAddress) -> StoreAddress:
    """The same, with any certificate taken for the right one."""
    return evolve(address, verify=False) if isinstance(address, RedisAddress) else address


def parse_store(text: str) -> StoreAddress:
    """Understand the setting ``store``. Raises `ValueError` with what was expected.

    The options of the query are those that Redis clients commonly have: ``ssl_cert_reqs=none``,
    ``ssl_ca_certs=FILE``, ``db=N``; ``prefix=TEXT`` is boomerang's own. The error never repeats the
    text, which may hold a password.
    """
    scheme, colon, rest = text.partition(":")
    if scheme == "memory" and colon and not rest:
        return MemoryAddress()
    if scheme == "sqlite" and rest:
        path = rest.removeprefix("//")
        if ":memory:" in path or "\0" in path or (path != rest and not path.startswith("/")):
            raise ValueError("the path of a file after sqlite:")
        return SqliteAddress(path)
    if scheme in ("redis", "rediss", "redis+sentinel", "redis+cluster", "rediss+cluster"):
        return _parse_redis(text)
    raise ValueError(EXPECTED)


def _parse_redis(text: str) -> RedisAddress:
    try:
        parts = urlsplit(text)
    except ValueError:
        raise ValueError(EXPECTED) from None
    if parts.fragment:  # the rest of a password with a bare "#", as likely as not
        raise ValueError(EXPECTED)
    login, _, hosts = parts.netloc.rpartition("@")
    username, _, password = login.partition(":")
    sentinel, cluster = parts.scheme == "redis+sentinel", parts.scheme.endswith("+cluster")
    tls = parts.scheme.startswith("rediss")
    path = [unquote(step) for step in parts.path.split("/")[1:]]
    service = (path.pop(0) if path else "") if sentinel else None
    if sentinel and not service:
        raise ValueError("the name of the service after the hosts: " + EXPECTED)
    options = _options(parts.query)
    if options.keys() & {"ssl_cert_reqs", "ssl_ca_certs"} and not tls:
        raise ValueError("ssl_cert_reqs and ssl_ca_certs with rediss:// only")
    if options.get("ssl_cert_reqs", "required") not in ("none", "required"):
        raise ValueError("ssl_cert_reqs to be none or required")
    database = _database(path, options)
    if cluster and database:
        raise ValueError("no database number, since a cluster has but one")
    return RedisAddress(
        hosts=_hosts(hosts, default_port=26379 if sentinel else 6379, several=sentinel or cluster),
        service=service,
        cluster=cluster,
        database=None if cluster else database,
        username=unquote(username) or None,
        password=unquote(password) or None,
        tls=tls,
        verify=options.get("ssl_cert_reqs") != "none",
        authority=options.get("ssl_ca_certs"),
        prefix=options.get("prefix", "boomerang:"),
    )


def _options(query: str) -> dict[str, str]:
    pairs = parse_qsl(query, keep_blank_values=True)
    options = dict(pairs)
    if len(options) != len(pairs) or not options.keys() <= {*_OPTIONS}:
        raise ValueError(f"no options but {', '.join(_OPTIONS)}, each once")
    if "{" in options.get("prefix", ""):
        raise ValueError("a prefix without braces, which mark the hash tag of a key")
    return options


def _hosts(text: str, *, default_port: int, several: bool) -> tuple[tuple[str, int], ...]:
    hosts = []
    for host in text.split(","):
        found = re.fullmatch(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::(\d{1,5}))?", host)
        port = int(found[2] or default_port) if found else 0
        if found is None or not 0 < port < 65536:
            raise ValueError(EXPECTED)
        hosts.append((found[1].strip("[]"), port))
    if len(hosts) > 1 and not several:
        raise ValueError("one host; several are for redis+sentinel:// and redis+cluster://")
    return tuple(hosts)


def _database(path: list[str], options: dict[str, str]) -> int | None:
    named = [step for step in path if step]
    if "db" in options:
        named.append(options.pop("db"))
    if not named:
        return None
    if len(named) > 1 or not re.fullmatch(r"\d{1,5}", named[0]):
        raise ValueError("one database number at the end of the path: " + EXPECTED)
    return int(named[0])
