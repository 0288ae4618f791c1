"""``boomerang relay``, on the store of a daemon."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from twisted.internet.defer import Deferred

from boomerang.cli.relay import Drop, List, Replay, Show, queue_of
from boomerang.cli.running import FAILED, PENDING, WELL, CommandFailed
from boomerang.relay.callback import Queued, State
from boomerang.relay.listing import span
from boomerang.settings import Settings
from boomerang.stores.address import MemoryAddress, SqliteAddress
from boomerang.stores.queue import Filter, QueueStore
from tests.integration.daemon import environment
from tests.relay.callbacks import a_callback

OTHER = "https://other.example.com/x?secret=hunter2"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    file = tmp_path / "queue.db"
    file.touch()
    return Settings(store=SqliteAddress(str(file)))


async def filled(queue: QueueStore) -> None:
    """Two dead letters of two hosts, and one that waits."""
    for callback in (a_callback(1), a_callback(2, url=OTHER), a_callback(3)):
        await queue.accept(callback)
    taken = await queue.take("test", most=2, lease=60, per_origin=5, origins={})
    for each in taken:
        await queue.bury("test", each.number, last="410: gone")


async def held(queue: QueueStore, state: State | None = None) -> list[Queued]:
    return list(await queue.look(Filter(state=state), most=100))


def parsed(kind: type, *arguments: str, store: str = "sqlite:unused.db") -> object:
    command = kind()
    command.environment = {}
    command.parseOptions(["--store", store, *arguments])
    return command


async def run(settings: Settings, kind: type, *arguments: str) -> int:
    """Run a command on the store of the settings; returns its exit status."""
    from twisted.internet import reactor

    command = parsed(kind, *arguments)
    acting: Deferred[int] = Deferred.fromCoroutine(command.act(settings, reactor))  # type: ignore[attr-defined]
    return await acting


async def prepared(settings: Settings) -> list[Queued]:
    from twisted.internet import reactor

    async with queue_of(settings, reactor) as queue:
        await filled(queue)
        return await held(queue)


async def left(settings: Settings, state: State | None = None) -> list[int]:
    from twisted.internet import reactor

    async with queue_of(settings, reactor) as queue:
        return [each.number for each in await held(queue, state)]


async def test_list(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    """The list has a line for each callback, and nothing of what the app was sent."""
    await prepared(settings)
    assert await run(settings, List) == WELL
    out = capsys.readouterr().out
    lines = out.splitlines()
    assert lines[0].split() == "NUMBER STATE AGE TRIED NEXT ENDPOINT URL SID LAST".split()
    assert len(lines) == 5
    assert "POST https://other.example.com/x?..." in out
    assert "410: gone" in out
    assert lines[-1].startswith("3 shown; 1 waiting, the oldest for ")
    assert lines[-1].endswith("; 2 dead")
    assert "hunter2" not in out


@pytest.mark.parametrize(
    ("filters", "numbers"),
    [
        ([], [1, 2, 3]),
        (["--state", "dead"], [1, 2]),
        (["--state", "waiting"], [3]),
        (["--host", "other.example.com"], [2]),
        (["--host", "other.example.com:443"], [2]),
        (["--host", "other.example.com:80"], []),
        (["--endpoint", "unknown"], [1, 2, 3]),
        (["--endpoint", "voice"], []),
        (["--sid", a_callback(3).order], [3]),
        (["--older-than", "1d"], [1, 2, 3]),
        (["--younger-than", "1h"], []),
        (["1", "3"], [1, 3]),
        (["1", "3", "--state", "dead"], [1]),
        (["--most", "2"], [1, 2]),
    ],
)
async def test_filters(
    settings: Settings,
    capsys: pytest.CaptureFixture[str],
    filters: list[str],
    numbers: list[int],
) -> None:
    """Filters pick callbacks by state, host, endpoint, SID, age and number; all of them count."""
    await prepared(settings)
    assert await run(settings, List, "--json", *filters) == WELL
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [each["number"] for each in found] == numbers


async def test_show(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    """All that is known of one; what the app was sent only when it is asked for."""
    await prepared(settings)
    assert await run(settings, Show, "2") == WELL
    out = capsys.readouterr().out
    assert "last: 410: gone" in out
    assert "hunter2" not in out
    assert await run(settings, Show, "2", "--body", "--json") == WELL
    record = json.loads(capsys.readouterr().out)
    assert record["url"] == OTHER
    assert record["body"] == a_callback(2).body.decode()
    with pytest.raises(CommandFailed, match="not there: 99"):
        await run(settings, Show, "1", "99")
    with pytest.raises(CommandFailed, match="which one"):
        await run(settings, Show)


async def test_replay(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    """Dead letters become due again; without --yes it is only said which would."""
    await prepared(settings)
    assert await run(settings, Replay) == PENDING
    assert "would replay 2; nothing was changed" in capsys.readouterr().out
    assert await left(settings, State.DEAD) == [1, 2]
    assert await run(settings, Replay, "--yes", "--rate", "1000") == WELL
    assert capsys.readouterr().out == "replayed 2\n"
    assert await left(settings, State.DEAD) == []
    assert await run(settings, Replay, "--yes", "--json") == WELL
    assert json.loads(capsys.readouterr().out) == {"replayed": 0}


async def test_rate(settings: Settings) -> None:
    """Many are replayed no faster than asked for."""
    from twisted.internet import reactor

    begun = reactor.seconds()
    await prepared(settings)
    assert await run(settings, Replay, "--yes", "--rate", "4") == WELL
    assert reactor.seconds() - begun >= 0.25


async def test_drop(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    """Dropping forgets what is named; nothing named is a mistake, not everything."""
    await prepared(settings)
    with pytest.raises(CommandFailed, match="which ones"):
        await run(settings, Drop, "--yes")
    assert await run(settings, Drop, "--host", "other.example.com") == PENDING
    assert await left(settings) == [1, 2, 3]
    assert await run(settings, Drop, "--host", "other.example.com", "--yes") == WELL
    assert await left(settings) == [1, 3]
    assert "dropped 1" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("kind", "told"), [(Replay, "replayed 1\n"), (Drop, "dropped 1\n")], ids=["replay", "drop"]
)
async def test_not_there(
    settings: Settings, capsys: pytest.CaptureFixture[str], kind: type, told: str
) -> None:
    """A number that is not there is told, with --yes after the others were done."""
    await prepared(settings)
    for arguments in (["99", "98"], ["99", "98", "--yes"]):
        with pytest.raises(CommandFailed, match="not there: 98, 99"):
            await run(settings, kind, *arguments)
    capsys.readouterr()
    with pytest.raises(CommandFailed, match="not there: 99"):
        await run(settings, kind, "2", "99", "--yes")
    assert capsys.readouterr().out == told
    assert await left(settings, State.DEAD) == [1]


@pytest.mark.parametrize("kind", [Show, Replay, Drop])
async def test_not_picked(settings: Settings, kind: type) -> None:
    """A number that is there, and that a filter leaves out, is not told as missing."""
    await prepared(settings)
    confirmed = [] if kind is Show else ["--yes"]
    assert await run(settings, kind, "1", "3", "--state", "dead", *confirmed) == WELL


async def test_memory() -> None:
    """The daemon's memory cannot be looked into."""
    with pytest.raises(CommandFailed, match="nobody else"):
        await run(Settings(store=MemoryAddress()), List)


@pytest.mark.parametrize(
    ("kind", "arguments"), [(List, []), (Show, ["1"]), (Replay, ["--yes"]), (Drop, ["1", "--yes"])]
)
async def test_no_file(tmp_path: Path, kind: type, arguments: list[str]) -> None:
    """A file that is not there is not made: it would not be the daemon's."""
    file = tmp_path / "boomerang.db"
    with pytest.raises(CommandFailed, match=r"boomerang\.db is not there: is it here that the"):
        await run(Settings(store=SqliteAddress(str(file))), kind, *arguments)
    assert list(tmp_path.iterdir()) == []


async def test_away(tmp_path: Path) -> None:
    """A store that is away is an error in one line."""
    (tmp_path / "queue.db").write_text("no database, but long enough to be one" * 10)
    with pytest.raises(CommandFailed, match="SQLite"):
        await run(Settings(store=SqliteAddress(str(tmp_path / "queue.db"))), List)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["list", "--state", "gone"], "expected waiting or dead"),
        (["list", "--older-than", "soon"], "expected a span"),
        (["list", "--older-than", "1s,2s"], "expected a span"),
        (["replay", "--rate", "0"], "expected a number over 0"),
        (["drop", "one"], "named by their numbers"),
        ([], "a command is needed"),
    ],
)
def test_wrong(arguments: list[str], words: str, tmp_path: Path) -> None:
    """What cannot be meant is an error, in the terminal of whoever wrote it."""
    command = [sys.executable, "-c", "import sys; from boomerang.cli import main; sys.exit(main())"]
    done = subprocess.run(
        [*command, "relay", *arguments],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == FAILED
    assert words in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(-1, "0s"), (59.4, "59s"), (60, "1m00s"), (3599, "59m59s"), (7260, "2h01m"), (90000, "1d01h")],
)
def test_spans(seconds: float, words: str) -> None:
    """Ages are told in one or two units."""
    assert span(seconds) == words
