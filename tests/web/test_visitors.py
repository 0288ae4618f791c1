"""Who may see what is for operators."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Mapping
from typing import TypeVar

import pytest
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IAddress
from twisted.internet.task import Clock
from werkzeug.security import generate_password_hash

from boomerang.metrics import Metrics
from boomerang.web.pages import MetricsRoute
from boomerang.web.visitors import Login, Visitors, WrongPasswords
from tests.web.driving import (
    NEIGHBOUR,
    NO_STORE,
    STRANGER,
    TEXT,
    Answer,
    Bench,
    Daemon,
    request,
    whole,
)
from tests.web.test_trust import forbidden

T = TypeVar("T")

HASH = generate_password_hash("right", "pbkdf2:sha256:1000")


class Door:
    """A page behind `Visitors`, whose work in threads is done at once."""

    def __init__(self, login: Login) -> None:
        self.clock = Clock()
        self.hashed = 0
        self.bench = Bench(
            MetricsRoute(
                metrics=Metrics(version="1", environment="test"),
                visitors=Visitors(login, clock=self.clock, run=self._run),
            ).app
        )

    def visit(self, headers: Mapping[str, str], *, peer: IAddress = STRANGER) -> Answer:
        return self.bench.ask(request("GET", "/metrics", headers), peer=peer)

    def tried(self, password: str, *, peer: IAddress = STRANGER) -> int:
        return self.visit({"Authorization": basic(f"ops:{password}")}, peer=peer).status

    def _run(self, work: Callable[[], T], /) -> Deferred[T]:
        self.hashed += 1
        return succeed(work())


def visit(login: Login, headers: Mapping[str, str], *, peer: IAddress = STRANGER) -> Answer:
    return Door(login).visit(headers, peer=peer)


class TestNeighbours:
    anyone = Login()
    refused = forbidden("only direct connections from this machine, or set [status] password")

    @pytest.mark.parametrize(
        "peer",
        [
            NEIGHBOUR,
            IPv4Address("TCP", "127.9.9.9", 1),
            IPv6Address("TCP", "::1", 1),
            IPv6Address("TCP", "::ffff:127.0.0.1", 1),
        ],
    )
    def test_direct(self, peer: IAddress) -> None:
        """Without a password whoever sits on this machine is served."""
        assert visit(self.anyone, {}, peer=peer).status == 200

    @pytest.mark.parametrize(
        "peer",
        [
            STRANGER,
            IPv4Address("TCP", "10.0.0.1", 1),
            IPv4Address("TCP", "128.0.0.1", 1),
            IPv4Address("TCP", "localhost", 1),
            IPv6Address("TCP", "2001:db8::1", 1),
            IPv6Address("TCP", "::ffff:192.0.2.1", 1),
            IPv6Address("TCP", "fe80::1%eth0", 1),
            IPv6Address("TCP", "::", 1),
            UNIXAddress("/run/boomerang.sock"),
        ],
    )
    def test_from_elsewhere(self, peer: IAddress) -> None:
        """Nobody else is, and over a Unix socket there is a proxy before us."""
        assert visit(self.anyone, {}, peer=peer) == self.refused

    @pytest.mark.parametrize(
        "header",
        [
            "X-Forwarded-For",
            "x-forwarded-for",
            "X-FORWARDED-PROTO",
            "X-Forwarded-Host",
            "X-Forwarded-Anything",
            "Forwarded",
            "Via",
            "X-Real-IP",
            "CF-Connecting-IP",
            "True-Client-IP",
            "X-Client-IP",
        ],
    )
    @pytest.mark.parametrize("value", ["127.0.0.1", "", "\udcff"])
    def test_forwarded(self, header: str, value: str) -> None:
        """A forwarding header means that somebody else sits behind the connection."""
        assert visit(self.anyone, {header: value}, peer=NEIGHBOUR) == self.refused

    def test_other_headers(self) -> None:
        """Other headers of a visitor do not matter."""
        headers = {"User-Agent": "curl", "X-Forward": "x", "Authorization": "Basic eDp5"}
        assert visit(self.anyone, headers, peer=NEIGHBOUR).status == 200


def basic(text: str, *, scheme: str = "Basic") -> str:
    return f"{scheme} {b64encode(text.encode()).decode()}"


class TestPassword:
    login = Login("ops", "pä:ss")
    unknown = whole(
        401,
        b"401 Unauthorized: user and password of [status] are needed\n",
        TEXT,
        NO_STORE,
        {"WWW-Authenticate": 'Basic realm="boomerang", charset="UTF-8"'},
    )

    @pytest.mark.parametrize(
        "given",
        [
            basic("ops:pä:ss"),
            basic("ops:pä:ss", scheme="basic"),
            basic("ops:pä:ss", scheme="BASIC"),
            basic("ops:pä:ss", scheme="Basic  "),
            basic("ops:pä:ss") + " ",
        ],
    )
    @pytest.mark.parametrize("peer", [STRANGER, NEIGHBOUR])
    @pytest.mark.parametrize("forwarded", [{}, {"X-Forwarded-For": "192.0.2.7"}])
    def test_right(self, given: str, peer: IAddress, forwarded: Mapping[str, str]) -> None:
        """Who knows user and password is served, through proxies too."""
        headers = {"Authorization": given, **forwarded}
        assert visit(self.login, headers, peer=peer).status == 200

    @pytest.mark.parametrize(
        "given",
        [
            None,
            "",
            "Basic",
            "Basic ",
            "Basic !!!",
            "Basic b3Bz",
            "Basic ü",
            "Basic \udcff",
            "\udcff",
            basic("ops:pä:s"),
            basic("ops:pä:sss"),
            basic("ops:PÄ:SS"),
            basic("opsx:pä:ss"),
            basic("ops:"),
            basic(":pä:ss"),
            basic("pä:ss"),
            basic("ops"),
            basic("ops:pä:ss")[:-1],
            basic("ops:pä:ss", scheme="Bearer"),
            basic("ops:pä:ss", scheme="Digest"),
            "Basic ops:pass",
            "Basic " + b64encode("ops:pä:ss".encode("latin-1")).decode(),
        ],
    )
    @pytest.mark.parametrize("peer", [STRANGER, NEIGHBOUR])
    def test_wrong(self, given: str | None, peer: IAddress) -> None:
        """Everyone else is asked for them, neighbours too."""
        headers = {} if given is None else {"Authorization": given}
        assert visit(self.login, headers, peer=peer) == self.unknown

    def test_secret(self) -> None:
        """The password is never shown."""
        assert "pä:ss" not in repr(self.login)

    @pytest.mark.parametrize("method", ["scrypt", "pbkdf2:sha256:1000"])
    def test_hash(self, method: str) -> None:
        """A hash in the settings does as well, and is asked once for the right password."""
        door = Door(Login("ops", password_hash=generate_password_hash("pä:ss", method)))
        assert door.tried("wrong") == 401
        assert [door.tried("pä:ss") for _ in range(3)] == [200, 200, 200]
        assert door.hashed == 2
        wrong_user = {"Authorization": basic("root:pä:ss")}
        assert door.visit(wrong_user).status == 401

    def test_the_daemon_asks(self) -> None:
        """The daemon answers 401 to whoever does not know the password of its settings."""
        daemon = Daemon(BOOMERANG_STATUS_USER="ops", BOOMERANG_STATUS_PASSWORD="secret")
        assert daemon.ask(request("GET", "/metrics"), peer=NEIGHBOUR) == self.unknown
        known = {"Authorization": basic("ops:secret")}
        assert daemon.ask(request("GET", "/metrics", known)).status == 200


class TestWrongPasswords:
    """Whoever guesses is slowed down, and nobody else is."""

    @pytest.mark.parametrize("login", [Login("ops", "right"), Login("ops", password_hash=HASH)])
    def test_limited(self, login: Login) -> None:
        """After ten wrong ones an address waits six seconds for each further one."""
        door = Door(login)
        assert [door.tried("wrong") for _ in range(12)] == [401] * 10 + [429] * 2
        refused = door.visit({"Authorization": basic("ops:wrong")})
        assert refused.headers["Retry-After"] == "7"
        door.clock.advance(6.5)
        assert [door.tried("wrong"), door.tried("wrong")] == [401, 429]

    def test_the_right_one_is_limited_too(self) -> None:
        """Otherwise a guesser would still learn which one it is; who is known already is served."""
        door = Door(Login("ops", "right"))
        for _ in range(10):
            door.tried("wrong")
        assert door.tried("right") == 429
        assert door.tried("right", peer=NEIGHBOUR) == 200
        assert door.tried("right") == 200

    def test_by_address(self) -> None:
        """Of IPv6 the network of one customer counts, of IPv4 each address."""
        door = Door(Login("ops", "right"))
        for number in range(10):
            door.tried("wrong", peer=IPv6Address("TCP", f"2001:db8::{number}", 1))
            door.tried("wrong", peer=IPv4Address("TCP", f"192.0.2.{number}", 1))
        assert door.tried("wrong", peer=IPv6Address("TCP", "2001:db8::ff", 1)) == 429
        assert door.tried("wrong", peer=IPv6Address("TCP", "2001:db8:0:1::", 1)) == 401
        assert door.tried("wrong", peer=IPv4Address("TCP", "192.0.2.1", 1)) == 401

    def test_asking_is_no_guess(self) -> None:
        """A browser first asks without a password: that counts for nothing."""
        door = Door(Login("ops", "right"))
        assert [door.visit({}).status for _ in range(20)] == [401] * 20
        assert door.tried("right") == 200

    def test_bounded(self) -> None:
        """No more addresses are remembered than there is room for."""
        wrong = WrongPasswords(Clock(), most_addresses=2)
        for address in ("a", "b", "c"):
            for _ in range(10):
                wrong.count(address)
        assert [wrong.wait(address) > 0 for address in ("a", "b", "c")] == [False, True, True]
