"""The endpoint table's keys, and what is wrong with endpoints among each other."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from boomerang.endpoints.fallback import FallbackText
from boomerang.settings import RetrySettings
from boomerang.settings.declarations import REQUIRED
from boomerang.settings.endpoints import Endpoint, by_path, chosen, endpoint_problems
from boomerang.settings.load import keys_of

DECLARED = {declared.name: declared for declared in keys_of(Endpoint)}

# For each key: what the file may say, the value that stands for it, and one that is wrong.
ALL: list[tuple[str, object, object, object]] = [
    ("name", "ready.to-call2", "ready.to-call2", "ready to call"),
    ("match", "/caller/:id?", "/caller/:id?", "caller"),
    ("host", "*.example.com", ("*.example.com",), "https://a"),
    ("audience", ["phone", "the boss"], ("phone", "the boss"), []),
    ("mode", "async", "async", "later"),
    ("retry", False, False, "never"),
    ("wait", 14, 14.0, 14.5),
    ("window", 60, 60.0, 0),
    ("attempts", 0, 0, 11),
    ("method", "GET", "GET", "PUT"),
    ("codes", [11200], ("11200",), ["busy"]),
    ("probe", "https://a/health", "https://a/health", "a/health"),
    ("hold_limit", 600, 600.0, 601),
    ("hold_message", "One moment.", "One moment.", ""),
    ("release_rate", 0.5, 0.5, -1),
    ("circuit", True, True, "open"),
    ("fallback", "apology", FallbackText(either="apology"), "sorry"),
]

SAME_AS_RETRY = [
    "wait",
    "window",
    "attempts",
    "method",
    "codes",
    "probe",
    "hold_limit",
    "hold_message",
    "release_rate",
    "circuit",
    "fallback",
]


def endpoint(name: str = "e", match: str = "/e", *host: str, **keys: Any) -> Endpoint:
    return Endpoint(name=name, match=match, host=host, **keys)


def test_table_is_complete() -> None:
    """Each key of an endpoint is in the table of these tests."""
    assert [name for name, *_ in ALL] == list(DECLARED)


@pytest.mark.parametrize(("name", "raw", "value", "wrong"), ALL)
def test_key(name: str, raw: object, value: object, wrong: object) -> None:
    """Each key has a help text, takes what is right, and refuses what is wrong."""
    declaration = DECLARED[name].declaration
    assert declaration.help
    assert declaration.kind(raw) == value
    with pytest.raises(ValueError, match=r"\S"):
        declaration.kind(wrong)


def test_required() -> None:
    """An endpoint needs a name and a path, and nothing else."""
    assert [name for name, key in DECLARED.items() if key.default is REQUIRED] == ["name", "match"]


def test_as_in_retry() -> None:
    """What can differ from [retry] is a setting there too, and not given unless it is."""
    retry = {field.name for field in attrs.fields(RetrySettings)}
    assert [name for name, key in DECLARED.items() if key.default is None] == SAME_AS_RETRY
    assert set(SAME_AS_RETRY) <= retry


@pytest.mark.parametrize(
    ("of", "name", "value"),
    [
        (None, "wait", 3.0),
        (endpoint(), "wait", 3.0),
        (endpoint(wait=5.0), "wait", 5.0),
        (endpoint(wait=0.0), "wait", 0.0),
        (endpoint(circuit=False), "circuit", False),
        (endpoint(), "circuit", True),
    ],
)
def test_chosen(of: Endpoint | None, name: str, value: object) -> None:
    """What the endpoint does not say is as in [retry]; no and nothing are said, too."""
    assert chosen(of, RetrySettings(wait=3.0, circuit=True), name) == value


def test_by_path() -> None:
    """Endpoints whose paths differ only in how they are written are rivals."""
    a, b, c = endpoint("a", "/x/:id"), endpoint("b", "/x/:name/?", "h", "i"), endpoint("c", "/y")
    assert list(by_path([a, b, c]).values()) == [[(None, a), ("h", b), ("i", b)], [(None, c)]]


@pytest.mark.parametrize(
    "endpoints",
    [
        [],
        [endpoint("a", "/a"), endpoint("b", "/b")],
        [endpoint("a", "/a"), endpoint("b", "/:x"), endpoint("c", "/*")],
        [endpoint("a", "/a"), endpoint("b", "/A")],
        [endpoint("a", "/a"), endpoint("b", "/a", "h")],
        [endpoint("a", "/a", "h"), endpoint("b", "/a", "i")],
        [endpoint("a", "/a", "*.example.com"), endpoint("b", "/a", "*.b.example.com")],
        [endpoint("a", "/a", "*.b.com"), endpoint("b", "/a", "*.c.com")],
        [endpoint("a", "/a", "*.com", "a.*")],
        [endpoint("a", "/:x/b"), endpoint("b", "/a/:x")],
    ],
)
def test_good_together(endpoints: list[Endpoint]) -> None:
    """These can be told apart by any URL."""
    assert list(endpoint_problems(endpoints)) == []


def tie(one: str, other: str) -> str:
    return (
        f'endpoint "{other}" ties with "{one}": some URLs match both, and neither is more specific'
    )


@pytest.mark.parametrize(
    ("endpoints", "problems"),
    [
        (
            [endpoint("web", "/a"), endpoint("Web", "/b"), endpoint("web", "/c")],
            [
                'endpoint "Web" is there more than once (letter case does not count)',
                'endpoint "web" is there more than once (letter case does not count)',
            ],
        ),
        (
            [endpoint("Unknown", "/a")],
            ['endpoint "Unknown": that is what URLs of no endpoint are called'],
        ),
        ([endpoint("a", "/x"), endpoint("b", "/x/?")], [tie("a", "b")]),
        ([endpoint("a", "/:id"), endpoint("b", "/:name")], [tie("a", "b")]),
        ([endpoint("a", "/x/*"), endpoint("b", "/x/*")], [tie("a", "b")]),
        ([endpoint("a", "/x", "h"), endpoint("b", "/x", "i", "h")], [tie("a", "b")]),
        ([endpoint("a", "/x", "*.b.com"), endpoint("b", "/x", "a.*.co*")], []),
        ([endpoint("a", "/x", "*.b.com"), endpoint("b", "/x", "a.*.com")], [tie("a", "b")]),
        (
            [
                endpoint("a", "/x", "h", "i"),
                endpoint("b", "/x", "h", "i"),
                endpoint("c", "/x", "i"),
            ],
            [tie("a", "b"), tie("a", "c"), tie("b", "c")],
        ),
    ],
)
def test_wrong_together(endpoints: list[Endpoint], problems: list[str]) -> None:
    """Names that are there twice, and endpoints that tie, are all named."""
    assert list(endpoint_problems(endpoints)) == problems
