"""Patterns of paths and hosts: what they match, what is no pattern, which is the more specific."""

from __future__ import annotations

from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from boomerang.endpoints.patterns import (
    EXPECTED,
    PARAMETER,
    REST,
    Kind,
    Pattern,
    Segment,
    host_covers,
    host_fits,
    host_matcher,
    host_rank,
    hosts_overlap,
    parse_path,
    path_rank,
    segments_of,
)
from boomerang.urls import parse_url


def literal(text: str) -> Segment:
    return Segment(Kind.LITERAL, text)


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("/", ()),
        ("/?", ()),
        ("/*", (REST,)),
        ("/callin/create", (literal("callin"), literal("create"))),
        ("/callin/create/", (literal("callin"), literal("create"))),
        ("/caller/:id/pause", (literal("caller"), PARAMETER, literal("pause"))),
        ("/transfer/:id/end?", (literal("transfer"), PARAMETER, literal("end"))),
        ("/transfer/:id/?", (literal("transfer"), PARAMETER)),
        ("/:a/:b2/:_c", (PARAMETER, PARAMETER, PARAMETER)),
        ("/a/*", (literal("a"), REST)),
        ("/a/*?", (literal("a"), REST)),
        ("/a:b", (literal("a:b"),)),
        ("/%3Aid/%2A", (literal(":id"), literal("*"))),
        ("/n%C3%A4her", (literal("näher"),)),
        ("/näher", (literal("näher"),)),
        ("/a%2Fb", (literal("a/b"),)),
        ("/a.xml", (literal("a.xml"),)),
    ],
)
def test_parse_path(text: str, path: tuple[Segment, ...]) -> None:
    """A path is understood as operators write it."""
    assert parse_path(text) == path


@pytest.mark.parametrize(
    "text",
    [
        "",
        "?",
        "*",
        "callin",
        "https://app.example.com/callin",
        "//",
        "/a//b",
        "/a//",
        "/a b",
        "/a\nb",
        "/a\\b",
        "/:",
        "/:1",
        "/:id.xml",
        "/a/*/b",
        "/a/*/",
        "/a/**",
        "/a*",
        "/a?b",
        "/a?b=c",
        "/a??",
        "/a#b",
        "/" + "a" * 16000,
    ],
)
def test_no_path(text: str) -> None:
    """What cannot be meant as a path is refused."""
    with pytest.raises(ValueError, match="a path like") as error:
        parse_path(text)
    assert str(error.value) == EXPECTED


@pytest.mark.parametrize(
    ("path", "segments"),
    [
        ("/", []),
        ("/a", ["a"]),
        ("/a/", ["a"]),
        ("/a/b", ["a", "b"]),
        ("//", [""]),
        ("/a//b", ["a", "", "b"]),
        ("/a//", ["a", ""]),
        ("/a%20b/%41", ["a b", "A"]),
        ("/a%2Fb", ["a/b"]),
        ("/a%zz", ["a%zz"]),
        ("/%ff", ["\udcff"]),
    ],
)
def test_segments_of(path: str, segments: list[str]) -> None:
    """Segments are what stands between slashes, decoded; one final slash makes no more."""
    assert segments_of(path) == segments


@pytest.mark.parametrize(
    ("match", "path", "fits"),
    [
        ("/", "", True),
        ("/", "/", True),
        ("/", "/a", False),
        ("/a", "/a", True),
        ("/a", "/a/", True),
        ("/a/", "/a", True),
        ("/a", "/A", False),
        ("/a", "/ab", False),
        ("/a", "/a/b", False),
        ("/a", "/a//", False),
        ("/a", "/%61", True),
        ("/a", "/a?b=c#d", True),
        ("/a?", "/a", True),
        ("/a?", "/a?b=c", True),
        ("/a/:id", "/a/1", True),
        ("/a/:id", "/a/1/", True),
        ("/a/:id", "/a/:id", True),
        ("/a/:id", "/a/b%2Fc", True),
        ("/a/:id", "/a", False),
        ("/a/:id", "/a/", False),
        ("/a/:id", "/a//", False),
        ("/a/:id", "/a/1/2", False),
        ("/a/:id/b", "/a/1/b", True),
        ("/a/:id/b", "/a//b", False),
        ("/a/:id/b", "/a/1/c", False),
        ("/a/:id/b", "/b/1/b", False),
        ("/a/*", "/a", True),
        ("/a/*", "/a/", True),
        ("/a/*", "/a/b", True),
        ("/a/*", "/a/b//c/", True),
        ("/a/*", "/ab", False),
        ("/:x/*", "/", False),
        ("/:x/*", "/a/b", True),
        ("/*", "/", True),
        ("/*", "/a/b", True),
    ],
)
def test_fits(match: str, path: str, fits: bool) -> None:
    """A path is matched segment by segment; the query does not count."""
    url = parse_url(f"https://app.example.com{path}")
    assert Pattern(parse_path(match)).fits(url) is fits


@pytest.mark.parametrize(
    ("host", "name", "fits"),
    [
        (None, "app.example.com", True),
        ("app.example.com", "app.example.com", True),
        ("app.example.com", "app.example.org", False),
        ("*.example.com", "app.example.com", True),
        ("*.example.com", "a.b.example.com", True),
        ("*.example.com", "example.com", False),
        ("*", "app.example.com", True),
        ("[::1]", "[::1]", True),
        ("[::1]", ":", False),
    ],
)
def test_host_fits(host: str | None, name: str, fits: bool) -> None:
    """A host is matched like those of ``allowed_hosts``; none fits any."""
    assert host_fits(host, name) is fits
    assert Pattern((), host).fits(parse_url("https://app.example.com")) is host_fits(
        host, "app.example.com"
    )


@pytest.mark.parametrize(
    "paths",
    [
        ("/a", "/:x", "/*"),
        ("/a/:x", "/:x/a"),
        ("/a/b/c", "/a/b/:x", "/a/:x/c", "/a/:x/:y", "/a/:x/*", "/a/*", "/:x/b/c", "/*"),
        ("/a", "/a/*"),
        ("/", "/*"),
    ],
)
def test_path_rank(paths: tuple[str, ...]) -> None:
    """A literal beats a parameter, that any rest, the end any rest; earlier segments decide."""
    ranks = [path_rank(parse_path(path)) for path in paths]
    assert ranks == sorted(ranks)
    assert len(set(ranks)) == len(ranks)


def test_host_rank() -> None:
    """A whole name beats a pattern, more letters beat fewer, and any host beats none."""
    hosts = ["a.example.com", "*a.example.com", "*.example.com", "*.com", "*", None]
    ranks = [host_rank(host) for host in hosts]
    assert ranks == sorted(ranks)
    assert len(set(ranks)) == len(ranks)
    assert host_rank("a*b") == host_rank("*ab") == host_rank("**ab")


@pytest.mark.parametrize(
    ("one", "other", "overlap"),
    [
        (None, None, True),
        (None, "a", True),
        ("a", "a", True),
        ("a", "b", False),
        ("*.a", "x.a", True),
        ("*.a", "x.b", False),
        ("*.a", "*.b", False),
        ("*.a", "*.b.a", True),
        ("x.*", "*.a", True),
        ("x.*", "y.*", False),
        ("x.*", "xy.*", False),
        ("x*", "xy.*", True),
        ("*a*", "*b*", True),
        ("x*a", "x*b", False),
        ("*", "[::1]", True),
        ("[::1]", "[::2]", False),
    ],
)
def test_hosts_overlap(one: str | None, other: str | None, overlap: bool) -> None:
    """Two patterns overlap if a host could fit both."""
    assert hosts_overlap(one, other) is overlap
    assert hosts_overlap(other, one) is overlap


@pytest.mark.parametrize(
    ("wide", "narrow", "covers"),
    [
        (None, None, True),
        (None, "a", True),
        ("*", None, True),
        ("**", None, True),
        ("*.a", None, False),
        ("a", None, False),
        ("a", "a", True),
        ("*.a", "x.a", True),
        ("*.a", "*.x.a", True),
        ("*.a", "*.a", True),
        ("*.x.a", "*.a", False),
        ("x.a", "*.a", False),
        ("*a*", "*.a.*", True),
        ("*", "[::1]", True),
    ],
)
def test_host_covers(wide: str | None, narrow: str | None, covers: bool) -> None:
    """A pattern covers another if whatever fits that one fits it, too."""
    assert host_covers(wide, narrow) is covers


LETTERS: Final = st.text("ab.-*?[]!", min_size=1, max_size=6)


@given(pattern=st.none() | LETTERS, name=st.text("ab.-[]\n", min_size=1, max_size=6))
def test_matchers(pattern: str | None, name: str) -> None:
    """A matcher for many names says of each what is said of one name."""
    assert bool(host_matcher(pattern)(name)) == host_fits(pattern, name)
