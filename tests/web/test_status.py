"""The routes of the status page, in the whole daemon."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Mapping
from gzip import decompress
from html.parser import HTMLParser
from typing import Any

import pytest
from twisted.internet.error import ConnectionDone

from boomerang.status.live import MOST_VIEWERS
from boomerang.status.page import PARTS
from boomerang.web.limits import MOST_BEHIND
from boomerang.web.request import GuardedRequest
from tests.web.driving import FIELDS, NEIGHBOUR, STRANGER, Answer, Connection, Daemon, post, request

MARKUP = "<script>alert(1)</script>"
NO_HEADERS: Mapping[str, str] = {}
GZIP = {"Accept-Encoding": "gzip, deflate, br, zstd"}


class Elements(HTMLParser):
    """The elements of a page, how they nest, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.addresses: set[str] = set()
        self.ids: list[str] = []
        self.styled: list[str] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        given = dict(attrs)
        self.addresses |= {given[name] or "" for name in ("src", "href") if name in given}
        if given.get("id"):
            self.ids.append(given["id"] or "")
        self.styled += [name for name in given if name == "style" or name.startswith("on")]

    def handle_data(self, data: str) -> None:
        self.text += data


def ask(daemon: Daemon, path: str, headers: Mapping[str, str] = NO_HEADERS) -> Answer:
    return daemon.ask(request("GET", path, headers), peer=NEIGHBOUR)


def data(daemon: Daemon) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(ask(daemon, "/status.json").text)
    return found


def events(connection: Connection) -> list[dict[str, Any]]:
    body = connection.received.partition(b"\r\n\r\n")[2].decode()
    return [json.loads(each.removeprefix("data: ")) for each in body.split("\n\n") if each]


def streams(daemon: Daemon) -> list[GuardedRequest]:
    """The viewers that are being kept up to date."""
    requests = [channel.request for channel in daemon.site.channels]
    return [each for each in requests if each is not None and each.streaming]


def fail(daemon: Daemon, **fields: str) -> Connection:
    connection = daemon.connect()
    connection.send(post("/retry", {**FIELDS, **fields}))
    return connection


class TestPage:
    def test_page(self) -> None:
        """The page is whole without any script, and each of its live parts is there."""
        page = ask(Daemon(), "/status")
        assert page.headers["Content-Type"] == "text/html; charset=utf-8"
        found = Elements(page.text)
        assert "All is well." in found.text
        assert set(PARTS) <= set(found.ids)
        assert len(found.ids) == len(set(found.ids))

    def test_nothing_from_outside(self) -> None:
        """All that the page loads is served here, and its policy allows nothing else."""
        daemon = Daemon()
        page = ask(daemon, "/status")
        policy = page.headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'")
        assert "unsafe" not in policy
        found = Elements(page.text)
        assert found.styled == []
        for address in found.addresses:
            assert address.startswith(("/status", "#", "/health", "/metrics"))
        for address in (each for each in found.addresses if "/assets/" in each):
            assert ask(daemon, address).status == 200

    @pytest.mark.parametrize("name", ["nothing.css", "..%2Fpage.py", "page.html"])
    def test_other_files(self, name: str) -> None:
        """No other file is served."""
        assert ask(Daemon(), f"/status/assets/{name}").status == 404

    @pytest.mark.parametrize("field", ["CallSid", "AccountSid"])
    def test_markup(self, field: str) -> None:
        """What comes from outside is shown as text, whatever it is."""
        daemon = Daemon(BOOMERANG_RETRY_WAIT="0")
        url = f"https://app.example.com/{MARKUP}?x={MARKUP}"
        fail(daemon, **{field: MARKUP, "ErrorUrl": url}, From=MARKUP)
        plain = Elements(ask(Daemon(), "/status").text)
        page = ask(daemon, "/status").text
        found = Elements(page)
        assert found.tags.count("script") == plain.tags.count("script") == 1
        assert "<script>alert" not in page
        assert f"app.example.com/{MARKUP}" in found.text
        parts = json.loads(ask(daemon, "/status/parts").text)["parts"]
        assert "<script>" not in "".join(parts.values())

    def test_no_numbers(self) -> None:
        """No phone number and no whole SID is shown."""
        daemon = Daemon(BOOMERANG_RETRY_WAIT="0")
        sid = "CA0123456789abcdef0123456789abcdef"
        fail(daemon, CallSid=sid, ErrorUrl="https://app.example.com/+15005550001/voice")
        for path in ("/status", "/status.json"):
            text = ask(daemon, path).text
            assert re.search("CA01(…|\\\\u2026)cdef", text)
            assert sid not in text
            assert "5005550" not in text


class TestCompression:
    @pytest.mark.parametrize("path", ["/status", "/status/parts", "/status/assets/style.css"])
    def test_gzip(self, path: str) -> None:
        """Who takes gzip is sent the same in fewer bytes, and caches are told of it."""
        daemon = Daemon()
        plain, small = ask(daemon, path), ask(daemon, path, GZIP)
        assert plain.headers == {
            **plain.headers,
            "Vary": "Accept-Encoding",
            "Content-Length": str(len(plain.body)),
        }
        assert small.headers == {
            **plain.headers,
            "Content-Encoding": "gzip",
            "Content-Length": str(len(small.body)),
        }
        assert decompress(small.body) == plain.body
        assert len(small.body) < len(plain.body) / 2

    def test_data(self) -> None:
        """The data of the page can be had compressed, too."""
        daemon = Daemon()
        answer = ask(daemon, "/status.json", GZIP)
        assert json.loads(decompress(answer.body)) == data(daemon)

    def test_head(self) -> None:
        """HEAD tells of the length that GET would send."""
        daemon = Daemon()
        connection = daemon.connect(peer=NEIGHBOUR)
        connection.send(request("HEAD", "/status/assets/style.css", GZIP))
        head = connection.received.decode()
        asset = ask(daemon, "/status/assets/style.css", GZIP)
        assert f"Content-Length: {len(asset.body)}\r\n" in head
        assert head.endswith("\r\n\r\n")

    @pytest.mark.parametrize("path", ["/status/assets/good.svg", "/status/nothing"])
    def test_small(self, path: str) -> None:
        """What fits into one packet anyway is sent as it is to everybody."""
        daemon = Daemon()
        assert ask(daemon, path, GZIP) == ask(daemon, path)

    def test_stream(self) -> None:
        """Events are never compressed: they are to come when they happen."""
        viewer = Daemon().connect(peer=NEIGHBOUR)
        viewer.send(request("GET", "/status/live", GZIP))
        assert b"Content-Encoding" not in viewer.received
        (event,) = events(viewer)
        assert set(event["parts"]) == set(PARTS)


class TestData:
    def test_held(self) -> None:
        """A request that is held is seen, and how long it is still held."""
        daemon = Daemon()
        fail(daemon)
        daemon.wait(2.5)
        now = data(daemon)
        assert now["held"]["count"] == 1
        assert now["held"]["left"][5] == 1
        assert now["headline"]["level"] == "warn"
        daemon.wait(6)
        now = data(daemon)
        assert (now["held"]["count"], now["held"]["followed"]) == (0, 1)
        assert [each["decision"] for each in now["decisions"]] == ["retry"]

    def test_saved(self) -> None:
        """A second chance that did not fail again is counted as saved, half a minute later."""
        daemon = Daemon()
        fail(daemon)
        daemon.wait(8 + 32)
        now = data(daemon)
        assert now["total"] == {"saved": 1, "apologised": 0, "lost": 0}
        (decision,) = now["decisions"]
        assert (decision["outcome"], decision["held"]) == ("saved", 8.0)

    def test_lost(self) -> None:
        """A call that is given up is the first thing that one sees."""
        daemon = Daemon(BOOMERANG_RETRY_WAIT="0")
        for _ in range(2):
            fail(daemon)
        now = data(daemon)
        assert now["headline"]["sentence"] == "Callers are being lost: 1 in the last 5 minutes"
        assert now["headline"]["level"] == "bad"
        (endpoint,) = now["endpoints"]
        assert [each["decision"] for each in endpoint["failures"]] == ["give-up", "retry"]
        assert [each["outcome"] for each in endpoint["failures"]] == ["", "lost"]

    def test_hung_up(self) -> None:
        """A caller who hung up while being held is lost."""
        daemon = Daemon()
        fail(daemon).hang_up()
        assert data(daemon)["total"]["lost"] == 1

    def test_checks(self) -> None:
        """The host itself is checked where it has a public address, and shown."""
        daemon = Daemon(BOOMERANG_PUBLIC_URL="https://boomerang.example.com")
        (check,) = data(daemon)["checks"]
        assert (check["name"], check["state"], check["level"]) == ("boomerang", "unknown", 0)


class TestLive:
    def test_changes(self) -> None:
        """Viewers are sent all parts, and then what changes, each second."""
        daemon = Daemon()
        viewer = daemon.connect(peer=NEIGHBOUR)
        viewer.send(request("GET", "/status/live"))
        head = viewer.received.partition(b"\r\n\r\n")[0].decode().splitlines()
        assert head[0] == "HTTP/1.1 200 OK"
        assert {
            "Content-Type: text/event-stream",
            "Cache-Control: no-cache",
            "X-Accel-Buffering: no",
        } <= set(head)
        assert not any(line.startswith("Content-Length") for line in head)
        fail(daemon)
        daemon.wait(1)
        first, second = events(viewer)
        assert set(first["parts"]) == set(PARTS)
        assert {"headline", "held"} <= set(second["parts"]) < set(PARTS)
        assert "endpoints" not in second["parts"]

    def test_leaves(self) -> None:
        """Once the last viewer is gone, nothing is rendered any more."""
        daemon = Daemon()
        before = len(daemon.reactor.getDelayedCalls())
        viewer = daemon.connect(peer=NEIGHBOUR)
        viewer.send(request("GET", "/status/live"))
        viewer.hang_up()
        daemon.wait(1)
        assert len(daemon.reactor.getDelayedCalls()) == before
        assert streams(daemon) == []

    def test_shutting_down(self) -> None:
        """Viewers do not keep the process from stopping: their streams end first."""
        daemon = Daemon()
        viewer = daemon.connect(peer=NEIGHBOUR)
        viewer.send(request("GET", "/status/live"))
        stopping = daemon.host.stopService()
        daemon.wait(1)
        assert viewer.closed_by is ConnectionDone
        assert stopping.called

    def test_too_many(self) -> None:
        """Beyond a number of viewers the page asks now and then, instead of listening."""
        daemon = Daemon()
        for _ in range(MOST_VIEWERS):
            daemon.connect(peer=NEIGHBOUR).send(request("GET", "/status/live"))
        assert ask(daemon, "/status/live").status == 503
        assert ask(daemon, "/status/parts").status == 200

    def test_who_does_not_read(self) -> None:
        """A viewer that reads nothing is let go of, before it takes much memory."""
        daemon = Daemon()
        viewer = daemon.connect(peer=NEIGHBOUR)
        viewer.send(request("GET", "/status/live"))
        viewer.channel.pauseProducing()
        (stream,) = streams(daemon)
        stream.send(b"x" * MOST_BEHIND)
        assert not viewer.closed
        stream.send(b"x")
        daemon.wait(1)
        assert viewer.closed
        assert streams(daemon) == []

    def test_not_under_way(self) -> None:
        """A viewer is no request that anybody waits for."""
        daemon = Daemon()
        daemon.connect(peer=NEIGHBOUR).send(request("GET", "/status/live"))
        assert (daemon.site.under_way, len(streams(daemon))) == (0, 1)


class TestAccess:
    paths = (
        "/status",
        "/status.json",
        "/status/parts",
        "/status/live",
        "/status/assets/style.css",
    )

    @pytest.mark.parametrize("path", paths)
    def test_strangers(self, path: str) -> None:
        """Without a login only who sits at this machine sees it."""
        daemon = Daemon()
        assert daemon.ask(request("GET", path), peer=STRANGER).status == 403
        viewer = daemon.connect(peer=NEIGHBOUR)
        viewer.send(request("GET", path))
        assert viewer.received.startswith(b"HTTP/1.1 200 ")

    @pytest.mark.parametrize("path", paths)
    def test_login(self, path: str) -> None:
        """With a login whoever knows it does, and nobody else."""
        daemon = Daemon(BOOMERANG_STATUS_USER="ops", BOOMERANG_STATUS_PASSWORD="secret")
        assert daemon.ask(request("GET", path), peer=NEIGHBOUR).status == 401
        known = {"Authorization": f"Basic {b64encode(b'ops:secret').decode()}"}
        viewer = daemon.connect()
        viewer.send(request("GET", path, known))
        assert viewer.received.startswith(b"HTTP/1.1 200 ")

    def test_own_path(self) -> None:
        """A call that failed at the page's own address is not sent there again."""
        daemon = Daemon(BOOMERANG_PUBLIC_URL="https://b.example.com")
        connection = fail(daemon, ErrorUrl="https://b.example.com/status/live")
        assert connection.answer().headers["Boomerang-Decision"] == "give-up; attempt=0"
