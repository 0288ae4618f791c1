"""Which certificates are trusted, and what is said of those that are not, with real handshakes."""

from __future__ import annotations

import time

import pytest

from boomerang.outbound import Trouble
from tests.outbound.clients import Diary, Names, client, trouble, visit
from tests.servers import HOST
from tests.web_servers import DAY, Authority, answers, page, serving

UNKNOWN = "is of an authority that is not trusted here"


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


HOSTS = ("app.example", "a.b.example", "b.example", "xn--bcher-kva.example", "1234")
NAMES = Names({name: [HOST] for name in HOSTS})


@pytest.mark.parametrize(
    ("issued", "host"),
    [
        ("app.example", "app.example"),
        ("app.example", "APP.example."),
        ("*.b.example", "a.b.example"),
        ("xn--bcher-kva.example", "bücher.example"),
        (HOST, HOST),
    ],
)
async def test_good(issued: str, host: str, authority: Authority) -> None:
    """A certificate for the host, by an authority that is trusted, will do."""
    async with (
        client(authority.trust_root, NAMES) as outbound,
        serving(answers(page()), tls=authority.issue("first.example", issued)) as server,
    ):
        assert (await visit(outbound, server.url(host=host))).status == 200


async def test_good_by_ipv6_address(authority: Authority) -> None:
    """A certificate can be for an IPv6 address."""
    async with (
        client(authority.trust_root) as outbound,
        serving(answers(page()), tls=authority.issue("::1"), host="::1") as server,
    ):
        assert (await visit(outbound, server.url())).status == 200


async def test_good_by_intermediate(authority: Authority) -> None:
    """The server may show the authority between its own certificate and the one trusted."""
    intermediate = Authority(parent=authority)
    async with (
        client(authority.trust_root) as outbound,
        serving(answers(page()), tls=intermediate.issue(HOST)) as server,
    ):
        assert (await visit(outbound, server.url())).status == 200


@pytest.mark.parametrize(
    ("names", "days", "host", "problem"),
    [
        (["other.example"], 90, "app.example", "is not for this host"),
        (["*.b.example"], 90, "b.example", "is not for this host"),
        (["app.example"], 90, HOST, "is not for this host"),
        ([HOST], 90, "app.example", "is not for this host"),
        (["app.example"], 90, "1234", "is not for this host"),
        (["app.example"], -3, "app.example", "has expired"),
    ],
)
async def test_bad(
    names: list[str], days: float, host: str, problem: str, authority: Authority
) -> None:
    """What is wrong with a certificate is told; nothing is sent, and yet its end is known."""
    async with (
        client(authority.trust_root, NAMES) as outbound,
        serving(answers(page()), tls=authority.issue(*names, days=days)) as server,
    ):
        diary = Diary()
        found = await trouble(outbound, server.url(host=host), diary)
        await server.all_gone()
        assert server.requests == []
        assert found == (Trouble.CERTIFICATE, f"{host}:{server.port}: the certificate {problem}")
    assert diary.certificate_expires == pytest.approx(time.time() + days * DAY, abs=10)


async def test_bad_authorities(authority: Authority) -> None:
    """Authorities that are not trusted, or no longer, make a certificate worthless; its end is
    known if it was looked at, or if theirs is what is wrong."""
    old, stranger = Authority(days=-2, parent=authority), Authority()
    cases = [
        (stranger.issue(HOST, days=90), UNKNOWN, 90),
        (Authority(parent=stranger).issue(HOST), UNKNOWN, None),
        (old.issue(HOST), "has expired", -2),
        (stranger.own(), "is self-signed", 300),
    ]
    for tls, problem, days in cases:
        async with (
            client(authority.trust_root) as outbound,
            serving(answers(page()), tls=tls) as server,
        ):
            diary = Diary()
            found = await trouble(outbound, server.url(), diary)
            assert server.requests == []
        where = f"{HOST}:{server.port}"
        assert found == (Trouble.CERTIFICATE, f"{where}: the certificate {problem}")
        if days is None:
            assert diary.certificate_expires is None
        else:
            assert diary.certificate_expires == pytest.approx(time.time() + days * DAY, abs=10)


async def test_not_yet_valid(authority: Authority) -> None:
    """A certificate of the future is not good yet."""
    tls = authority.issue(HOST, days=9, since=1)
    async with (
        client(authority.trust_root) as outbound,
        serving(answers(page()), tls=tls) as server,
    ):
        assert (await trouble(outbound, server.url()))[1].endswith("is not valid yet")


@pytest.mark.parametrize(("host", "named"), [("app.example", b"app.example"), (HOST, None)])
async def test_named_host(host: str, named: bytes | None, authority: Authority) -> None:
    """A server with many hosts is told which one is meant; an address is not named (RFC 6066)."""
    seen = []
    tls = authority.issue("app.example", HOST)
    tls.getContext().set_tlsext_servername_callback(
        lambda connection: seen.append(connection.get_servername())
    )
    async with (
        client(authority.trust_root, NAMES) as outbound,
        serving(answers(page()), tls=tls) as server,
    ):
        await visit(outbound, server.url(host=host))
    assert seen == [named]


async def test_platform(authority: Authority) -> None:
    """Unless a test gives another, the platform's authorities are trusted, and no others."""
    async with (
        client() as outbound,
        serving(answers(page()), tls=authority.issue(HOST)) as server,
    ):
        assert (await trouble(outbound, server.url()))[0] is Trouble.CERTIFICATE
        assert server.requests == []
