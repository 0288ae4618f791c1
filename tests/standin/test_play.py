"""Calls and messages against servers on real sockets, by a clock that the test moves."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.defer import CancelledError

from boomerang.standin import (
    Call,
    Limits,
    Message,
    Outcome,
    Played,
    Webhook,
    play_call,
    play_message,
)
from boomerang.standin.events import Ended, Heard, Manner, Noted, Silence, Unanswered, Warned
from boomerang.web.form import parse_form
from boomerang.web.signature import Keys, Signed, is_genuine
from tests.standin.driving import (
    DOWN,
    HELLO,
    Step,
    eventually,
    fields,
    resets,
    scripted,
    stage,
    steps,
    twiml,
)
from tests.web_servers import Authority, WebServer, closed_port, page, serving

BACK = twiml("<Redirect>/voice</Redirect>")
SORRY = twiml("<Say>Sorry</Say>")
NEXT = twiml("<Redirect>/next</Redirect>")


def moved(location: str, status: int = 302) -> bytes:
    return page(b"", status=status, headers=[f"Location: {location}"])


def call(server: WebServer, fragment: str = "", **more: Any) -> Call:
    """A call to ``/voice`` of a server, with its ``/retry`` as the fallback."""
    first, fallback = Webhook(server.url(f"/voice{fragment}")), Webhook(server.url("/retry"))
    return Call(**{"first": first, "fallback": fallback, "sid": "CA1", **more})


async def played(fragment: str = "", **paths: Step | list[Step]) -> Played:
    """How a call goes while no time passes, if the paths answer so."""
    async with stage() as here, serving(scripted(**paths)) as server:
        return await here.play(call(server, fragment))


async def requests(server: WebServer, count: int) -> None:
    """Return when so many requests have arrived."""
    await eventually(lambda: len(server.requests) >= count)


async def test_nothing_fails() -> None:
    """An app that answers is heard."""
    found = await played(voice=HELLO)
    assert steps(found) == ["first POST /voice", "200", "heard Hello"]
    assert (found.sid, found.outcome, found.reason) == ("CA1", Outcome.SAVED, "nothing failed")


async def test_saved() -> None:
    """An app that answers when it is asked again is heard after all."""
    found = await played(voice=[DOWN, HELLO], retry=BACK)
    assert steps(found) == [
        "first POST /voice",
        "503",
        "failed 11217",
        "fallback POST /retry",
        "200",
        "redirect POST /voice",
        "200",
        "heard Hello",
    ]
    assert found.outcome is Outcome.SAVED


async def test_apologised() -> None:
    """Of an app that does not, the caller hears what the fallback says at last."""
    last_resort = twiml("<Redirect method='GET'>/sorry</Redirect>")
    found = await played(voice=DOWN, retry=[BACK, last_resort], sorry=SORRY)
    assert steps(found)[-6:] == [
        "failed 11217",
        "fallback POST /retry",
        "200",
        "redirect GET /sorry",
        "200",
        "heard Sorry",
    ]
    assert found.outcome is Outcome.APOLOGISED


async def test_lost() -> None:
    """If the fallback fails as well, the caller hears Twilio's standard message."""
    found = await played(voice=DOWN, retry=DOWN)
    assert steps(found)[-4:] == [
        "fallback POST /retry",
        "503",
        "failed 11217",
        "heard standard message",
    ]
    assert (found.outcome, found.reason) == (
        Outcome.LOST,
        "the fallback failed too: answered 503",
    )


async def test_what_is_asked() -> None:
    """A fallback is told what failed and why; what it redirects to is not."""
    async with stage() as here, serving(scripted(voice=[DOWN, HELLO], retry=BACK)) as server:
        await here.play(call(server))
        first, fallback, again = map(fields, server.requests)
        assert fallback == {**first, "ErrorCode": "11217", "ErrorUrl": server.url("/voice")}
        assert again == first
        assert first["CallSid"] == "CA1"


async def test_get() -> None:
    """A GET has its parameters in the query, which is not part of the ErrorUrl."""
    async with stage() as here, serving(scripted(voice=DOWN, retry=DOWN)) as server:
        first = Webhook(server.url("/voice?x=1#rt=9000"), "GET")
        await here.play(call(server, first=first))
        voice, retry = server.requests
        assert voice.line.startswith("GET /voice?x=1&AccountSid=AC")
        assert fields(voice)["CallSid"] == "CA1"
        assert fields(retry)["ErrorUrl"] == server.url("/voice?x=1")


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_signed(method: str) -> None:
    """With a token every request is signed, as boomerang itself checks it."""
    async with stage() as here, serving(scripted(voice=DOWN, retry=DOWN)) as server:
        fallback = Webhook(server.url("/retry?FallbackUrl=http%3A%2F%2Fa.com%2F"), method)
        await here.play(call(server, fallback=fallback, auth_token="hunter2"))
        for asked in server.requests:
            signed = Signed(
                bases=[server.url("")],
                target=asked.path,
                form=parse_form(asked.body),
                body=asked.body,
                signature=asked.headers["x-twilio-signature"],
                settings=None,
            )
            assert is_genuine(signed, Keys(tokens=("hunter2",)))
            assert not is_genuine(signed, Keys(tokens=("hunter3",)))


async def test_unsigned() -> None:
    """Without one, none is."""
    async with stage() as here, serving(scripted(voice=HELLO)) as server:
        await here.play(call(server))
        assert "x-twilio-signature" not in server.requests[0].headers


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (page(b"{}", headers=["Content-Type: application/json"]), 12300),
        (page(b"<Response/>"), 12300),
        (page(b"<Response>", headers=["Content-Type: text/xml"]), 12100),
        (page(b"<p>Oh</p>", headers=["Content-Type: text/html"]), 12102),
        (page(b" " * 70_000, headers=["Content-Type: text/xml"]), 11750),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 11770),
        (page(b"", status=404), 11217),
        (page(b"", status=302), 11216),
        (moved("/voice"), 11215),
        (b"what?\r\n", 11206),
        (resets, 11200),
    ],
)
async def test_error_codes(answer: Step, code: int) -> None:
    """The fallback is told what was wrong with the answer."""
    async with stage() as here, serving(scripted(voice=answer, retry=SORRY)) as server:
        found = await here.play(call(server))
        assert fields(server.requests[-1])["ErrorCode"] == str(code)
        assert found.outcome is Outcome.APOLOGISED


@pytest.mark.parametrize(
    ("url", "code", "tries"),
    [
        ("http://127.0.0.1:PORT/voice", "11202", 2),
        ("http://127.0.0.1:PORT/voice#rc=0", "11202", 1),
        ("http://127.0.0.1:PORT/voice#rc=4", "11202", 5),
        ("http://127.0.0.1:1/#rp=never", "11243", 0),
        ("ftp://app.example.com/", "11100", 0),
        ("/voice", "11100", 0),
    ],
)
async def test_never_reached(url: str, code: str, tries: int) -> None:
    """So it is told why the app could not even be asked; a refused connection is tried twice."""
    url = url.replace("PORT", str(closed_port()))
    async with stage() as here, serving(scripted(retry=SORRY)) as server:
        found = await here.play(call(server, first=Webhook(url)))
        (fallback,) = server.requests
        assert fields(fallback)["ErrorCode"] == code
        assert fields(fallback)["ErrorUrl"] == url.partition("#")[0]
        assert sum(isinstance(each.told, Unanswered) for each in found.events) == tries


# Time


async def test_silent_app() -> None:
    """An app that says nothing has 15 seconds, and the fallback has 15 of its own."""
    async with stage() as here, serving(scripted(voice=None, retry=None)) as server:
        session = here.begin(call(server))
        await requests(server, 1)
        here.clock.advance(14.9)
        assert len(server.requests) == 1
        here.clock.advance(0.1)
        await requests(server, 2)
        assert fields(server.requests[1])["ErrorCode"] == "11205"
        found = await session.over(within=15)
        assert found.outcome is Outcome.LOST
        assert (found.seconds, found.silence) == (30, 30)
        await server.all_gone()


@pytest.mark.parametrize(
    ("fragment", "limits", "seconds"),
    [
        ("#rt=3000", Limits(), 3),
        ("#tt=4000", Limits(), 4),
        ("", Limits(total=2), 2),
        ("#rt=9000&tt=15000", Limits(total=2), 2),
        ("#tt=16000", Limits(), 15),
    ],
)
async def test_less_patience(fragment: str, limits: Limits, seconds: float) -> None:
    """The fragment of a URL may shorten that, never lengthen it."""
    async with (
        stage(limits=limits) as here,
        serving(scripted(voice=None, retry=SORRY)) as server,
    ):
        session = here.begin(call(server, fragment))
        await requests(server, 1)
        found = await session.over(within=seconds)
        assert steps(found)[:3] == [f"first POST /voice{fragment}", "-", "failed 11205"]
        assert found.seconds == seconds


async def test_ignored_override() -> None:
    """What has no effect in a fragment is told."""
    found = await played("#ct=1", voice=HELLO)
    noted = [each.told for each in found.events if isinstance(each.told, Noted)]
    assert noted == [Noted("#ct=1 is not from 100 to 10000: ignored")]


async def test_tries_again_when_silent() -> None:
    """With ``rp=rt`` silence makes Twilio try again, within the time for all tries."""
    async with stage() as here, serving(scripted(voice=None, retry=SORRY)) as server:
        session = here.begin(call(server, "#rt=6000&rc=5&rp=rt"))
        for count, seconds in enumerate((6, 6, 3), start=1):
            await requests(server, count)
            here.clock.advance(seconds)
        found = await session.over()
        assert steps(found)[:7] == ["first POST /voice#rt=6000&rc=5&rp=rt", "-"] * 3 + [
            "failed 11203"
        ]
        tokens = {asked.headers["i-twilio-idempotency-token"] for asked in server.requests}
        assert len(tokens) == 2


async def test_no_time_for_another_try() -> None:
    """When the time for all is used up there is no other try."""
    async with stage() as here, serving(scripted(voice=None, retry=SORRY)) as server:
        session = here.begin(call(server, "#rt=5000&tt=5000&rc=5&rp=rt"))
        await requests(server, 1)
        found = await session.over(within=5)
        assert steps(found)[1:3] == ["-", "failed 11203"]


async def test_tries_again_at_once() -> None:
    """With ``rp=5xx`` an error makes Twilio try again, and the fallback is not needed."""
    found = await played("#rc=2&rp=5xx", voice=[DOWN, DOWN, HELLO])
    assert steps(found)[1::2] == ["503", "503", "200"]
    assert (found.outcome, found.reason) == (Outcome.SAVED, "nothing failed")


async def test_pauses() -> None:
    """A pause lasts, and is part of the silence before the next sound."""
    async with stage() as here:
        app = scripted(voice=twiml("<Say>Wait</Say><Pause length='30'/><Say>Hello</Say>"))
        async with serving(app) as server:
            session = here.begin(call(server))
            await session.until(Silence)
            found = await session.over(within=30)
    (_, wait, hello) = (each for each in found.events if isinstance(each.told, Silence | Heard))
    assert (wait.at, wait.told) == (0, Silence(30, "<Pause>"))
    assert (hello.at, hello.silence) == (30, 30)
    assert found.silence == 30


async def test_cancelled() -> None:
    """Whoever stops playing leaves nothing behind."""
    async with stage() as here, serving(scripted(voice=None)) as server:
        session = here.begin(call(server))
        await requests(server, 1)
        session.playing.cancel()
        with pytest.raises(CancelledError):
            await session.playing
        await server.all_gone()


# HTTP


async def test_http_redirects() -> None:
    """Redirects of HTTP are followed, and the app is asked by GET without a verb's results."""
    menu = twiml("<Gather action='/menu' numDigits='1'/>")
    paths = {"voice": menu, "menu": moved("/moved"), "moved": moved("/kept", 307), "kept": NEXT}
    async with stage() as here, serving(scripted(**paths, next=HELLO)) as server:
        found = await here.play(call(server, digits="1"))
        _, menu_asked, moved_asked, *_ = map(fields, server.requests)
        assert (menu_asked.pop("Digits"), menu_asked) == ("1", moved_asked)
    assert [step for step in steps(found) if "/" in step] == [
        "first POST /voice",
        "action POST /menu",
        "action GET /moved",
        "action GET /kept",
        "redirect POST /next",
    ]


async def test_relative_to_where_it_came_from() -> None:
    """What a document names is relative to where HTTP's redirects have led."""
    paths = {"voice": moved("/a/b"), "a/b": twiml("<Redirect>c</Redirect>"), "a/c": HELLO}
    async with stage() as here, serving(scripted(**paths)) as server:
        found = await here.play(call(server))
    assert steps(found)[-3:] == ["redirect POST /a/c", "200", "heard Hello"]


async def test_cookies() -> None:
    """Cookies are kept during a call, and not from one call to the next."""
    first = twiml("<Redirect>/next</Redirect>", "Set-Cookie: a=b; Path=/")
    async with stage() as here, serving(scripted(voice=first, next=HELLO)) as server:
        for _ in range(2):
            await here.play(call(server))
        cookies = [asked.headers.get("cookie") for asked in server.requests]
    assert cookies == [None, "a=b", None, "a=b"]


async def test_login() -> None:
    """The login in a URL is shown when the app asks for it."""
    who = page(b"", status=401, headers=["WWW-Authenticate: Basic realm=app"])
    async with stage() as here, serving(scripted(voice=[who, HELLO])) as server:
        first = Webhook(server.url("/voice", login="me:hunter2@"))
        found = await here.play(call(server, first=first))
        logins = [asked.headers.get("authorization") for asked in server.requests]
    assert logins == [None, "Basic bWU6aHVudGVyMg=="]
    assert found.outcome is Outcome.SAVED


async def test_tls() -> None:
    """An app behind TLS with a certificate that is good is asked, and no other."""
    authority = Authority()
    fallback = serving(scripted(retry=SORRY))
    good, bad = (authority.issue(name) for name in ("127.0.0.1", "other.example.com"))
    async with stage(trust_root=authority.trust_root) as here, fallback as server:
        for tls, expected in ((good, Outcome.SAVED), (bad, Outcome.APOLOGISED)):
            async with serving(scripted(voice=HELLO), tls=tls) as app:
                found = await here.play(call(server, first=Webhook(app.url("/voice"))))
            assert found.outcome is expected
        assert [fields(asked)["ErrorCode"] for asked in server.requests] == ["11235"]


# Messages


def message(server: WebServer) -> Message:
    return Message(
        first=Webhook(server.url("/sms")), fallback=Webhook(server.url("/retry")), body="Hi there"
    )


@pytest.mark.parametrize(
    ("paths", "outcome", "told"),
    [
        ({"sms": twiml("<Message>Hello</Message>")}, Outcome.SAVED, Heard(Manner.MESSAGE, "Hello")),
        ({"sms": twiml()}, Outcome.SAVED, None),
        (
            {"sms": page(b"oh no", headers=["Content-Type: text/plain"])},
            Outcome.SAVED,
            Heard(Manner.MESSAGE, "oh no"),
        ),
        (
            {"sms": twiml("<Pause/>")},
            Outcome.SAVED,
            Warned(14110, "<Pause> is not for messages"),
        ),
        (
            {"sms": DOWN, "retry": twiml("<Message>Sorry</Message>")},
            Outcome.APOLOGISED,
            Heard(Manner.MESSAGE, "Sorry"),
        ),
        (
            {"sms": DOWN, "retry": DOWN},
            Outcome.LOST,
            Noted("the message stays without an answer"),
        ),
    ],
)
async def test_messages(paths: dict[str, Step], outcome: Outcome, told: object) -> None:
    """A message goes the same way, and ends with a reply, or without."""
    async with stage() as here, serving(scripted(**paths)) as server:
        found = await here.play(message(server))
        assert {fields(asked)["Body"] for asked in server.requests} == {"Hi there"}
    assert found.outcome is outcome
    before_end = found.events[-2].told
    assert told is None or before_end == told
    assert isinstance(found.events[-1].told, Ended)


async def test_by_their_names() -> None:
    """Calls and messages get SIDs of their kinds; nobody needs to be told how they go."""
    app = scripted(voice=HELLO, sms=twiml())
    async with stage() as here, serving(app) as server:
        a_call = await play_call(call(server, sid=""), here.surroundings)
        a_message = await play_message(message(server), here.surroundings)
    assert (a_call.sid[:2], a_message.sid[:2]) == ("CA", "SM")
