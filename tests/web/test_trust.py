"""Whom boomerang serves."""

from __future__ import annotations

from base64 import b64encode

import pytest
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.interfaces import IAddress

from tests.web.driving import (
    FIELDS,
    NO_STORE,
    STRANGER,
    TEXT,
    Answer,
    Daemon,
    get,
    post,
    signature,
    whole,
)

PUBLIC = "https://boomerang.example.com"
TOKEN = "12345"


def forbidden(reason: str) -> Answer:
    return whole(403, f"403 Forbidden: {reason}\n".encode(), TEXT, NO_STORE)


class TestAllowedHosts:
    patterns = "*.example.com, bücher.example, xn--grn-ioa.example"

    @pytest.mark.parametrize(
        ("url", "status"),
        [
            ("https://app.example.com/voice", 200),
            ("http://app.example.com", 200),
            ("https://a.b.example.com/", 200),
            ("HTTPS://APP.Example.COM/", 200),
            ("https://app.example.com./", 200),
            ("https://app.example.com:8443/", 200),
            ("https://app.example.com:/", 200),
            ("https://user:pass@app.example.com/", 200),
            ("https://evil.test%2f@app.example.com/", 200),
            ("https://bücher.example/", 200),
            ("https://BÜCHER.example/", 200),
            ("https://xn--bcher-kva.example/", 200),
            ("https://grün.example/", 200),
            ("https://app。example.com/", 200),
            ("https://example.com/", 403),
            ("https://app.example.org/", 403),
            ("https://app.example.com.evil.test/", 403),
            ("https://app.example.community/", 403),
            ("https://notexample.com/", 403),
            ("https://evil.test/app.example.com", 403),
            ("https://evil.test/?https://app.example.com", 403),
            ("https://evil.test/#@app.example.com", 403),
            ("https://evil.test?@app.example.com/", 403),
            ("https://evil.test#.example.com", 403),
            ("https://app.example.com@evil.test/", 403),
            ("https://app.example.com:443@evil.test/", 403),
            ("https://app.example.com%00@evil.test/", 403),
            ("https://bucher.example/", 403),
            ("https://127.0.0.1/", 403),
            ("https://2130706433/", 403),
            ("https://[::1]/", 403),
            (r"https://evil.test\@app.example.com/", 400),
            (r"https://evil.test\.example.com/", 400),
            ("https://evil.test%2f.example.com/", 400),
            ("https://evil.test\uff0f.example.com/", 400),
            ("https://evil.test\uff03.example.com/", 400),
            ("https://evil.test\uff1f.example.com/", 400),
            ("https://evil.test\uff20app.example.com/", 400),
            ("https://evil.test\uff1a80.example.com/", 400),
            ("https://evil.test℀.example.com/", 400),
            ("https://user@evil.test@app.example.com/", 400),
            ("https://evil.test\tapp.example.com/", 400),
            ("https://evil.test .example.com/", 400),
            ("https:///app.example.com/", 400),
            ("https:app.example.com/", 400),
            ("//app.example.com/", 400),
            ("ftp://app.example.com/", 400),
            ("javascript://app.example.com/", 400),
            ("https://.example.com/", 400),
            ("https://a..example.com/", 400),
        ],
    )
    @pytest.mark.parametrize("name", ["ErrorUrl", "FallbackUrl"])
    def test_hosts(self, name: str, url: str, status: int) -> None:
        """A call is sent to an allowed host only, however the address is written."""
        daemon = Daemon(BOOMERANG_ALLOWED_HOSTS=self.patterns, BOOMERANG_RETRY_WAIT="0")
        answer = daemon.ask(get("/retry", {**FIELDS, "FallbackUrl": FIELDS["ErrorUrl"], name: url}))
        assert answer.status == status
        if status == 403:
            assert answer == forbidden(f"the host of {name} is not one of allowed_hosts")

    def test_everywhere(self) -> None:
        """Without the setting a call may be sent anywhere."""
        daemon = Daemon(BOOMERANG_RETRY_WAIT="0")
        fields = {**FIELDS, "ErrorUrl": "http://127.0.0.1/", "FallbackUrl": "http://evil.test/"}
        assert daemon.ask(get("/retry", fields)).status == 200


class TestSignatures:
    wrong = forbidden(
        "the X-Twilio-Signature is missing or wrong. If Twilio sent this, check auth_token, and"
        " that public_url is how Twilio reaches this host"
    )

    def status(
        self,
        *,
        signed: str,
        host: str = "boomerang.example.com",
        public_url: str = "",
        more: tuple[tuple[str, str], ...] = (),
    ) -> int:
        """What a form is answered that was signed for one address and came to another."""
        daemon = Daemon(
            BOOMERANG_RETRY_WAIT="0", BOOMERANG_PUBLIC_URL=public_url, TWILIO_AUTH_TOKEN=TOKEN
        )
        own = signature(f"{signed}/retry", FIELDS, token=TOKEN)
        answer = daemon.ask(post("/retry", FIELDS, [("Host", host), own, *more]))
        assert answer.status == 200 or answer == self.wrong
        return answer.status

    @pytest.mark.parametrize(
        ("signed", "host", "status"),
        [
            (PUBLIC, "boomerang.example.com", 200),
            (PUBLIC, "10.0.0.1:8080", 200),
            (f"{PUBLIC}:443", "elsewhere.example.com", 200),
            ("http://boomerang.example.com", "boomerang.example.com", 403),
            ("https://10.0.0.1:8080", "10.0.0.1:8080", 403),
        ],
    )
    def test_public_url(self, signed: str, host: str, status: int) -> None:
        """With public_url the signature must be for that, whatever the Host header says."""
        assert self.status(signed=signed, host=host, public_url=PUBLIC) == status

    @pytest.mark.parametrize(
        ("signed", "host", "status"),
        [
            (PUBLIC, "boomerang.example.com", 200),
            ("http://boomerang.example.com", "boomerang.example.com", 200),
            (f"{PUBLIC}:443", "boomerang.example.com", 200),
            ("http://boomerang.example.com:80", "boomerang.example.com", 200),
            (f"{PUBLIC}:8443", "boomerang.example.com:8443", 200),
            (PUBLIC, "boomerang.example.com:8080", 200),
            ("https://[2001:db8::1]:8443", "[2001:db8::1]:8443", 200),
            (PUBLIC, "elsewhere.example.com", 403),
            (f"{PUBLIC}:8443", "boomerang.example.com", 403),
            (PUBLIC, "", 403),
            (PUBLIC, "\udcff", 403),
        ],
    )
    def test_host_header(self, signed: str, host: str, status: int) -> None:
        """Without public_url it must be for the Host header, with TLS before it or not."""
        assert self.status(signed=signed, host=host) == status

    @pytest.mark.parametrize(
        "more",
        [
            (("Host", "boomerang.example.com"),),
            (("X-Forwarded-Host", "boomerang.example.com"),),
            (("X-Forwarded-Proto", "https"), ("X-Forwarded-Host", "boomerang.example.com")),
            (("Forwarded", "host=boomerang.example.com;proto=https"),),
        ],
    )
    def test_other_headers(self, more: tuple[tuple[str, str], ...]) -> None:
        """No other header, and no second Host, can change for whom it must be."""
        assert self.status(signed=PUBLIC, host="elsewhere.example.com", more=more) == 403

    @pytest.mark.parametrize("public_url", ["", PUBLIC])
    @pytest.mark.parametrize(
        ("signed", "login", "status"),
        [
            ("me:secret", "me:secret", 200),
            ("me:p%40ss%2Fword", "me:p@ss/word", 200),
            ("m%C3%BC:%3A", "mü::", 200),
            ("me:", "me:", 200),
            ("", "me:secret", 200),
            ("me:secret", "me:other", 403),
            ("me:secret", None, 403),
        ],
    )
    def test_login(self, signed: str, login: str | None, status: int, public_url: str) -> None:
        """A name and a password in the address may be signed with it, and are sent apart."""
        sent = "" if login is None else f"Basic {b64encode(login.encode()).decode()}"
        more = (("Authorization", sent),) if sent else ()
        address = PUBLIC.replace("://", f"://{signed}@" if signed else "://")
        assert self.status(signed=address, public_url=public_url, more=more) == status

    @pytest.mark.parametrize("given", ["", "Basic", "Basic !", "Basic /w==", "Bearer x", "\udcff"])
    def test_no_login(self, given: str) -> None:
        """What is no name and password does no harm."""
        for signed, status in ((PUBLIC, 200), ("https://elsewhere.example.com", 403)):
            assert self.status(signed=signed, more=(("Authorization", given),)) == status

    @pytest.mark.parametrize(
        "headers",
        [
            [],
            [("X-Twilio-Signature", "")],
            [("X-Twilio-Signature", "bm9uc2Vuc2U=")],
            [("X-Twilio-Signature", "\udcff")],
            [("X-Twilio-Signature", "ü")],
            [signature(f"{PUBLIC}/retry", FIELDS, token="54321")],
            [signature(f"{PUBLIC}/retry", {}, token=TOKEN)],
            [signature(f"{PUBLIC}/retry?a=b", FIELDS, token=TOKEN)],
            [signature(f"{PUBLIC}/retry", FIELDS, token=TOKEN)] * 2,
            [
                signature(f"{PUBLIC}/retry", FIELDS, token=TOKEN),
                ("X-Twilio-Webhooks-Signature-Settings", "key=unknown,algorithm=HMAC_SHA1"),
            ],
        ],
    )
    def test_wrong(self, headers: list[tuple[str, str]]) -> None:
        """A signature that is missing, wrong or given twice is refused, with the reason."""
        daemon = Daemon(BOOMERANG_PUBLIC_URL=PUBLIC, TWILIO_AUTH_TOKEN=TOKEN)
        assert daemon.ask(post("/retry", FIELDS, headers)) == self.wrong

    def test_shared_key(self) -> None:
        """A shared key is enough to demand signatures, and its own are accepted."""
        daemon = Daemon(
            BOOMERANG_PUBLIC_URL=PUBLIC,
            BOOMERANG_TWILIO_SHARED_KEYS=f"KS1={TOKEN}",
            BOOMERANG_RETRY_WAIT="0",
        )
        own = signature(f"{PUBLIC}/retry", FIELDS, token=TOKEN)
        named = ("X-Twilio-Webhooks-Signature-Settings", "key=KS1,algorithm=HMAC_SHA1")
        assert daemon.ask(post("/retry", FIELDS, [own])) == self.wrong
        assert daemon.ask(post("/retry", FIELDS, [own, named])).status == 200

    @pytest.mark.parametrize(
        "headers",
        [
            [],
            [("X-Twilio-Signature", "\udcff")],
            [("Host", "\udcff")],
            [("Host", "")],
            [("Host", "a"), ("Host", "b")],
            [("Host", "http://a b/")],
            [("Authorization", "\udcff"), ("Cookie", "\udcff=\udcff"), ("Odd", "\udcff")],
        ],
    )
    def test_not_asked_for(self, headers: list[tuple[str, str]]) -> None:
        """Without any key the signature is not looked at, and no header stops the answer."""
        daemon = Daemon(BOOMERANG_RETRY_WAIT="0")
        assert daemon.ask(post("/retry", FIELDS, headers)).status == 200

    def test_metrics(self) -> None:
        """Refusals are counted by status."""
        daemon = Daemon(TWILIO_AUTH_TOKEN=TOKEN)
        for _ in range(3):
            daemon.ask(post("/retry", FIELDS))
        assert daemon.count('boomerang_refused_requests_total{status="403"}') == 3


class TestOwnAddresses:
    @pytest.mark.parametrize(
        ("public_url", "error_url", "kind"),
        [
            (PUBLIC, f"{PUBLIC}/retry", "give-up; attempt=0"),
            (PUBLIC, "http://boomerang.example.com:443/retry?x=1", "give-up; attempt=0"),
            (PUBLIC, "https://BOOMERANG.example.com./health", "give-up; attempt=0"),
            (PUBLIC, "http://boomerang.example.com/retry", "give-up; attempt=0"),
            (f"{PUBLIC}:8443", f"{PUBLIC}:8443/retry", "give-up; attempt=0"),
            (f"{PUBLIC}:8443", f"{PUBLIC}/retry", "retry; attempt=1"),
            (PUBLIC, "https://internal.example.com/retry", "retry; attempt=1"),
            (PUBLIC, f"{PUBLIC}:8443/retry", "retry; attempt=1"),
            (PUBLIC, f"{PUBLIC}/voice", "retry; attempt=1"),
            ("", "https://internal.example.com/retry", "give-up; attempt=0"),
            ("", "http://internal.example.com/metrics", "give-up; attempt=0"),
            ("", "http://internal.example.com:8080/retry", "retry; attempt=1"),
            ("", f"{PUBLIC}/retry", "retry; attempt=1"),
        ],
    )
    def test_circles(self, public_url: str, error_url: str, kind: str) -> None:
        """A failure of boomerang's own is never sent back: known by public_url, else by Host."""
        daemon = Daemon(BOOMERANG_PUBLIC_URL=public_url, BOOMERANG_RETRY_WAIT="0")
        fields = {**FIELDS, "ErrorUrl": error_url}
        answer = daemon.ask(post("/retry", fields, [("Host", "internal.example.com")]))
        assert answer.headers["Boomerang-Decision"] == kind

    @pytest.mark.parametrize("host", ["", "\udcff", "a b", "a:b:c", "[::1", "a:99999"])
    def test_no_address(self, host: str) -> None:
        """A Host header that names no host names no address of ours."""
        daemon = Daemon(BOOMERANG_RETRY_WAIT="0")
        answer = daemon.ask(post("/retry", FIELDS, [("Host", host)]))
        assert answer.headers["Boomerang-Decision"] == "retry; attempt=1"


class TestShares:
    """Which requests are one party's: with four places three are many, and half is a share."""

    def is_shared_out(
        self,
        one: tuple[str, IAddress],
        other: tuple[str, IAddress],
        *,
        more: tuple[tuple[str, str], ...] = (),
        token: str = "",
    ) -> bool:
        """Whether account and address ``one``, with half of the places, give way to the other."""
        daemon = Daemon(
            BOOMERANG_RETRY_MAX_HELD="4", BOOMERANG_PUBLIC_URL=PUBLIC, TWILIO_AUTH_TOKEN=token
        )
        for number, (account, peer) in enumerate([one, one, other, one]):
            fields = {**FIELDS, "AccountSid": account, "CallSid": f"CA{number}"}
            own = [signature(f"{PUBLIC}/retry", fields, token=token)] if token else []
            connection = daemon.connect(peer=peer)
            connection.send(post("/retry", fields, [*own, *more]))
        if not connection.received:
            return False
        assert connection.answer().headers["Boomerang-Decision"] == "retry; attempt=1"
        assert daemon.count('boomerang_unheld_requests_total{reason="share"}') == 1
        return True

    @pytest.mark.parametrize(
        ("one", "other", "shared"),
        [
            ("198.51.100.1", "198.51.100.2", True),
            ("198.51.100.1", "198.51.100.1", False),
            ("2001:db8::1", "2001:db8:0:1::1", True),
            ("2001:db8::1", "2001:db8::ffff:1", False),
            ("::ffff:198.51.100.1", "::ffff:198.51.100.2", True),
        ],
    )
    def test_unsigned(self, one: str, other: str, shared: bool) -> None:
        """Where nobody signs it is the address that counts, not the account that anyone can name.

        Nor does it count what a forwarding header says.
        """
        there = [IPv6Address("TCP", host, 1) for host in (one, other)]
        forged = (("X-Forwarded-For", "203.0.113.9"),)
        assert self.is_shared_out(("AC1", there[0]), ("AC1", there[1]), more=forged) == shared
        assert self.is_shared_out(("AC1", there[0]), ("AC2", there[1])) == shared

    def test_signed(self) -> None:
        """Where requests are signed it is the account, wherever they come from."""
        elsewhere = IPv4Address("TCP", "198.51.100.7", 1)
        assert self.is_shared_out(("AC1", STRANGER), ("AC2", STRANGER), token=TOKEN)
        assert not self.is_shared_out(("AC1", STRANGER), ("AC1", elsewhere), token=TOKEN)

    def test_no_address(self) -> None:
        """Who comes over a socket of this machine's file system is one party."""
        here = UNIXAddress(None)
        assert not self.is_shared_out(("AC1", here), ("AC2", here))
