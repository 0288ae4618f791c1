"""``boomerang checks``: how the checks stand, and how one is paused."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from math import inf
from pathlib import Path
from typing import Any, Final

import pytest
from attrs import evolve
from twisted.internet.utils import getProcessOutputAndValue

from boomerang.cli import main
from boomerang.cli.checks import Checks, Pause, Resume, parse_span
from boomerang.cli.records import records_of
from boomerang.cli.running import WELL, CommandFailed, ReactorCommand
from boomerang.monitor.outage import Outage
from boomerang.monitor.result import Reason, Result
from boomerang.monitor.verdict import Standing, State
from boomerang.settings import Settings
from tests.servers import RedisServer, free_port

ROOT: Final = Path(__file__).parents[2]

CHECKS: Final = """
[[check]]
name = "cloud"
url = "https://cloud.example.com/"
[[check]]
name = "web"
url = "https://me:hunter2@app.example.com/"
depends_on = ["cloud"]
"""

FAILED: Final = [
    Result(at=time.time() - 30 + number, seconds=0.01, reason=Reason.CONNECT, detail="refused")
    for number in range(3)
]
WELL_RUN: Final = Result(at=time.time() - 20, seconds=0.25)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A settings file, and an SQLite file beside it that no daemon has made yet."""
    file = tmp_path / "b.toml"
    file.write_text(f'store = "sqlite:{tmp_path}/boomerang.db"\n{CHECKS}')
    return file


@pytest.fixture
def filled(config: Path) -> Path:
    """The same, with the file."""
    (config.parent / "boomerang.db").touch()
    return config


async def act(command: ReactorCommand, *arguments: str) -> int:
    """Have a command done in the reactor of the tests."""
    from twisted.internet import reactor

    command.parseOptions(list(arguments))
    return await command.act(command["settings"], reactor)


def settings_of(config: Path, *arguments: str) -> Settings:
    command = Checks()
    command.parseOptions(["--config", str(config), *arguments])
    settings: Settings = command["settings"]
    return settings


async def pauses(config: Path) -> dict[str, float]:
    """As the daemon reads them."""
    from twisted.internet import reactor

    async with records_of(settings_of(config), reactor) as records:
        return await records.pauses()


async def fill(settings: Settings) -> None:
    """Do to the store what a daemon does that has found something."""
    from twisted.internet import reactor

    async with records_of(settings, reactor) as records:
        await records.add_results({"cloud": FAILED, "web": [WELL_RUN]})
        standing = Standing(state=State.DOWN, since=1_800_000_000.0, reason=Reason.CONNECT)
        await records.note_standings({"cloud": evolve(standing, since=1_700_000_000.0)})
        await records.note_outages([Outage("cloud", 1_700_000_000.0, Reason.CONNECT, "refused")])


def rows(out: str) -> list[list[str]]:
    """The lines of the listing, in words."""
    return [line.split() for line in out.splitlines()]


class TestListing:
    """``boomerang checks``."""

    async def test_nothing_found(self, filled: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """Of checks that never ran, that is all there is to say."""
        assert await act(Checks(), "-c", str(filled)) == WELL
        head, cloud, web = rows(capsys.readouterr().out)
        assert head[0] == "CHECK"
        assert cloud == ["cloud", "unknown", "-", "never", "-"]
        assert web == ["web", "unknown", "-", "never", "-"]

    async def test_found(self, filled: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """It shows what the daemon has found, and no login of a URL."""
        await fill(settings_of(filled))
        assert await act(Checks(), "-c", str(filled)) == WELL
        out = capsys.readouterr().out
        _, cloud, web = rows(out)
        assert cloud[:4] == ["cloud", "down", "2023-11-14", "22:13:20"]
        assert cloud[-2:] == ["connect:", "refused"]
        assert web[:2] == ["web", "affected"]
        assert web[-4:] == ["0.250", "s", "down:", "cloud"]
        assert "hunter2" not in out

    async def test_environments(self, filled: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """It shows the environment of the settings."""
        await fill(settings_of(filled))
        await act(Checks(), "-c", str(filled), "--environment", "staging")
        assert [row[1] for row in rows(capsys.readouterr().out)[1:]] == ["unknown", "unknown"]

    async def test_redis(
        self, config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """It looks into any store that can be shared."""
        with RedisServer(tmp_path, password="hunter2") as server:
            arguments = ("-c", str(config), "--store", server.url())
            await fill(settings_of(config, "--store", server.url()))
            assert await act(Checks(), *arguments) == WELL
            assert rows(capsys.readouterr().out)[1][:2] == ["cloud", "down"]
            server.pause()
            with pytest.raises(CommandFailed) as failed:
                await act(Checks(), *arguments)
        assert "\n" not in str(failed.value)
        assert "hunter2" not in str(failed.value)

    async def test_no_checks(self, capsys: pytest.CaptureFixture[str]) -> None:
        """Without checks it says how there would be some."""
        assert await act(Checks()) == WELL
        told = "nothing is checked: name a [[check]], or set public_url\n"
        assert capsys.readouterr().out == told

    async def test_itself(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """The check of the host itself is one like others."""
        (tmp_path / "b.db").touch()
        store = f"sqlite:{tmp_path}/b.db"
        await act(Checks(), "--public-url", "https://boomerang.example.com", "--store", store)
        assert rows(capsys.readouterr().out)[1][:2] == ["boomerang", "unknown"]


class TestPause:
    """``boomerang checks pause`` and ``boomerang checks resume``."""

    async def test_until_resumed(self, filled: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """A check is paused until it is resumed, and the listing says so."""
        assert await act(Pause(), "web", "-c", str(filled)) == WELL
        told = "web is paused until: boomerang checks resume web\n"
        assert capsys.readouterr().out == told
        assert await pauses(filled) == {"web": inf}
        await act(Checks(), "-c", str(filled))
        web = rows(capsys.readouterr().out)[-1]
        assert web == ["web", "paused", "-", "never", "-", "until", "it", "is", "resumed"]

        assert await act(Resume(), "web", "-c", str(filled)) == WELL
        assert capsys.readouterr().out == "web goes on within seconds\n"
        assert await pauses(filled) == {}

    @pytest.mark.parametrize("arguments", [["--for", "1h30m", "web"], ["web", "--for=1h30m"]])
    async def test_for_a_while(
        self, filled: Path, capsys: pytest.CaptureFixture[str], arguments: Sequence[str]
    ) -> None:
        """A check is paused for a while; options may stand before and after its name."""
        before = time.time()
        assert await act(Pause(), *arguments, "-c", str(filled)) == WELL
        ends = (await pauses(filled))["web"]
        assert before + 5400 <= ends <= time.time() + 5400
        minute = time.strftime("%Y-%m-%d %H:%M", time.gmtime(ends))
        assert capsys.readouterr().out == f"web is paused until {minute} UTC\n"

    async def test_again(self, filled: Path) -> None:
        """Who pauses again says anew for how long."""
        await act(Pause(), "web", "-c", str(filled))
        await act(Pause(), "web", "--for", "1m", "-c", str(filled))
        assert (await pauses(filled))["web"] < inf

    async def test_one_environment(self, filled: Path) -> None:
        """A check is paused in one environment, not in the others."""
        await act(Pause(), "web", "-c", str(filled), "--environment", "staging")
        assert await pauses(filled) == {}

    async def test_librato(self, filled: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """Where Librato would alert of the check's absence, it is said how not to have that."""
        filled.write_text(
            f'{filled.read_text()}\n[librato]\nuser = "ops@example.com"\ntoken = "hunter2"\n'
        )
        await act(Pause(), "web", "-c", str(filled))
        _, hint = capsys.readouterr().out.splitlines()
        assert "boomerang alerts apply" in hint
        assert "hunter2" not in hint

    @pytest.mark.parametrize("command", [Pause, Resume])
    async def test_unknown(self, filled: Path, command: type[ReactorCommand]) -> None:
        """A name that is no check's is an error that says which there are."""
        with pytest.raises(CommandFailed, match="wob is not a check; there are: cloud, web"):
            await act(command(), "wob", "-c", str(filled))
        assert await pauses(filled) == {}

    async def test_no_checks(self) -> None:
        """Where there are none, it says that."""
        with pytest.raises(CommandFailed, match="web is not a check; there are: none"):
            await act(Pause(), "web")


COMMANDS: Final[list[Any]] = [
    pytest.param(Checks, [], id="list"),
    pytest.param(Pause, ["web"], id="pause"),
    pytest.param(Resume, ["web"], id="resume"),
]


@pytest.mark.parametrize(("command", "arguments"), COMMANDS)
class TestStores:
    """Stores that cannot be looked into."""

    async def test_memory(
        self, config: Path, command: type[ReactorCommand], arguments: list[str]
    ) -> None:
        """What the daemon has in its memory nobody else can look into."""
        with pytest.raises(CommandFailed, match="the store memory: is the daemon's own"):
            await act(command(), *arguments, "-c", str(config), "--store", "memory:")

    async def test_no_file(
        self, config: Path, command: type[ReactorCommand], arguments: list[str]
    ) -> None:
        """A file that is not there is not made: a pause in it would be for nobody."""
        with pytest.raises(CommandFailed, match=r"boomerang\.db is not there"):
            await act(command(), *arguments, "-c", str(config))
        assert not (config.parent / "boomerang.db").exists()

    async def test_other_file(
        self, config: Path, command: type[ReactorCommand], arguments: list[str]
    ) -> None:
        """A file that is no database is an error in one line."""
        (config.parent / "boomerang.db").write_text("no database, but long enough for one" * 10)
        with pytest.raises(CommandFailed) as failed:
            await act(command(), *arguments, "-c", str(config))
        assert "\n" not in str(failed.value)

    async def test_away(
        self, config: Path, command: type[ReactorCommand], arguments: list[str]
    ) -> None:
        """A server that cannot be reached is an error in one line, without its password."""
        url = f"redis://:hunter2@127.0.0.1:{free_port()}"
        with pytest.raises(CommandFailed) as failed:
            await act(command(), *arguments, "-c", str(config), "--store", url)
        assert "\n" not in str(failed.value)
        assert "hunter2" not in str(failed.value)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30m", 1800),
        ("30min", 1800),
        ("90s", 90),
        ("2h", 7200),
        ("1d", 86400),
        ("1h30m", 5400),
        ("1d2h3m4s", 93784),
        ("1.5h", 5400),
        ("0.5s", 0.5),
        ("30m1h", 5400),
        ("3650d", 3650 * 86400),
    ],
)
def test_span(text: str, seconds: float) -> None:
    """A span is written as people write it."""
    assert parse_span(text) == seconds


@pytest.mark.parametrize(
    "text",
    [
        "",
        "30",
        "m",
        "-5m",
        "+5m",
        "30M",
        "30 m",
        " 30m",
        "30m ",
        "30m,1h",
        "30m and more",
        ".5h",
        "1.h",
        "1e3s",
        "infs",
        "nan",
        "0s",
        "0.0h",
        "3651d",
        "9" * 400 + "d",
        "٣m",
        "1h\n",
    ],
)
def test_odd_span(text: str) -> None:
    """What is no span, none of any length, or longer than anybody means, is refused."""
    with pytest.raises(ValueError, match="expected a time like 30m, 2h or 1h30m, up to 3650d"):
        parse_span(text)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["nonsense"], "Unknown command: nonsense"),
        (["pause"], "Wrong number of arguments."),
        (["pause", "web", "cloud"], "Wrong number of arguments."),
        (["pause", "web", "--for", "a while"], "--for is a while, expected a time like 30m"),
        (["pause", "web", "--for"], "option --for requires argument"),
        (["resume"], "Wrong number of arguments."),
        (["resume", "web", "--for", "30m"], "option --for not recognized"),
    ],
)
def test_misuse(capsys: pytest.CaptureFixture[str], arguments: list[str], told: str) -> None:
    """Misuse is told on the other output, and the status says so."""
    assert main(["checks", *arguments]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert told in err


async def test_as_a_command(filled: Path) -> None:
    """As a command of its own it ends by itself, says what it should, and has its status."""
    await fill(settings_of(filled))
    tool = "import sys; from boomerang.cli import main; sys.exit(main())"
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "BOOMERANG_CONFIG": str(filled)}

    async def run(*arguments: str) -> tuple[str, str, int]:
        out, err, status = await getProcessOutputAndValue(
            sys.executable, ["-c", tool, "checks", *arguments], env=environment
        )
        return out.decode(), err.decode(), status

    out, err, status = await run("pause", "web", "--for", "30m")
    assert (err, status) == ("", 0)
    assert out.startswith("web is paused until ")
    out, err, status = await run()
    assert (err, status) == ("", 0)
    assert [row[1] for row in rows(out)] == ["STATE", "down", "paused"]
    out, err, status = await run("pause", "wob")
    assert (out, status) == ("", 1)
    assert err == "boomerang: wob is not a check; there are: cloud, web\n"
