"""The client of Librato's API."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any

import pytest
from attrs import evolve
from twisted.internet.defer import Deferred

from boomerang import __version__
from boomerang.monitor.librato.api import LARGEST_ANSWER, MOST_PAGES, TIMEOUT, LibratoApi
from boomerang.monitor.librato.errors import Refused, TryLater
from boomerang.settings.reports import LibratoSettings
from tests.fakes.librato import TOKEN, USER
from tests.fakes.librato_answers import (
    Trouble,
    dropped,
    garbage,
    insecure,
    maintenance,
    rate_limited,
    slow,
)
from tests.fakes.librato_bench import SOURCE, TAGS, LibratoBench
from tests.monitor.librato.driving import run

GAUGE = {"gauges": [{"name": "a", "value": 1}], "counters": []}
ENCODED = b64encode(f"{USER}:{TOKEN}".encode()).decode()


@pytest.fixture
def bench() -> LibratoBench:
    return LibratoBench()


def alerts(numbers: range, **query: int) -> Trouble:
    """A page of alerts that the test makes up."""
    page = [{"id": number, "name": f"a{number}"} for number in numbers]
    return garbage(body=json.dumps({"query": query, "alerts": page}).encode())


class TestRequests:
    """What is sent."""

    def test_post(self, bench: LibratoBench) -> None:
        """A document goes as JSON, called so without a charset, with login and User-Agent."""
        assert run(bench.api.post("metrics", GAUGE)) is None
        (asked,) = bench.librato.asked
        assert (asked.method, asked.path) == ("POST", "/v1/metrics")
        assert json.loads(asked.body) == GAUGE
        assert [value for name, value in asked.headers if name == "Content-Type"] == [
            "application/json"
        ]
        assert asked.header("Authorization") == f"Basic {ENCODED}"
        assert asked.header("User-Agent") == f"boomerang/{__version__}"
        assert asked.header("Content-Length") == str(len(asked.body))

    @pytest.mark.parametrize("method", ["get", "delete"])
    def test_without_a_body(self, bench: LibratoBench, method: str) -> None:
        """What has no body has no type either."""
        run(bench.api.post("spaces", {"name": "a"}))
        (number,) = bench.librato.spaces
        run(getattr(bench.api, method)(f"spaces/{number}"))
        asked = bench.librato.asked[-1]
        assert (asked.method, asked.body) == (method.upper(), b"")
        assert asked.header("Content-Type") is None

    def test_query(self, bench: LibratoBench) -> None:
        """A query is encoded."""
        run(bench.api.get("alerts", {"name": "a b&c", "length": 5}))
        assert bench.librato.asked[0].path == "/v1/alerts?name=a+b%26c&length=5"

    def test_put(self, bench: LibratoBench) -> None:
        """The answer to a PUT may be empty, or what was changed."""
        space = run(bench.api.post("spaces", {"name": "a"}))
        assert run(bench.api.put(f"spaces/{space['id']}", {"name": "b"})) is None
        chart = run(bench.api.post(f"spaces/{space['id']}/charts", {"name": "c"}))
        path = f"spaces/{space['id']}/charts/{chart['id']}"
        assert run(bench.api.put(path, {"name": "d"}))["name"] == "d"

    def test_not_finite(self, bench: LibratoBench) -> None:
        """What JSON cannot say is never sent."""
        with pytest.raises(ValueError, match="JSON"):
            run(bench.api.post("metrics", {"value": float("nan")}))
        assert bench.librato.asked == []


class TestCredentials:
    """From the settings to a client."""

    def test_none(self, bench: LibratoBench) -> None:
        """Without a token there is no client."""
        assert LibratoApi.of(LibratoSettings(), bench.outbound) is None

    def test_appoptics(self) -> None:
        """AppOptics has no users: the token is the name, the password is empty."""
        bench = LibratoBench(TAGS)
        run(bench.api.get("alerts"))
        (asked,) = bench.librato.asked
        assert asked.credentials == (TOKEN, "")

    def test_tags_with_a_user(self) -> None:
        """With a user, tags are sent with the user's login."""
        bench = LibratoBench()
        bench.librato.kind = "hybrid"
        settings = evolve(SOURCE, dialect="tags")
        run(bench.api_of(settings).get("alerts"))
        assert bench.librato.asked[0].credentials == (USER, TOKEN)

    @pytest.mark.parametrize("url", ["https://a.example.com/v1", "https://a.example.com/v1/"])
    def test_url(self, bench: LibratoBench, url: str) -> None:
        """The base may end in a slash."""
        run(bench.api_of(evolve(SOURCE, url=url)).get("alerts"))
        (asked,) = bench.librato.asked
        assert (asked.path, asked.header("Host")) == ("/v1/alerts", "a.example.com")

    def test_hidden(self, bench: LibratoBench) -> None:
        """The token is not shown with the client."""
        assert TOKEN not in repr(bench.api)

    @pytest.mark.parametrize("settings", [SOURCE, TAGS])
    @pytest.mark.parametrize("status", [200, 400, 503])
    def test_echoed(self, settings: LibratoSettings, status: int) -> None:
        """An answer that repeats our login does not bring it into a message."""
        bench = LibratoBench(settings)
        login = b64encode(f"{bench.api.user}:{bench.api.token}".encode())
        body = b"denied: %s, %s, Basic %s" % (TOKEN.encode(), USER.encode(), login)
        bench.librato.trouble = garbage(status, body)
        with pytest.raises((Refused, TryLater)) as caught:
            run(bench.api.get("alerts"))
        assert TOKEN not in str(caught.value)
        assert login.decode() not in str(caught.value)

    def test_wrong(self, bench: LibratoBench) -> None:
        """A wrong token is refused for good."""
        api = bench.api_of(evolve(SOURCE, token="hunter2"))
        with pytest.raises(Refused, match="401: HTTP Basic: Access denied") as caught:
            run(api.post("metrics", GAUGE))
        assert caught.value.status == 401


class TestTroubles:
    """What may go wrong, by type."""

    @pytest.mark.parametrize(
        ("trouble", "reason", "after"),
        [
            (rate_limited(), "429: You have hit the API limit", None),
            (rate_limited(retry_after="30"), "429: ", 30.0),
            (rate_limited(403), "403: You have hit the API limit", None),
            (maintenance(), "503: system: The API is in maintenance", None),
            (maintenance(retry_after="120"), "503: ", 120.0),
            (dropped(), "metrics-api.librato.com: closed the connection", None),
            (garbage(), "200: an answer that is not JSON", None),
            (garbage(body=b"[" * 100_000), "200: an answer that is not JSON", None),
            (garbage(502), "502: an HTML page", None),
        ],
    )
    def test_later(
        self, bench: LibratoBench, trouble: Trouble, reason: str, after: float | None
    ) -> None:
        """These may pass, and say when if they know."""
        bench.librato.trouble = trouble
        with pytest.raises(TryLater) as caught:
            run(bench.api.get("alerts"))
        assert str(caught.value).startswith(reason)
        assert caught.value.after == after

    @pytest.mark.parametrize(
        ("trouble", "status"), [(insecure(), 403), (garbage(404), 404), (garbage(301), 301)]
    )
    def test_refused(self, bench: LibratoBench, trouble: Trouble, status: int) -> None:
        """These do not."""
        bench.librato.trouble = trouble
        with pytest.raises(Refused) as caught:
            run(bench.api.get("alerts"))
        assert caught.value.status == status

    def test_slow(self, bench: LibratoBench) -> None:
        """An answer that does not come in time is none."""
        bench.librato.trouble = slow()
        asking = Deferred.fromCoroutine(bench.api.get("alerts"))
        bench.pass_seconds(TIMEOUT - 0.5)
        assert not asking.called
        bench.pass_seconds(0.5)
        failures: list[Any] = []
        asking.addErrback(failures.append)
        assert failures[0].check(TryLater)
        assert "no answer within 10 s" in failures[0].getErrorMessage()

    def test_endless_body(self, bench: LibratoBench) -> None:
        """Of an answer without an end only so much is read."""
        bench.librato.trouble = garbage(body=b" " * (LARGEST_ANSWER + 1))
        with pytest.raises(TryLater, match="more than"):
            run(bench.api.get("alerts"))

    def test_closed(self, bench: LibratoBench) -> None:
        """When the process ends, it may be tried again (by the next one)."""
        bench.outbound.close()
        with pytest.raises(TryLater):
            run(bench.api.get("alerts"))


class TestPages:
    """Lists of any length."""

    @pytest.mark.parametrize("count", [0, 1, 100, 101, 250])
    def test_all(self, bench: LibratoBench, count: int) -> None:
        """All entries are found, once and in order, with as few requests as it takes."""
        for number in range(count):
            bench.librato.spaces[number] = {"id": number, "name": f"a{number:03}"}
        found = run(bench.api.pages("spaces", "spaces"))
        assert [entry["id"] for entry in found] == list(range(count))
        assert len(bench.librato.asked) == max(1, -(-count // 100))

    def test_query(self, bench: LibratoBench) -> None:
        """A search is made on every page, though the total is that of all entries."""
        for number in range(150):
            bench.librato.spaces[number] = {"id": number, "name": f"a{number:03}"}
        found = run(bench.api.pages("spaces", "spaces", {"name": "A04"}))
        assert [entry["name"] for entry in found] == [f"a{number:03}" for number in range(40, 50)]
        assert all("name=A04" in asked.path for asked in bench.librato.asked)

    def test_moved(self, bench: LibratoBench) -> None:
        """An entry that has moved to the next page is there once."""
        bench.librato.troubles.extend(
            [alerts(range(100), total=101), alerts(range(99, 101), total=101)]
        )
        found = run(bench.api.pages("alerts", "alerts"))
        assert [entry["id"] for entry in found] == list(range(101))

    def test_no_total(self, bench: LibratoBench) -> None:
        """Where nobody says how many there are, a page that is not full is the last."""
        bench.librato.troubles.extend([alerts(range(100)), alerts(range(100, 130))])
        assert len(run(bench.api.pages("alerts", "alerts"))) == 130

    def test_too_large_a_total(self, bench: LibratoBench) -> None:
        """An empty page is the last, whatever the total says."""
        bench.librato.troubles.extend([alerts(range(3), total=9), alerts(range(0), total=9)])
        assert len(run(bench.api.pages("alerts", "alerts"))) == 3

    def test_again_and_again(self, bench: LibratoBench) -> None:
        """A server that gives the same page for ever is not asked for ever."""
        bench.librato.trouble = alerts(range(100), total=1000)
        with pytest.raises(Refused, match="the pages of alerts do not end"):
            run(bench.api.pages("alerts", "alerts"))
        assert len(bench.librato.asked) == 2

    def test_without_end(self, bench: LibratoBench) -> None:
        """Nor is one that always has more."""
        pages = (alerts(range(each, each + 1), total=10**9) for each in range(MOST_PAGES + 1))
        bench.librato.troubles.extend(pages)
        with pytest.raises(Refused, match="do not end"):
            run(bench.api.pages("alerts", "alerts"))
        assert len(bench.librato.asked) == MOST_PAGES

    @pytest.mark.parametrize(
        "body", [b"[]", b"{}", b'{"alerts": {}}', b'{"alerts": [1]}', b"7", b"", b"null"]
    )
    def test_no_list(self, bench: LibratoBench, body: bytes) -> None:
        """An answer without the list is not taken for an empty one."""
        bench.librato.trouble = garbage(body=body)
        with pytest.raises(TryLater, match="an answer without alerts"):
            run(bench.api.pages("alerts", "alerts"))
