"""Messages through the real Apprise, to a server on this machine."""

from __future__ import annotations

from functools import partial

import pytest
from twisted.internet import reactor
from twisted.internet.defer import Deferred

from boomerang.monitor.notify.message import Message
from boomerang.monitor.notify.sending import channels, url_problems
from boomerang.threads import daemon_threads
from tests.logging_heard import logging_heard
from tests.monitor.notify.listener import Listener, listening
from tests.servers import HOST, free_port

in_thread = daemon_threads(reactor, name="test", most=1)

DOWN = Message("[e] wéb is down", "wéb has been down <since>\nEnvironment: e", "failure")
UP = Message("[e] wéb is up again", "It took\n\n5 s & more", "success")


def send(url: str, message: Message = DOWN) -> Deferred[bool]:
    """Send a message as the service does: in another thread."""
    (channel,) = channels([url])
    return in_thread(partial(channel.send, message))


@pytest.mark.parametrize("scheme", ["json", "form"])
async def test_arrives(scheme: str) -> None:
    """Title, body and kind arrive as they are."""
    listener = Listener()
    async with listening(listener) as where:
        assert await send(f"{scheme}://user:hush@{where}/path") is True
        assert await send(f"{scheme}://{where}", UP) is True
    assert listener.heard == [("/path", DOWN.title, DOWN.body), ("/", UP.title, UP.body)]
    assert listener.kinds == ["failure", "success"]


@pytest.mark.parametrize("status", [400, 404, 429, 500])
async def test_refused(status: int) -> None:
    """A server that refuses a message has not taken it."""
    async with listening(Listener(status=status)) as where:
        assert await send(f"json://{where}") is False


async def test_nobody_there() -> None:
    """A message to nobody is not taken."""
    assert await send(f"json://{HOST}:{free_port()}") is False


async def test_hanging() -> None:
    """A server that does not answer is left after the time that the URL says (4 s without)."""
    async with listening(Listener(hanging=True)) as where:
        assert await send(f"json://{where}?rto=0.1") is False


def test_channels() -> None:
    """An address is known by a digest, and by number and scheme; the URL is in neither."""
    first, second = channels(["json://hush.example.com", "JSONS://hush.example.com/key"])
    assert (first.label, second.label) == ("number 1 (json)", "number 2 (jsons)")
    assert len({first.id, second.id}) == 2
    assert first.id == channels(["json://hush.example.com"])[0].id
    assert "hush" not in f"{first} {second}"


@pytest.mark.parametrize(
    ("url", "label"),
    [
        ("hush://example.com", "(hush)"),
        ("slack://hush", "(slack)"),
        ("json://", "(json)"),
        ("mqtt://example.com/topic", "(mqtt)"),
        ("hush", "(without a scheme)"),
        ("", "(without a scheme)"),
    ],
)
def test_problems(url: str, label: str) -> None:
    """A URL that Apprise cannot use is told by its number and scheme."""
    assert list(url_problems(["json://example.com", url])) == [
        f"notify.urls: number 2 {label} is expected to be a URL that Apprise knows, of a service"
        " whose own packages are installed"
    ]


def test_no_problems() -> None:
    """Good URLs have no problems."""
    urls = ["json://user:pw@example.com", "mailto://user:pw@gmail.com", "jsons://example.com/a"]
    assert list(url_problems(urls)) == []


def test_twice() -> None:
    """The same URL twice is one too many."""
    urls = ["json://a", "json://b", "json://a"]
    assert list(url_problems(urls)) == ["notify.urls: number 3 (json) is the same as number 1"]


async def test_quiet() -> None:
    """Apprise's own words, URLs included, reach no log that somebody set up."""
    with logging_heard() as messages:
        assert list(url_problems(["slack://hush"]))
        assert await send(f"json://{HOST}:{free_port()}/hush") is False
        async with listening(Listener(status=500)) as where:
            assert await send(f"json://{where}/hush") is False
    assert messages == []
