"""The stand-in for Librato: who is let in, and what troubles may befall a request."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from twisted.internet.defer import Deferred

from boomerang.outbound import Unreachable
from tests.fakes.librato import TOKEN, USER
from tests.fakes.librato_account import Account, result
from tests.fakes.librato_answers import (
    dropped,
    garbage,
    insecure,
    maintenance,
    rate_limited,
    slow,
)


class TestDoor:
    """What any request meets."""

    def test_credentials_of_librato(self, account: Account) -> None:
        """User and token are asked for; GET is refused in JSON, POST in plain text."""
        assert account.ask("GET", "alerts")[0] == 200
        for login in ((USER, "wrong"), (TOKEN, ""), ("token", TOKEN)):
            account.login = login
            said = {"errors": {"request": ["Authorization Required"]}}
            assert account.ask("GET", "alerts") == (401, said)
            assert account.ask("POST", "metrics", {}) == (401, b"HTTP Basic: Access denied.\n")

    def test_credentials_of_appoptics(self, tagged: Account) -> None:
        """There the token is the user, or the password of a user named token."""
        for login, status in (((TOKEN, ""), 200), (("token", TOKEN), 200), ((USER, TOKEN), 401)):
            tagged.login = login
            assert tagged.ask("GET", "alerts")[0] == status

    @pytest.mark.parametrize("scheme", ["Bearer abc", "Basic !!!", "Basic YWJj", ""])
    def test_no_credentials(self, account: Account, scheme: str) -> None:
        """What is not Basic authentication counts as none."""
        request = account.bench.outbound.request(
            "GET",
            "https://metrics-api.librato.com/v1/alerts",
            headers={"Authorization": scheme},
            timeout=10,
            body_cap=1000,
        )
        assert result(Deferred.fromCoroutine(request)).status == 401

    @pytest.mark.parametrize(
        ("body", "type", "status"),
        [
            (b"{}", "application/json; charset=UTF-8", 415),
            (b"{}", "text/plain", 415),
            (b"{", "application/json", 400),
            (b"[]", "application/json", 400),
            (b"\xff", "application/json", 400),
            (b'{"gauges": [{"name": "a", "value": NaN}]}', "application/json", 400),
        ],
    )
    def test_not_json(self, account: Account, body: bytes, type: str, status: int) -> None:
        """Only JSON is read, and only what is called so without a charset."""
        answer = result(account.raw("POST", "metrics", body, {"Content-Type": type}))
        assert answer.status == status
        assert "errors" in json.loads(answer.body)

    def test_noted(self, account: Account) -> None:
        """All requests are kept, with their headers as they were sent."""
        account.ask("POST", "metrics?x=1", {"gauges": []})
        (asked,) = account.librato.asked
        assert (asked.method, asked.path, asked.query) == ("POST", "/v1/metrics?x=1", {"x": "1"})
        assert asked.document == {"gauges": []}
        assert asked.header("content-type") == "application/json"

    def test_limits_told(self, account: Account) -> None:
        """Each answer says what is left of the limit."""
        answer = result(account.raw("GET", "alerts"))
        assert "remaining=" in answer.headers["x-librato-ratelimit-agg"]

    @pytest.mark.parametrize("path", ["nothing", "a%2Fb", "alerts/7", "services/7", "metrics/x"])
    def test_unknown(self, account: Account, path: str) -> None:
        """What is not there is 404."""
        assert account.ask("GET", path)[0] == 404
        assert account.librato.asked[-1].path == f"/v1/{path}"


class TestTroubles:
    """The switches."""

    @pytest.mark.parametrize(
        ("trouble", "status", "said"),
        [
            (rate_limited(), 429, "error"),
            (rate_limited(403), 403, "error"),
            (insecure(), 403, "errors"),
            (maintenance(), 503, "errors"),
        ],
    )
    def test_status(self, account: Account, trouble: Any, status: int, said: str) -> None:
        """A rate limit has its error in the singular, all others in the plural."""
        account.librato.trouble = trouble
        answer = result(account.raw("GET", "alerts"))
        assert answer.status == status
        assert said in json.loads(answer.body)

    @pytest.mark.parametrize("make", [rate_limited, maintenance])
    def test_retry_after(self, account: Account, make: Callable[..., Any]) -> None:
        """How long to wait is said if the test wants so."""
        account.librato.trouble = make(retry_after="30")
        assert result(account.raw("GET", "alerts")).headers["retry-after"] == "30"

    def test_garbage(self, account: Account) -> None:
        """A body may be anything."""
        account.librato.trouble = garbage(body=b"\xff{")
        answer = result(account.raw("GET", "alerts"))
        assert (answer.status, answer.body) == (200, b"\xff{")

    def test_dropped(self, account: Account) -> None:
        """A connection may be lost without an answer."""
        account.librato.trouble = dropped()
        with pytest.raises(Unreachable):
            result(account.raw("GET", "alerts"))

    def test_slow(self, account: Account) -> None:
        """A slow request is answered when the test says so, and does what it does then."""
        account.librato.trouble = slow()
        answer = account.raw("POST", "metrics", b'{"gauges": [{"name": "a", "value": 1}]}')
        assert not answer.called
        assert account.librato.samples == []
        account.bench.release()
        assert result(answer).status == 200
        assert account.librato.values("a") == [1]

    def test_next_ones(self, account: Account) -> None:
        """Troubles may befall some requests only."""
        account.librato.troubles.extend([maintenance(), rate_limited()])
        assert [account.ask("GET", "alerts")[0] for _ in range(3)] == [503, 429, 200]
