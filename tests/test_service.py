"""From the command line to the services that twistd runs."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any, cast

import pytest
from twisted.application.service import Application, IService
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import (
    ILogObserver,
    LogEvent,
    LogLevel,
    capturedLogs,
    formatEvent,
)
from twisted.scripts.twistd import ServerOptions  # type: ignore[attr-defined]

from boomerang import __version__
from boomerang.door import Door
from boomerang.host import Host
from boomerang.listening import Listening
from boomerang.monitor.service import Monitor
from boomerang.relay.making import Relay
from boomerang.retry.making import Knowledge
from boomerang.service import Options, build, makeService
from boomerang.settings import Settings
from boomerang.status.board import Board
from boomerang.systemd import SystemdService
from tests.web.driving import FIELDS, Daemon, post, request

SORRY = "/retry?FallbackUrl=https://static.example.com/sorry.xml"


class Alone(Options):
    """Options that see nothing of the environment in which the tests run."""

    environment: Mapping[str, str] = {}


def settings_of(*arguments: str) -> Settings:
    options = Alone()
    options.parseOptions(["--store", "memory:", *arguments])
    return cast(Settings, options["settings"])


def started(*arguments: str) -> tuple[Host, MemoryReactorClock, list[LogEvent]]:
    """A daemon on a memory reactor, and what it said when it started."""
    reactor = MemoryReactorClock()
    host = build(settings_of(*arguments), reactor, observer=None)
    with capturedLogs() as events:
        host.privilegedStartService()
        host.startService()
    return host, reactor, [e for e in events if e["log_namespace"] == "boomerang.host.Host"]


class TestTree:
    def test_services(self) -> None:
        """The daemon listens, tells systemd, watches, learns and shows; nothing runs yet."""
        host = build(settings_of(), MemoryReactorClock(), observer=None)
        assert [type(service) for service in host] == [
            Listening,
            SystemdService,
            Monitor,
            Knowledge,
            Relay,
            Board,
        ]
        assert not host.running

    def test_default_socket(self) -> None:
        """It listens where Heroku and others expect it, with room for a burst."""
        _, reactor, _ = started()
        ((port, _, backlog, interface),) = reactor.tcpServers
        assert (port, backlog, interface) == (8080, 4096, "")

    def test_several_sockets(self) -> None:
        """It listens on each endpoint that it is told, with one site for all of them."""
        listen = ["--listen", "tcp:81:interface=127.0.0.1:backlog=5", "--listen", "tcp6:82"]
        _, reactor, _ = started(*listen, "--listen", "unix:/run/boomerang.sock")
        assert [(port, backlog, at) for port, _, backlog, at in reactor.tcpServers] == [
            (81, 5, "127.0.0.1"),
            (82, 4096, "::"),
        ]
        assert [server[0] for server in reactor.unixServers] == ["/run/boomerang.sock"]
        sites = {id(server[1]) for server in (*reactor.tcpServers, *reactor.unixServers)}
        assert len(sites) == 1

    def test_who_comes_meanwhile(self) -> None:
        """Before anything is read its door looks who waits."""
        _, reactor, _ = started()
        site: Any = reactor.tcpServers[0][1]
        assert site.before_reading.__func__ is Door.glance

    def test_routes(self) -> None:
        """Each of its routes is there."""
        daemon = Daemon()
        statuses = {
            path: daemon.ask(request("GET", path)).status
            for path in ("/retry", "/health", "/metrics", "/", "/other")
        }
        assert statuses == {"/retry": 400, "/health": 200, "/metrics": 403, "/": 302, "/other": 404}


class TestSettings:
    @pytest.mark.parametrize(
        ("environment", "decisions"),
        [
            ({}, ["retry; attempt=1", "fallback; attempt=2", "fallback; attempt=3"]),
            (
                {"BOOMERANG_RETRY_ATTEMPTS": "2"},
                ["retry; attempt=1", "retry; attempt=2", "fallback; attempt=3"],
            ),
            ({"BOOMERANG_RETRY_ATTEMPTS": "0"}, [f"fallback; attempt={n}" for n in (1, 2, 3)]),
            ({"BOOMERANG_RETRY_WINDOW": "1"}, ["retry; attempt=1"] * 3),
            (
                {"BOOMERANG_RETRY_ROUNDS": "1"},
                ["retry; attempt=1", "fallback; attempt=2", "give-up; attempt=3"],
            ),
        ],
    )
    def test_rules(self, environment: dict[str, str], decisions: list[str]) -> None:
        """The rules of [retry] reach the decisions."""
        daemon = Daemon(BOOMERANG_RETRY_WAIT="0", **environment)
        made = []
        for _ in decisions:
            made.append(daemon.ask(post(SORRY, FIELDS)).headers["Boomerang-Decision"])
            daemon.wait(2)
        assert made == decisions

    @pytest.mark.parametrize("wait", [0.25, 3.0, 14.0])
    def test_wait(self, wait: float) -> None:
        """The wait is what the settings say."""
        daemon = Daemon(BOOMERANG_RETRY_WAIT=str(wait))
        connection = daemon.connect()
        connection.send(post("/retry", FIELDS))
        daemon.wait(wait - 0.25)
        assert connection.received == b""
        daemon.wait(0.25)
        assert connection.answer().status == 200

    def test_wrong(self) -> None:
        """Wrong settings stop it before anything is built."""
        with pytest.raises(SystemExit, match="expected seconds from 0 to 14"):
            settings_of("--retry-wait", "15")


class TestWhatIsSaid:
    serving_anyone = (
        LogLevel.warn,
        "serving anyone: neither an auth token nor allowed_hosts is set, so requests that Twilio"
        " did not sign are answered too",
    )
    host_header = (
        LogLevel.info,
        "public_url is not set: signatures are checked against the Host header",
    )

    @pytest.mark.parametrize(
        ("environment", "said"),
        [
            ({}, [serving_anyone]),
            ({"BOOMERANG_PUBLIC_URL": "https://a.example.com"}, [serving_anyone]),
            ({"BOOMERANG_ALLOWED_HOSTS": "*.example.com"}, []),
            ({"TWILIO_AUTH_TOKEN": "12345"}, [host_header]),
            ({"BOOMERANG_TWILIO_SHARED_KEYS": "KS=12345"}, [host_header]),
            (
                {"TWILIO_AUTH_TOKEN": "12345", "BOOMERANG_ALLOWED_HOSTS": "a.example.com"},
                [host_header],
            ),
            (
                {"TWILIO_AUTH_TOKEN": "12345", "BOOMERANG_PUBLIC_URL": "https://a.example.com"},
                [],
            ),
        ],
    )
    def test_whom_it_serves(self, environment: dict[str, str], said: list[tuple[Any, str]]) -> None:
        """What the settings leave open is said once, at the start; and never a secret."""
        with capturedLogs() as events:
            daemon = Daemon(**environment)
            daemon.ask(request("GET", "/health"))
        lines = [
            (event["log_level"], formatEvent(event))
            for event in events
            if event["log_namespace"] == "boomerang.host.Host"
        ]
        first = f"boomerang {__version__} environment=production store=memory:"
        assert lines == [(LogLevel.info, first), *said]
        assert not [event for event in events if "12345" in formatEvent(event)]

    def test_where_it_stands(self) -> None:
        """The first line names version, environment and store, without the store's password."""
        _, _, events = started(
            "--environment", "blue", "--store", "redis://user:secret@store.example.com/3"
        )
        line = f"boomerang {__version__} environment=blue store=redis://store.example.com:6379/3"
        assert formatEvent(events[0]) == line


def event(text: str) -> LogEvent:
    return {
        "log_format": "{text}",
        "text": text,
        "log_level": LogLevel.info,
        "log_namespace": "test",
        "log_time": 0.0,
    }


class Twistd(ServerOptions):
    """twistd's command line, up to the service that it would run."""

    def __init__(self, *arguments: str) -> None:
        super().__init__()
        self.parseOptions(["-n", *arguments])

    @property
    def service(self) -> IService:
        name = cast(str, self.subCommand)
        return cast(IService, self.loadedPlugins[name].makeService(self.subOptions))

    def observer(self) -> ILogObserver | None:
        """What the application would write its log with."""
        application = Application("boomerang")
        self.service.setServiceParent(application)
        return cast("ILogObserver | None", application.getComponent(ILogObserver))


@contextmanager
def standard_output() -> Iterator[io.BytesIO]:
    """What is written to standard output, which is a terminal that knows ASCII only."""
    written = io.BytesIO()
    with redirect_stdout(io.TextIOWrapper(written, encoding="ascii", write_through=True)):
        yield written


class TestLog:
    @pytest.mark.parametrize("arguments", [(), ("--logfile", "-")])
    def test_standard_output(self, arguments: tuple[str, ...]) -> None:
        """The log goes to standard output, whatever that can write."""
        with standard_output() as out:
            observer = Twistd(*arguments, "boomerang", "--store", "memory:").observer()
            assert observer is not None
            observer(event("grüße"))
            assert out.getvalue() == b"1970-01-01T00:00:00+0000 [test#info] gr\\xfc\\xdfe\n"

    def test_json(self) -> None:
        """It is written as JSON if the settings say so."""
        with standard_output() as out:
            observer = Twistd("boomerang", "--store", "memory:", "--log-format", "json").observer()
            assert observer is not None
            observer(event("hello"))
            assert json.loads(out.getvalue())["message"] == "hello"

    def test_no_file_at_all(self) -> None:
        """What is not an encoded file is written to as it is."""
        with redirect_stdout(io.StringIO()) as out:
            observer = Twistd("boomerang", "--store", "memory:").observer()
            assert observer is not None
            observer(event("grüße"))
        assert out.getvalue().endswith(" grüße\n")

    def test_file(self, tmp_path: Path) -> None:
        """twistd's --logfile gets it instead."""
        path = tmp_path / "boomerang.log"
        with standard_output() as out:
            observer = Twistd("--logfile", str(path), "boomerang", "--store", "memory:").observer()
            assert observer is not None
            observer(event("hello"))
            assert out.getvalue() == b""
        assert path.read_text() == "1970-01-01T00:00:00+0000 [test#info] hello\n"

    def test_syslog(self) -> None:
        """With --syslog twistd writes it in its own way."""
        assert Twistd("--syslog", "boomerang", "--store", "memory:").observer() is None

    def test_without_twistd(self) -> None:
        """Options that no command line of twistd's has led to mean standard output."""
        options = Alone()
        options.parseOptions(["--store", "memory:"])
        application = Application("boomerang")
        with standard_output() as out:
            makeService(options).setServiceParent(application)
            application.getComponent(ILogObserver)(event("hello"))
            assert out.getvalue().endswith(b"hello\n")


class TestRefusal:
    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (
                ["--listen", "systemd:domain=INET:index=7"],
                "boomerang: cannot listen on systemd:domain=INET:index=7:"
                " systemd passed no such socket",
            ),
            (
                ["--store", "rediss://a.example.com?ssl_ca_certs=/nowhere.pem"],
                "boomerang: [Errno 2] No such file or directory: '/nowhere.pem'",
            ),
        ],
    )
    def test_what_cannot_be_had(self, arguments: list[str], message: str) -> None:
        """What is missing on this machine ends the start with one line."""
        options = Alone()
        options.parseOptions(["--store", "memory:", *arguments])
        with pytest.raises(SystemExit) as ended:
            makeService(options)
        assert ended.value.code == message


def test_the_plugin() -> None:
    """twistd finds the service, and makes it of the same parts."""
    config = Twistd("boomerang", "--store", "memory:")
    assert isinstance(config.subOptions, Options)
    assert isinstance(config.service, Host)
