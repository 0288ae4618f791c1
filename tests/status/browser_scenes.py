"""What the status page has to show: daemons in trouble of each kind, all of it real."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from time import time
from typing import Any, Final
from urllib.parse import quote, urlencode

from twilio.request_validator import RequestValidator
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.task import Clock

from boomerang.account.daily import Standing
from boomerang.account.looking import look
from boomerang.account.resources import Kind
from boomerang.monitor.account import NAME, result_of
from boomerang.monitor.records import Records
from boomerang.monitor.result import Result
from boomerang.settings import Settings, TwilioSettings
from boomerang.settings.account import AccountSettings
from boomerang.status.report import Report, to_json
from boomerang.stores.sqlite_file import SqliteFile
from boomerang.stores.sqlite_notes import SqliteNotes
from tests.fakes.twilio_api import MAIN, TOKEN, FakeTwilio, served
from tests.fakes.twilio_records import record, sid_of
from tests.integration.daemon import Daemon, Daemons, ended, eventually
from tests.integration.twilio import FailedCall
from tests.servers import RedisServer
from tests.status.browser_app import an_app, play
from tests.status.browser_calls import hold, rescue

STORM: Final = 2000
"""Calls that fail at once."""

_PUBLIC: Final = "https://boomerang.example.com"


def configured(daemons: Daemons, settings: str, **about: Any) -> Daemon:
    """A daemon with a settings file."""
    file = daemons.directory / f"{len(list(daemons.directory.glob('*.toml')))}.toml"
    file.write_text(settings)
    return daemons.start("--config", str(file), **about)


@contextmanager
def all_well(directory: Path) -> Iterator[Daemon]:
    """Nothing has ever failed, and two checks are up."""
    with an_app() as app, ended(Daemons(directory)) as daemons:
        yield configured(
            daemons,
            f"""
            [[endpoint]]
            name = "gather"
            match = "/voice/:step"
            fallback = "apology"
            [[check]]
            name = "app"
            url = "{app.url}/health"
            interval = 0.2
            depends_on = ["network"]
            [[check]]
            name = "network"
            url = "{app.url.replace("http", "tcp")}"
            kind = "tcp"
            interval = 0.2
            """,
        )


@contextmanager
def app_down(directory: Path) -> Iterator[Daemon]:
    """The app answers with errors, its check is down, and its callers hear the apology."""
    with an_app() as app, ended(Daemons(directory)) as daemons:
        daemon = configured(
            daemons,
            f"""
            [retry]
            circuit = true
            fallback = "apology"
            [[check]]
            name = "app"
            url = "{app.url}/health"
            interval = 0.2
            failures = 1
            [[check]]
            name = "app-menu"
            url = "{app.url}/menu"
            interval = 0.2
            failures = 1
            depends_on = ["app"]
            """,
        )
        app.status = 503
        eventually(lambda: daemon.health()["circuits"])
        assert play(app, daemon, "--calls", "5", "--rate", "50") == 2
        yield daemon


@contextmanager
def storm(directory: Path) -> Iterator[Daemon]:
    """All calls of a large app fail at once, and are held for as long as Twilio waits."""
    with ended(Daemons(directory)) as daemons:
        daemon = daemons.start(wait=14)
        callers = hold(daemon, STORM)
        yield daemon
        for caller in callers:
            caller.close()


@contextmanager
def degraded(directory: Path) -> Iterator[Daemon]:
    """Redis has died, and a call that failed since was rescued all the same."""
    with RedisServer(directory) as redis, ended(Daemons(directory)) as daemons:
        daemon = daemons.start(store=redis.url(), wait=0.1)
        eventually(lambda: daemon.status() == "ok")
        redis.kill()
        assert rescue(daemon, FailedCall()).headers["boomerang-decision"] == "retry; attempt=1"
        eventually(lambda: daemon.status() != "ok")
        yield daemon


@contextmanager
def dead_letters(directory: Path) -> Iterator[Daemon]:
    """The app has refused three status callbacks for good."""
    with an_app() as app, ended(Daemons(directory)) as daemons:
        app.status = 410
        login = {"TWILIO_AUTH_TOKEN": TOKEN, "BOOMERANG_PUBLIC_URL": _PUBLIC}
        store = f"sqlite:{directory / 'store.db'}"
        before = daemons.start(store=store, more=login)
        for number in range(3):
            assert _tell(before, f"{app.url}/calls/{number}/ended", number) == 204
        eventually(lambda: before.log().count("given up ") == 3)
        before.kill()
        yield daemons.start(store=store, more=login)


def _tell(daemon: Daemon, url: str, number: int) -> int:
    """Send a status callback as Twilio does."""
    form = {"AccountSid": MAIN, "CallSid": f"CA{number:032x}", "SequenceNumber": "0"}
    target = f"/relay?Url={quote(url, safe='')}"
    signature = RequestValidator(TOKEN).compute_signature(_PUBLIC + target, form)
    connection = HTTPConnection("127.0.0.1", daemon.port, timeout=5)
    headers = {
        "Host": _PUBLIC.partition("://")[2],
        "Content-Type": "application/x-www-form-urlencoded",
        "X-Twilio-Signature": signature,
    }
    connection.request("POST", target, urlencode(form), headers)
    status = connection.getresponse().status
    connection.close()
    return status


@contextmanager
def account_gaps(directory: Path) -> Iterator[Daemon]:
    """A new number was bought whose fallback points nowhere, and the daily audit has seen it.

    It was made before this daemon was started, since that one waits for up to a minute with its
    own.
    """
    fake = FakeTwilio()
    number = record(Kind.NUMBER, 1, MAIN, voice_url="https://app.example.com/voice")
    fake.main.resources[Kind.NUMBER][sid_of(Kind.NUMBER, 1)] = number
    with served(fake), an_app() as app, ended(Daemons(directory)) as daemons:
        store = directory / "store.db"
        settings = Settings(
            public_url=_PUBLIC,
            twilio=TwilioSettings(account_sid=MAIN, auth_token=(TOKEN,)),
            account=AccountSettings(api_url=fake.url),
        )
        found = look(settings, sleep=lambda _: None, random=lambda: 0.5)
        note(store, {NAME: [result_of(Standing.after(found, at=time()), now=time())]})
        yield configured(
            daemons,
            f"""
            public_url = "{_PUBLIC}"
            [twilio]
            account_sid = "{MAIN}"
            auth_token = "{TOKEN}"
            [account]
            api_url = "{fake.url}"
            audit_every = 86400
            [[check]]
            name = "app"
            url = "{app.url}/health"
            interval = 0.2
            """,
            store=f"sqlite:{store}",
        )


def note(store: Path, results: Mapping[str, Sequence[Result]]) -> None:
    """Results of checks, as a process has left them in its store."""
    file = SqliteFile(str(store), wall_clock=time)
    notes = SqliteNotes(file, run=maybeDeferred)
    records = Records(notes=notes, environment="production", clock=Clock())
    Deferred.fromCoroutine(records.add_results(results))
    file.close()


def tell_of(store: Path, *reports: Report) -> None:
    """What other processes have told of themselves in the store."""
    file = SqliteFile(str(store), wall_clock=time)
    notes = SqliteNotes(file, run=maybeDeferred)
    notes.write("status.production", {each.instance: to_json(each) for each in reports})
    file.close()
