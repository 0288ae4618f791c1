"""What the setting ``store`` may say."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from boomerang.stores.address import (
    MemoryAddress,
    RedisAddress,
    SqliteAddress,
    StoreAddress,
    parse_store,
    unverified,
)


def redis(host: str = "h", port: int = 6379, **more: object) -> RedisAddress:
    return RedisAddress(((host, port),), **more)  # type: ignore[arg-type]


def sentinel(*hosts: tuple[str, int], **more: object) -> RedisAddress:
    return RedisAddress(hosts, **{"service": "calls", **more})  # type: ignore[arg-type]


def cluster(*hosts: tuple[str, int], **more: object) -> RedisAddress:
    return RedisAddress(hosts, cluster=True, **more)  # type: ignore[arg-type]


GOOD: Final = [
    ("memory:", MemoryAddress()),
    # Files
    ("sqlite:boomerang.db", SqliteAddress("boomerang.db")),
    ("sqlite:./some dir/b.db", SqliteAddress("./some dir/b.db")),
    ("sqlite:/var/lib/boomerang/b.db", SqliteAddress("/var/lib/boomerang/b.db")),
    ("sqlite:///var/lib/b.db", SqliteAddress("/var/lib/b.db")),
    ("sqlite:a?b#c%20d", SqliteAddress("a?b#c%20d")),
    # Hosts and ports
    ("redis://h", redis()),
    ("redis://h/", redis()),
    ("redis://redis.example.com:7000", redis("redis.example.com", 7000)),
    ("redis://my_host-1:65535", redis("my_host-1", 65535)),
    ("redis://10.0.0.1:1", redis("10.0.0.1", 1)),
    ("redis://[::1]", redis("::1")),
    ("redis://[2001:db8::1]:7000/1", redis("2001:db8::1", 7000, database=1)),
    # Databases
    ("redis://h/0", redis(database=0)),
    ("redis://h:1/15", redis(port=1, database=15)),
    ("redis://h?db=3", redis(database=3)),
    ("rediss://h/?db=3&ssl_cert_reqs=none", redis(tls=True, verify=False, database=3)),
    # Logins
    ("redis://:pw@h", redis(password="pw")),
    ("redis://me:pw@h/2", redis(username="me", password="pw", database=2)),
    ("redis://me@h", redis(username="me")),
    ("redis://:@h", redis()),
    ("redis://@h", redis()),
    ("redis://:a:b@h", redis(password="a:b")),
    ("redis://:a@b@h", redis(password="a@b")),
    ("redis://m%65:%40%3A%2F%25%20%C3%A9@h", redis(username="me", password="@:/% é")),
    # TLS
    ("rediss://h", redis(tls=True)),
    ("rediss://h?ssl_cert_reqs=required", redis(tls=True)),
    ("rediss://h?ssl_cert_reqs=none", redis(tls=True, verify=False)),
    ("rediss://h?ssl_ca_certs=%2Fetc/ca.pem", redis(tls=True, authority="/etc/ca.pem")),
    # Prefixes
    ("redis://h?prefix=app1:", redis(prefix="app1:")),
    ("redis://h?prefix=", redis(prefix="")),
    ("redis://h?prefix=%C3%A9", redis(prefix="é")),
    # Sentinel
    ("redis+sentinel://h/calls", sentinel(("h", 26379))),
    ("redis+sentinel://h,i:1,[::1]:2/calls", sentinel(("h", 26379), ("i", 1), ("::1", 2))),
    ("redis+sentinel://h/my%20calls/4", sentinel(("h", 26379), service="my calls", database=4)),
    (
        "redis+sentinel://me:pw@h,i/calls/0?prefix=p",
        sentinel(("h", 26379), ("i", 26379), username="me", password="pw", database=0, prefix="p"),
    ),
    # Cluster
    ("redis+cluster://h", cluster(("h", 6379))),
    ("redis+cluster://h,i:1,[::1]:2/", cluster(("h", 6379), ("i", 1), ("::1", 2))),
    ("redis+cluster://:pw@h/0?prefix=p", cluster(("h", 6379), password="pw", prefix="p")),
    (
        "rediss+cluster://me:pw@h,i?ssl_cert_reqs=none",
        cluster(("h", 6379), ("i", 6379), username="me", password="pw", tls=True, verify=False),
    ),
]


@pytest.mark.parametrize(("text", "expected"), GOOD)
def test_good(text: str, expected: StoreAddress) -> None:
    """Each of these is understood."""
    assert parse_store(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "memory",
        "memory:x",
        "memory://",
        "sqlite",
        "sqlite:",
        "sqlite://",
        "sqlite://b.db",
        "sqlite::memory:",
        "sqlite:///:memory:",
        "sqlite:a\0b",
        "redis",
        "redis:",
        "redis:h",
        "redis:/h",
        "redis://",
        "redis:///1",
        "redis://:6379",
        "redis://h:",
        "redis://h:0",
        "redis://h:65536",
        "redis://h:123456",
        "redis://h:-1",
        "redis://h:port",
        "redis://h/one",
        "redis://h/-1",
        "redis://h/123456",
        "redis://h/1/2",
        "redis://h/1?db=1",
        "redis://h?db=",
        "redis://h?db=x",
        "redis://h?db=1&db=2",
        "redis://h,i",
        "redis://h,",
        "redis://h i",
        "redis://hé",
        "redis://[::1",
        "redis://[h]",
        "redis://::1",
        "redis://:p#w@h",
        "redis://h#fragment",
        "redis://h/1#fragment",
        "redis://:p/w@h",
        "redis://h?ssl_cert_reqs=none",
        "redis://h?ssl_ca_certs=x",
        "rediss://h?ssl_cert_reqs=optional",
        "rediss://h?ssl_cert_reqs=",
        "rediss://h?ssl=true",
        "redis://h?prefix=a&prefix=b",
        "redis://h?prefix={a}",
        "redis://h?password=x",
        "redis+sentinel://h",
        "redis+sentinel://h/",
        "redis+sentinel://h//1",
        "redis+sentinel://,h/calls",
        "redis+sentinel://h/calls/x",
        "redis+sentinel://h/calls?ssl_cert_reqs=none",
        "rediss+sentinel://h/calls",
        "redis+cluster://",
        "redis+cluster://,h",
        "redis+cluster://h/1",
        "redis+cluster://h?db=1",
        "redis+cluster://h/calls",
        "redis+cluster://h?ssl_cert_reqs=none",
        "postgres://h",
        "REDIS://h",
        " redis://h",
    ],
)
def test_bad(text: str) -> None:
    """Each of these is refused, in words that say what was expected."""
    with pytest.raises(ValueError, match=r"redis|sqlite:|ssl_c|prefix|cluster") as caught:
        parse_store(text)
    assert len(str(caught.value)) < 250


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("redis://h,i", "several are for redis+sentinel:// and redis+cluster://"),
        ("redis+cluster://h/1", "a cluster has but one"),
        ("redis+sentinel://h", "the name of the service"),
        ("redis://h?ssl_cert_reqs=none", "with rediss:// only"),
        ("rediss://h?ssl_cert_reqs=maybe", "none or required"),
        ("redis://h?colour=red", "prefix, ssl_cert_reqs, ssl_ca_certs, db"),
        ("redis://h?prefix={x}", "without braces"),
        ("redis://h/x", "one database number"),
        ("sqlite://b.db", "after sqlite:"),
    ],
)
def test_reasons(text: str, reason: str) -> None:
    """Where a mistake can be told, it is."""
    with pytest.raises(ValueError, match=re.escape(reason)):
        parse_store(text)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("memory:", "memory:"),
        ("sqlite:///a/b.db", "sqlite:/a/b.db"),
        ("redis://me:pw@h", "redis://h:6379/0"),
        ("rediss://:pw@h:1/5?ssl_cert_reqs=none", "rediss://h:1/5"),
        ("redis://[::1]", "redis://[::1]:6379/0"),
        ("redis+sentinel://:pw@h,i:1/calls/2", "redis+sentinel://h:26379,i:1/calls/2"),
        ("redis+cluster://:pw@h,i:1", "redis+cluster://h:6379,i:1/"),
        ("rediss+cluster://:pw@h", "rediss+cluster://h:6379/"),
    ],
)
def test_shown(text: str, shown: str) -> None:
    """An address is shown without login and options."""
    assert str(parse_store(text)) == shown


SECRET: Final = "hunter2-hunter2"


@pytest.mark.parametrize(
    "text",
    [
        "redis://:{}@h",
        "redis://me:{}@h/1?prefix=x",
        "rediss://:{}@h",
        "redis+sentinel://:{}@h,i/calls",
        "rediss+cluster://:{}@h,i",
    ],
)
def test_password_is_not_shown(text: str) -> None:
    """The password stands in neither str nor repr of an address."""
    address = parse_store(text.format(SECRET))
    assert isinstance(address, RedisAddress)
    assert address.password == SECRET
    assert SECRET not in f"{address} {address!r}"


@pytest.mark.parametrize(
    "text",
    [
        "redis://:{}@",
        "redis://:{}",
        "redis://:{}@h:port",
        "redis://:{}#@h",
        "redis://:{}/@h",
        "redis://:{}?@h",
        "redis://[{}@h",
        "redis://:{}]@h",
        "redis://\u2100:{}@h",
        "redis://h/{}",
        "redis://h?password={}",
        "redis://h?{}=password",
        "redis://h?db={}",
        "rediss://h?ssl_cert_reqs={}",
        "redis+sentinel://:{}@h",
        "redis+sentinel://:{}@h/calls/{}",
        "redis+cluster://:{}@h/{}",
        "http://me:{}@h",
        "{}",
    ],
)
def test_password_is_not_in_messages(text: str) -> None:
    """However wrong the address, no part of it is repeated, nor in the chain of exceptions."""
    with pytest.raises(ValueError, match=r"redis|once|none") as caught:
        parse_store(text.format(SECRET, SECRET))
    error: BaseException | None = caught.value
    while error is not None:
        assert SECRET not in f"{error} {error!r}"
        error = error.__cause__ if error.__suppress_context__ else error.__context__


@given(
    st.text(max_size=40),
    st.sampled_from(["", "redis://", "rediss://", "redis+sentinel://", "redis+cluster://"]),
)
def test_anything(text: str, scheme: str) -> None:
    """Whatever is given is an address or a `ValueError`."""
    with suppress(ValueError):
        assert str(parse_store(scheme + text))


@pytest.mark.parametrize("text", ["rediss://h", "rediss://h?ssl_cert_reqs=none", "redis://h"])
def test_unverified(text: str) -> None:
    """The check of a certificate can be switched off without writing the address anew."""
    address = unverified(parse_store(text))
    assert isinstance(address, RedisAddress)
    assert not address.verify
    assert address.hosts == (("h", 6379),)


def test_nothing_to_verify() -> None:
    """Where there is no certificate, there is nothing to be switched off."""
    assert unverified(SqliteAddress("x.db")) == SqliteAddress("x.db")
