"""The endpoint table: which endpoint a URL belongs to, whatever the order of the file."""

from __future__ import annotations

import re
from time import perf_counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from boomerang.endpoints.table import EndpointTable
from boomerang.settings.endpoints import Endpoint, endpoint_problems
from boomerang.urls import WebUrl, parse_url

HOSTS = ("app.example.com", "b.example.com", "app.example.org")


def endpoint(match: str, *host: str) -> Endpoint:
    return Endpoint(name=f"{match} {host}", match=match, host=host)


def url(path: str, host: str = "app.example.com") -> WebUrl:
    return parse_url(f"https://{host}{path}")


ENDPOINTS = [
    endpoint("/"),
    endpoint("/caller/:id/pause"),
    endpoint("/caller/:id/pause", "*.example.org"),
    endpoint("/caller/:id/pause", "b.example.com", "c.example.com"),
    endpoint("/caller/:id/*"),
    endpoint("/caller/start_calling"),
    endpoint("/caller/:id"),
    endpoint("/caller/*"),
    endpoint("/:what/17/pause"),
    endpoint("/only/here", "b.example.com"),
    endpoint("/n%C3%A4her"),
]


@pytest.mark.parametrize("endpoints", [ENDPOINTS, ENDPOINTS[::-1]])
@pytest.mark.parametrize(
    ("asked", "found"),
    [
        (url("/"), "/ ()"),
        (url("/caller/17/pause"), "/caller/:id/pause ()"),
        (url("/caller/17/pause/"), "/caller/:id/pause ()"),
        (url("/caller/17/pause?session=1"), "/caller/:id/pause ()"),
        (url("/caller/17/p%61use"), "/caller/:id/pause ()"),
        (url("/caller/17/pause", "x.example.org"), "/caller/:id/pause ('*.example.org',)"),
        (
            url("/caller/17/pause", "c.example.com"),
            "/caller/:id/pause ('b.example.com', 'c.example.com')",
        ),
        (url("/caller/17/stop"), "/caller/:id/* ()"),
        (url("/caller/17/pause/now"), "/caller/:id/* ()"),
        (url("/caller/start_calling"), "/caller/start_calling ()"),
        (url("/caller/start_calling/x"), "/caller/:id/* ()"),
        (url("/caller/17"), "/caller/:id ()"),
        (url("/caller"), "/caller/* ()"),
        (url("/caller//pause"), "/caller/* ()"),
        (url("/dialer/17/pause"), "/:what/17/pause ()"),
        (url("/only/here", "b.example.com"), "/only/here ('b.example.com',)"),
        (url("/n%c3%a4her"), "/n%C3%A4her ()"),
        (url("/näher"), "/n%C3%A4her ()"),
        (url("/only/here"), None),
        (url("/Caller/start_calling"), None),
        (url("/x"), None),
        (url("//"), None),
    ],
)
def test_find(endpoints: list[Endpoint], asked: WebUrl, found: str | None) -> None:
    """The most specific endpoint is found, wherever it stands in the file."""
    there = EndpointTable(endpoints).find(asked)
    assert (there and there.name) == found


def test_matching() -> None:
    """All that match are listed, the most specific first."""
    found = EndpointTable(ENDPOINTS).matching(url("/caller/17/pause", "x.example.org"))
    assert [each.name for each in found] == [
        "/caller/:id/pause ('*.example.org',)",
        "/caller/:id/pause ()",
        "/caller/:id/* ()",
        "/caller/* ()",
        "/:what/17/pause ()",
    ]


def test_empty() -> None:
    """Without endpoints nothing is found."""
    assert EndpointTable([]).find(url("/a")) is None


def test_time() -> None:
    """A long URL made to try everything costs no more than the table has paths."""
    deep = [endpoint("/a" * n + "/:x" * (12 - n) + "/end") for n in range(13)]
    asked = url("/a" * 3000)
    table = EndpointTable(deep)
    start = perf_counter()
    for _ in range(100):
        assert table.find(asked) is None
    assert perf_counter() - start < 1.0  # it takes some 10 ms


# The same by brute force: every pattern a regular expression, all of them tried and sorted.

segment = st.sampled_from(["a", "b", ":x", ":y"])
matches = st.builds(
    lambda parts, rest: "/" + "/".join([*parts, *(["*"] if rest else [])]),
    st.lists(segment, max_size=3),
    st.booleans(),
)
endpoints_without_problems = st.lists(
    st.builds(endpoint, matches, st.sampled_from(["*", *HOSTS, "*.example.com", "*.com", "app.*"]))
    | st.builds(endpoint, matches),
    max_size=6,
    unique_by=lambda each: each.name,
).filter(lambda them: not list(endpoint_problems(them)))
asked_urls = st.builds(
    url,
    st.lists(st.sampled_from(["a", "b", "c", "%61", ""]), max_size=4).map(
        lambda parts: "/" + "/".join(parts)
    ),
    st.sampled_from(HOSTS),
)


def fits_by_regex(each: Endpoint, asked: WebUrl) -> bool:
    path = re.sub("%61", "a", asked.path)
    wanted = re.sub(r":\w", "[^/]+", each.match.removesuffix("*").removesuffix("/"))
    rest = "(/.*)?" if each.match.endswith("*") else "/?"
    hosts = [re.escape(host).replace(r"\*", ".*") for host in each.host] or [".*"]
    return bool(re.fullmatch(wanted + rest, path) and re.fullmatch("|".join(hosts), asked.host))


def worth(each: Endpoint) -> tuple[object, ...]:
    """Literal, parameter, end, rest at each place; then the host: whole, longer, any, none."""
    letters = {"*": "3", "": "2", ":x": "1", ":y": "1"}
    places = [letters.get(part, "0") for part in f"{each.match.strip('/')}/".split("/")]
    host = each.host[0] if each.host else None
    return (
        "".join(places) if each.match != "/" else "2",
        host is None,
        "*" in (host or ""),
        -len((host or "").replace("*", "")),
    )


@given(endpoints_without_problems, asked_urls)
def test_like_brute_force(endpoints: list[Endpoint], asked: WebUrl) -> None:
    """The table finds what trying every pattern finds."""
    expected = sorted((each for each in endpoints if fits_by_regex(each, asked)), key=worth)
    assert list(EndpointTable(endpoints).matching(asked)) == expected


@given(
    endpoints_without_problems.flatmap(
        lambda them: st.tuples(st.just(them), st.permutations(them))
    ),
    asked_urls,
)
def test_order(both: tuple[list[Endpoint], list[Endpoint]], asked: WebUrl) -> None:
    """The order of the file never matters."""
    one, other = both
    assert EndpointTable(one).find(asked) == EndpointTable(other).find(asked)
