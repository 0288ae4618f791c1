"""Many calls at once, on real sockets."""

from __future__ import annotations

import pytest
from twisted.internet.defer import CancelledError, Deferred

from boomerang.standin import Call, Standing, Summary, Webhook, play_storm
from tests.standin.driving import DOWN, HELLO, Stage, eventually, scripted, stage, twiml
from tests.web_servers import Caller, WebServer, serving

BACK = twiml("<Redirect>/voice</Redirect>")


def begin(
    here: Stage, server: WebServer, *, calls: int, rate: float
) -> tuple[Deferred[Summary], list[Standing]]:
    """A storm that has begun, and how it stands at each change."""
    standings: list[Standing] = []
    call = Call(first=Webhook(server.url("/voice")), fallback=Webhook(server.url("/retry")))
    playing = Deferred.fromCoroutine(
        play_storm(call, here.surroundings, calls=calls, rate=rate, watch=standings.append)
    )
    return playing, standings


async def test_rate() -> None:
    """The calls begin one after the other, so many a second."""
    async with stage() as here, serving(scripted(voice=None)) as server:
        playing, standings = begin(here, server, calls=5, rate=2)
        here.clock.advance(0)
        begun = [standings[-1].begun]
        for _ in range(4):
            here.clock.advance(0.5)
            begun.append(standings[-1].begun)
        assert begun == [1, 2, 3, 4, 5]
        assert standings[-1] == Standing(5, begun=5)
        playing.cancel()
        with pytest.raises(CancelledError):
            await playing


async def test_late() -> None:
    """When time has passed by, those that are due begin without more of it."""
    async with stage() as here, serving(scripted(voice=HELLO)) as server:
        playing, standings = begin(here, server, calls=4, rate=1)
        here.clock.advance(10)
        assert standings[-1].begun == 4
        assert (await playing).standing.saved == 4


async def test_outcomes() -> None:
    """They are counted by their outcomes, error codes and reasons."""
    app = scripted(
        voice=[HELLO, DOWN, DOWN, HELLO, DOWN],
        retry=[twiml("<Say>Sorry</Say>"), BACK, DOWN],
    )
    async with stage() as here, serving(app) as server:
        playing, standings = begin(here, server, calls=4, rate=1)
        for seconds in (0, 1, 1, 1):
            here.clock.advance(seconds)
            await eventually(lambda: standings[-1].under_way == 0)
        found = await playing
    assert found.standing == Standing(4, begun=4, saved=2, apologised=1, lost=1)
    assert standings[-1] == found.standing
    assert found.codes == ((11217, 4),)
    assert found.reasons == (
        (f"{server.url('/voice')} failed, and did not answer again", 1),
        ("the fallback failed too: answered 503", 1),
    )
    assert (found.failed, found.most_under_way) == (3, 1)
    assert found.silences == (0, 0, 0, 0)


async def test_all_at_once() -> None:
    """Hundreds are held at once, over a connection and with a SID of its own each."""
    waiting: list[Caller] = []
    async with stage() as here, serving(scripted(voice=waiting.append)) as server:
        playing, standings = begin(here, server, calls=300, rate=300)
        for _ in range(300):
            here.clock.advance(1 / 300)
        await eventually(lambda: len(waiting) == 300)
        here.clock.advance(3)
        for caller in waiting:
            caller.send(HELLO)
        found = await playing
        assert server.visits == 300
        sids = {asked.body.partition(b"CallSid=")[2][:34] for asked in server.requests}
        assert len(sids) == 300
    assert found.standing == Standing(300, begun=300, saved=300)
    assert found.most_under_way == 300
    assert found.silences[0] == pytest.approx(3, abs=0.01)
    assert found.silences[-1] == pytest.approx(4, abs=0.01)
    assert standings[-1].under_way == 0


def test_standing() -> None:
    """What is under way has begun and not ended."""
    standing = Standing(10, begun=8, saved=3, apologised=2, lost=1)
    assert (standing.ended, standing.under_way) == (6, 2)
