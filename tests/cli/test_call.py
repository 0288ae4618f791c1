"""``boomerang call`` and ``boomerang message``, against scripted apps and a real daemon."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol
from urllib.parse import quote

import pytest
from attrs import frozen
from twisted.internet import reactor
from twisted.internet.threads import deferToThread

from boomerang.cli import main
from boomerang.cli.call import PlayCall
from boomerang.cli.message import PlayMessage
from tests.integration.daemon import ROOT, Daemon, Daemons, ended, environment
from tests.standin.driving import DOWN, HELLO, down_once, fields, scripted, twiml
from tests.web_servers import Behaviour, WebServer, serving

COMMAND = (sys.executable, "-c", "from boomerang.cli import main; raise SystemExit(main())")

TOKEN = "0123456789abcdef"


@pytest.fixture(scope="module")
def daemons(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemons]:
    with ended(Daemons(tmp_path_factory.mktemp("daemons"))) as daemons:
        yield daemons


@pytest.fixture(scope="module")
def daemon(daemons: Daemons) -> Daemon:
    """A daemon that answers anyone, and holds calls for a moment."""
    return daemons.start(wait=0.2)


@frozen
class Done:
    """What a command has said, and its exit status."""

    status: int
    out: str
    err: str = ""

    @property
    def last(self) -> str:
        """The last line of a timeline, without the time."""
        return self.out.splitlines()[-1].partition(" s  ")[2]


class Runs(Protocol):
    """Runs a command here, with more in its environment."""

    async def __call__(self, name: str, *arguments: str, **more: str) -> Done: ...


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Runs:
    async def run(name: str, *arguments: str, **more: str) -> Done:
        command = {"call": PlayCall, "message": PlayMessage}[name]()
        command.environment = more
        command.parseOptions(arguments)
        status = await command.act(reactor)
        out, err = capsys.readouterr()
        assert err == ""
        return Done(status, out)

    return run


async def process(*command: str, stderr: int = subprocess.PIPE, directory: Path = ROOT) -> Done:
    """Run a process, while the reactor serves the app."""
    done = await deferToThread(
        subprocess.run,
        command,
        env=environment(),
        cwd=directory,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
        timeout=30,
    )
    return Done(done.returncode, done.stdout, done.stderr)


def retry(daemon: Daemon, sorry: str | None = None) -> str:
    """The fallback URL, with a last resort."""
    option = f"?FallbackUrl={quote(sorry, safe='')}" if sorry else ""
    return f"http://127.0.0.1:{daemon.port}/retry{option}"


async def test_saved(daemon: Daemon) -> None:
    """An app that answers when boomerang sends the call back: saved, and the status is 0.

    As a process of its own, as people run it.
    """
    async with serving(scripted(voice=[DOWN, HELLO])) as app:
        url, fallback = app.url("/voice"), retry(daemon)
        done = await process(*COMMAND, "call", url, "--fallback", fallback)
    assert (done.status, done.err) == (0, "")
    assert [line.partition(" s  ")[2].split("  ")[0] for line in done.out.splitlines()] == [
        "asks",
        "answer",
        "failed",
        "falls back",
        "answer",
        "TwiML",
        "is sent to",
        "answer",
        "TwiML",
        "caller hears",
        "SAVED",
    ]
    assert f"POST {fallback} (error 11217)" in done.out
    assert "(retry; attempt=1)" in done.out
    assert "a voice: Hello (after 0." in done.out
    assert done.last.split() == ["SAVED", url, "answered", "when", "asked", "again"]


async def test_apologised(run: Runs, daemon: Daemon) -> None:
    """An app that does not answer again: the last resort is heard, and the status is 2."""
    async with serving(scripted(voice=DOWN, sorry=twiml("<Say>Sorry</Say>"))) as app:
        fallback = retry(daemon, app.url("/sorry"))
        done = await run("call", app.url("/voice"), "--fallback", fallback)
    assert done.status == 2
    assert "caller hears  a voice: Sorry" in done.out
    assert done.last.startswith("APOLOGISED")


async def test_lost(run: Runs, daemon: Daemon) -> None:
    """Without a last resort it is lost, and the status is 1."""
    async with serving(scripted(voice=DOWN)) as app:
        done = await run("call", app.url("/voice"), "--fallback", retry(daemon))
    assert done.status == 1
    assert "caller hears  Twilio's standard error message" in done.out
    assert done.last.split("  ")[-1].strip() == "the fallback failed too: answered 500"


async def test_json(run: Runs, daemon: Daemon) -> None:
    """With ``--json`` each line of the timeline is a value."""
    async with serving(scripted(voice=[DOWN, HELLO])) as app:
        done = await run("call", app.url("/voice"), "--json", "-f", retry(daemon))
    events = [json.loads(line) for line in done.out.splitlines()]
    assert [event["event"] for event in events if event["event"] in ("asked", "ended")] == [
        *["asked"] * 3,
        "ended",
    ]
    assert events[-1]["outcome"] == "saved"
    assert 0.2 < events[-1]["at"] < 5


async def test_message(run: Runs, daemon: Daemon) -> None:
    """A message goes the same way."""
    async with serving(scripted(sms=[DOWN, twiml("<Message>Hi!</Message>")])) as app:
        url, fallback = app.url("/sms"), retry(daemon)
        done = await run("message", url, "--fallback", fallback, "--body", "Grüße & mehr")
        assert {fields(asked)["Body"] for asked in app.requests} == {"Grüße & mehr"}
    assert done.status == 0
    assert "sender gets   Hi!" in done.out


async def test_options(run: Runs, daemon: Daemon) -> None:
    """The command line says who calls whom, by which methods, and which keys are pressed."""
    menu = twiml("<Gather action='/menu' numDigits='2'/>")
    who = ("--from", "client:me", "--to", "+15005550009")
    async with serving(scripted(voice=[DOWN, menu], retry=DOWN, menu=HELLO)) as app:
        fallback = ("--fallback", app.url("/retry"), "--fallback-method", "get")
        await run("call", app.url("/voice"), "--method", "get", *who, *fallback)
        await run("call", app.url("/voice"), *who, "--digits", "12#")
        lines = [asked.line.partition("?")[0].removesuffix(" HTTP/1.1") for asked in app.requests]
        parameters = [fields(asked) for asked in app.requests]
    assert lines == ["GET /voice", "GET /retry", "POST /voice", "POST /menu"]
    assert {(each["From"], each["To"]) for each in parameters} == {("client:me", "+15005550009")}
    assert parameters[-1]["Digits"] == "12"


@pytest.mark.parametrize(
    ("arguments", "more", "status"),
    [
        ((), {}, 1),
        (("--auth-token", "wrong"), {"TWILIO_AUTH_TOKEN": TOKEN}, 1),
        (("--auth-token", TOKEN), {}, 0),
        ((), {"TWILIO_AUTH_TOKEN": f"{TOKEN} old"}, 0),
    ],
)
async def test_signed(
    run: Runs, signed_only: Daemon, arguments: tuple[str, ...], more: dict[str, str], status: int
) -> None:
    """Requests are signed with the token, as a daemon wants it that answers Twilio alone."""
    async with serving(scripted(voice=[DOWN, HELLO])) as app:
        url, fallback = app.url("/voice"), retry(signed_only)
        done = await run("call", url, "--fallback", fallback, *arguments, **more)
    assert done.status == status
    assert ("answer        403" in done.out) is bool(status)
    assert TOKEN not in done.out + done.err


@pytest.fixture(scope="module")
def signed_only(daemons: Daemons) -> Daemon:
    """A daemon that answers Twilio alone."""
    return daemons.start(wait=0, more={"TWILIO_AUTH_TOKEN": TOKEN})


# Storms


async def stormed(run: Runs, app: WebServer, daemon: Daemon, *arguments: str) -> Done:
    fallback = retry(daemon, app.url("/sorry"))
    return await run("call", app.url("/voice"), "-f", fallback, "-n", "20", "-r", "200", *arguments)


@pytest.mark.parametrize(
    ("behave", "status", "summary"),
    [
        (scripted(voice=HELLO), 0, "saved 20, apologised 0, lost 0"),
        (down_once(HELLO), 0, "saved 20, apologised 0, lost 0"),
        (scripted(voice=DOWN, sorry=HELLO), 2, "saved 0, apologised 20, lost 0"),
        (scripted(voice=DOWN, sorry=DOWN), 1, "saved 0, apologised 0, lost 20"),
    ],
    ids=["well", "saved", "apologised", "lost"],
)
async def test_storm(
    run: Runs, daemon: Daemon, behave: Behaviour, status: int, summary: str
) -> None:
    """A storm is summed up; the worst that happens to any of them decides the status."""
    async with serving(behave) as app:
        done = await stormed(run, app, daemon)
    assert done.status == status
    assert done.out.splitlines()[1] == summary


async def test_storm_as_json(run: Runs, daemon: Daemon) -> None:
    """With ``--json`` the sum is one value."""
    async with serving(scripted(voice=HELLO)) as app:
        done = await stormed(run, app, daemon, "--json")
    (line,) = done.out.splitlines()
    assert json.loads(line)["saved"] == 20


async def test_progress() -> None:
    """On a terminal there is a bar while a storm lasts."""
    ours, theirs = pty.openpty()
    async with serving(scripted(voice=HELLO)) as app:
        command = (*COMMAND, "call", app.url("/voice"), "--calls", "3", "--rate", "100")
        done = await process(*command, stderr=theirs)
    os.close(theirs)
    drawn = os.read(ours, 10_000).decode()
    os.close(ours)
    assert done.out.splitlines()[1] == "saved 3, apologised 0, lost 0"
    assert drawn.startswith("\r\x1b[K[..............................] 0/3, ")
    last = "[##############################] 3/3, 0 under way, 3 saved, 0 apologised, 0 lost"
    assert drawn.endswith(f"\r\x1b[K{last}\r\n")


# Misuse


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["call"], "Wrong number of arguments."),
        (["call", "/voice"], "the URL is not an absolute http or https URL"),
        (["call", "http://a/", "-f", "x"], "--fallback is not an absolute http or https URL"),
        (["call", "http://a/", "-m", "PUT"], "--method is PUT, expected GET or POST"),
        (
            ["call", "http://a/", "--fallback-method", "no"],
            "--fallback-method is NO, expected GET or POST",
        ),
        (["call", "http://a/", "--digits", "1a"], "--digits is 1a, expected keys like 123#"),
        (["call", "http://a/", "--calls", "0"], "--calls is 0, expected a number over 0"),
        (["call", "http://a/", "--calls", "1.5"], "--calls is 1.5, expected a number over 0"),
        (["call", "http://a/", "--rate", "nan"], "--rate is nan, expected a number over 0"),
        (["call", "http://a/", "--rate", "inf"], "--rate is inf, expected a number over 0"),
        (["call", "http://a/", "--body", "x"], "option --body not recognized"),
        (["message", "http://a/", "--digits", "1"], "option --digits not recognized"),
        (["message", "http://a/", "--body", "\udcff"], "--body is not UTF-8"),
    ],
)
def test_misuse(capsys: pytest.CaptureFixture[str], arguments: list[str], told: str) -> None:
    """What makes no sense is told on the other output, before anybody is called."""
    assert main(arguments) == 1
    out, err = capsys.readouterr()
    assert (out, err) == ("", f"boomerang: {told}\n")


@pytest.mark.parametrize("command", ["call", "message"])
def test_help(capsys: pytest.CaptureFixture[str], command: str) -> None:
    """The help tells of the exit status; no setting of the daemon's is among the options."""
    with pytest.raises(SystemExit):
        main([command, "--help"])
    out = capsys.readouterr().out
    assert out.startswith(f"Usage: boomerang {command} ")
    assert "Exit status: 0 if" in " ".join(out.split())
    assert "--retry-wait" not in out


# The demo


async def test_demo(tmp_path: Path) -> None:
    """``make demo`` shows how an app is rescued that takes too long to wake up."""
    done = await process(
        sys.executable, str(ROOT / "examples" / "demo.py"), "1", directory=tmp_path
    )
    assert (done.status, done.err) == (0, "")
    assert "error 11205: no answer within 0.4 s" in done.out
    assert "caller hears  a voice: Good morning, this is the app. (after 1." in done.out
    assert done.last.startswith("SAVED")
    assert list(tmp_path.iterdir()) == []
