"""What comes after a try: another one, or what became of the webhook."""

from __future__ import annotations

import pytest
from attrs import evolve

from boomerang.standin.answer import Answer
from boomerang.standin.failure import Failure, NoAnswer
from boomerang.standin.overrides import Overrides
from boomerang.standin.request import Request
from boomerang.standin.script import Webhook
from boomerang.standin.tries import MOST_REDIRECTS, Try, after

URL = "https://app.example.com/voice?x=1#rc=3"
STANDARD = (("CallSid", "CA1"),)
RESULTS = (("Digits", "1"),)
REQUEST = Request(Webhook(URL), STANDARD, RESULTS)
FIRST = Try(REQUEST)

REFUSED = NoAnswer(11202, "refused", "ct")
SILENT = NoAnswer(11205, "silent", "rt")
BROKEN = NoAnswer(11200, "broken off", None)

DEFAULT = Overrides()


def policies(*words: str, retries: int = 1) -> Overrides:
    return Overrides(retries=retries, retry_on=frozenset(words))


@pytest.mark.parametrize(
    ("outcome", "overrides", "tries"),
    [
        (REFUSED, DEFAULT, 2),
        (REFUSED, policies("ct", retries=0), 1),
        (REFUSED, policies("ct", retries=5), 6),
        (REFUSED, policies("rt"), 1),
        (REFUSED, policies("all"), 2),
        (SILENT, DEFAULT, 1),
        (SILENT, policies("ct", "rt"), 2),
        (BROKEN, policies("all", retries=5), 1),
        (Answer(503), DEFAULT, 1),
        (Answer(503), policies("4xx"), 1),
        (Answer(503), policies("5xx", retries=2), 3),
        (Answer(404), policies("4xx"), 2),
        (Answer(404), policies("all"), 2),
        (Answer(200), policies("all"), 1),
    ],
)
def test_tries(outcome: Answer | NoAnswer, overrides: Overrides, tries: int) -> None:
    """The same request is made again as often as the fragment asks for (by default once, if no
    connection was made), and never after part of an answer."""
    step: Try | Answer | Failure = FIRST
    made = 0
    while isinstance(step, Try):
        made += 1
        assert step == evolve(FIRST, number=made)
        step = after(step, outcome, overrides)
    assert made == tries
    if isinstance(outcome, Answer):
        assert step is outcome
    else:
        assert step == Failure(outcome.code, outcome.words)


def redirect(status: int, location: str = "/moved") -> Answer:
    return Answer(status, (("location", location),))


@pytest.mark.parametrize(
    ("status", "method", "results"),
    [
        (301, "GET", ()),
        (302, "GET", ()),
        (303, "GET", ()),
        (307, "POST", RESULTS),
        (308, "POST", RESULTS),
    ],
)
def test_redirect(status: int, method: str, results: tuple[tuple[str, str], ...]) -> None:
    """A redirect is followed with the standard parameters; only 307 and 308 keep the rest."""
    moved = Webhook("https://app.example.com/moved", method)
    assert after(FIRST, redirect(status), DEFAULT) == Try(
        Request(moved, STANDARD, results), redirects=1
    )


@pytest.mark.parametrize(
    ("location", "url"),
    [
        ("https://other.example.com/", "https://other.example.com/"),
        ("?y=2", "https://app.example.com/voice?y=2"),
        ("menu", "https://app.example.com/menu"),
    ],
)
def test_location(location: str, url: str) -> None:
    """Where it leads may be relative."""
    step = after(FIRST, redirect(307, location), DEFAULT)
    assert isinstance(step, Try)
    assert step.request.webhook.url == url


def test_most_redirects() -> None:
    """Ten redirects are followed, not eleven, and the number of the try stays."""
    step: Try | Answer | Failure = evolve(FIRST, number=2)
    for count in range(1, MOST_REDIRECTS + 1):
        assert isinstance(step, Try)
        step = after(step, redirect(302), DEFAULT)
        assert isinstance(step, Try)
        assert (step.redirects, step.number) == (count, 2)
    assert isinstance(step, Try)
    assert after(step, redirect(302), DEFAULT) == Failure(11215, "more than 10 HTTP redirects")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Answer(302), "answered 302 without a Location"),
        (redirect(302, ""), "answered 302 without a Location"),
        (redirect(307, "mailto:me@example.com"), "answered 307 with a Location that leads nowhere"),
        (redirect(302, "http://[::1"), "answered 302 with a Location that leads nowhere"),
    ],
)
def test_bad_redirect(answer: Answer, words: str) -> None:
    """A redirect to nowhere is a failure."""
    assert after(FIRST, answer, DEFAULT) == Failure(11216, words)


def with_login(url: str) -> Try:
    return Try(Request(Webhook(url), STANDARD))


BASIC = Answer(401, (("www-authenticate", 'Basic realm="app"'),))


def test_login() -> None:
    """Name and password are shown when they are asked for, once, and not as another try."""
    made = with_login("https://me:hunter2@app.example.com/")
    shown = after(made, BASIC, DEFAULT)
    assert shown == evolve(made, request=evolve(made.request, login=True))
    assert after(evolve(made, request=evolve(made.request, login=True)), BASIC, DEFAULT) is BASIC


@pytest.mark.parametrize(
    ("url", "answer"),
    [
        ("https://app.example.com/", BASIC),
        ("https://me:hunter2@app.example.com/", Answer(401)),
        ("https://me:hunter2@app.example.com/", Answer(401, (("www-authenticate", "Bearer"),))),
        ("https://me:hunter2@app.example.com/", Answer(403, BASIC.headers)),
    ],
)
def test_no_login(url: str, answer: Answer) -> None:
    """Without a login, or without being asked for it, the answer stands."""
    assert after(with_login(url), answer, DEFAULT) is answer


@pytest.mark.parametrize(
    ("location", "login"),
    [("/moved", True), ("https://me:b@app.example.com/", True), ("http://app.example.com/", False)],
)
def test_login_elsewhere(location: str, login: bool) -> None:
    """A redirect to another server does not take the login along."""
    made = with_login("https://me:hunter2@app.example.com/")
    shown = evolve(made, request=evolve(made.request, login=True))
    step = after(shown, redirect(307, location), DEFAULT)
    assert isinstance(step, Try)
    assert step.request.login is login
