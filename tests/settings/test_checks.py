"""What a check may be: its keys, the URLs of each kind, and what contradicts."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from boomerang.settings.checks import (
    KINDS,
    RECORDS,
    Check,
    DnsQuestion,
    check_problems,
    contradictions,
    dns_question,
    target_problem,
    tcp_target,
)
from boomerang.settings.declarations import REQUIRED
from boomerang.settings.load import keys_of

DECLARED = {declared.name: declared for declared in keys_of(Check)}

# For each key: what the file may say, the value that stands for it, and one that is wrong.
ALL: list[tuple[str, object, object, object]] = [
    ("name", "app.web-2", "app.web-2", "web 2"),
    ("url", "https://a/", "https://a/", ""),
    ("kind", "statuspage", "statuspage", "smtp"),
    ("interval", 0.5, 0.5, 0),
    ("timeout", 300, 300.0, 301),
    ("slow", 0.25, 0.25, 0),
    ("failures", 1, 1, 0),
    ("successes", 100, 100, 101),
    ("depends_on", ["db", "dns"], ("db", "dns"), [""]),
    ("critical", True, True, 1),
    ("runbook_url", "https://a/runbook", "https://a/runbook", "runbook"),
    ("method", "HEAD", "HEAD", "DELETE"),
    ("headers", {"Accept": "a/b"}, {"Accept": "a/b"}, {"Accept": "a\r\nb"}),
    ("status", [200, "3xx"], ("200", "3xx"), ["ok"]),
    ("body_contains", "all is well", "all is well", ""),
    ("body_lacks", "error", "error", "a\nb"),
    ("redirects", 0, 0, 11),
    ("certificate_days", 14, 14, -1),
    ("answer", "192.0.2.1", ("192.0.2.1",), []),
]

GOOD_URLS = {
    "http": "https://a/",
    "statuspage": "https://a/api/v2/status.json",
    "tcp": "tcp://a:1",
    "dns": "dns:a",
    "redis": "redis://a",
}


def check(kind: str = "http", **keys: Any) -> Check:
    """A check that is well, but for ``keys``."""
    return Check(**{"name": "web", "url": GOOD_URLS[kind], "kind": kind, **keys})


def test_table_is_complete() -> None:
    """Each key of a check is in the table of these tests."""
    assert [name for name, *_ in ALL] == list(DECLARED)


@pytest.mark.parametrize(("name", "raw", "value", "wrong"), ALL)
def test_key(name: str, raw: object, value: object, wrong: object) -> None:
    """Each key has a help text, takes what is right, and refuses what is wrong."""
    declaration = DECLARED[name].declaration
    assert declaration.help
    assert declaration.kind(raw) == value
    with pytest.raises(ValueError, match=r"\S"):
        declaration.kind(wrong)


def test_defaults() -> None:
    """A name and a URL are a check: of kind HTTP, each minute, down after three failures."""
    required = {name for name, declared in DECLARED.items() if declared.default is REQUIRED}
    assert required == {"name", "url"}
    assert attrs.asdict(Check(name="web", url="https://a/")) == {
        "name": "web",
        "url": "https://a/",
        "kind": "http",
        "interval": 60.0,
        "timeout": 10.0,
        "slow": 5.0,
        "failures": 3,
        "successes": 2,
        "depends_on": (),
        "critical": False,
        "runbook_url": None,
        "method": "GET",
        "headers": {},
        "status": ("2xx",),
        "body_contains": None,
        "body_lacks": None,
        "redirects": 3,
        "certificate_days": 0,
        "answer": (),
    }


def test_good_urls() -> None:
    """There is a good URL of each kind, and with it the defaults contradict nothing."""
    assert tuple(GOOD_URLS) == KINDS
    for kind in KINDS:
        assert list(contradictions(check(kind))) == []


@pytest.mark.parametrize("name", ["a", "A1", "app.web-2", "0", "x" * 63])
def test_good_name(name: str) -> None:
    """A name is one that Librato takes too."""
    assert DECLARED["name"].declaration.kind(name) == name


@pytest.mark.parametrize(
    "name", ["", ".a", "-a", "a b", "a_b", "a/b", "a\n", "\u00e4", "\u0663", "x" * 64, 5, ["a"]]
)
def test_bad_name(name: object) -> None:
    """Any other is refused."""
    with pytest.raises(ValueError, match="up to 63 letters"):
        DECLARED["name"].declaration.kind(name)


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("tcp://a:1", ("a", 1)),
        ("TCP://App.Example.com:443", ("app.example.com", 443)),
        ("tcp://app.example.com.:65535", ("app.example.com", 65535)),
        ("tcp://192.0.2.1:25", ("192.0.2.1", 25)),
        ("tcp://[2001:DB8::1]:25", ("2001:db8::1", 25)),
        ("tcp://a_b-c:080", ("a_b-c", 80)),
        ("tcp://b\u00fccher.example:1", ("xn--bcher-kva.example", 1)),
        ("tcp://a", None),
        ("tcp://a:", None),
        ("tcp://a:0", None),
        ("tcp://a:65536", None),
        ("tcp://a:123456", None),
        ("tcp://a:+1", None),
        ("tcp://a:\u0661", None),
        ("tcp://a:http", None),
        ("tcp://:1", None),
        ("tcp://a:1/", None),
        ("tcp://a:1?", None),
        ("tcp://a:1#", None),
        ("tcp://me:hunter2@a:1", None),
        ("tcp://me@a:1", None),
        ("tcp://a b:1", None),
        ("tcp://a,b:1", None),
        ("tcp://a\\b:1", None),
        ("tcp://a%62:1", None),
        ("tcp://a..b:1", None),
        ("tcp://*.a:1", None),
        ("tcp://[::1:1", None),
        ("tcp://::1:1", None),
        ("tcp://[a]:1", None),
        ("tcp://[1.2.3]:1", None),
        (f"tcp://{'a' * 63}.b:1", (f"{'a' * 63}.b", 1)),
        (f"tcp://{'a' * 64}.b:1", None),
        (" tcp://a:1", None),
        ("tcp://a:1 ", None),
        ("tcp:a:1", None),
        ("http://a:1", None),
        ("a:1", None),
        ("", None),
    ],
)
def test_tcp(url: str, target: tuple[str, int] | None) -> None:
    """A TCP check names a host and a port, and nothing else."""
    assert tcp_target(url) == target
    assert (target_problem(check("tcp", url=url)) is None) is (target is not None)


def asks(name: str, record: str = "A", server: tuple[str, int] | None = None) -> DnsQuestion:
    return DnsQuestion(name=name, record=record, server=server)


@pytest.mark.parametrize(
    ("url", "question"),
    [
        ("dns:a", asks("a")),
        ("DNS:App.Example.COM.", asks("app.example.com")),
        ("dns:_dmarc.example.com?type=TXT", asks("_dmarc.example.com", "TXT")),
        ("dns:b\u00fccher.example", asks("xn--bcher-kva.example")),
        ("dns:a?", asks("a")),
        ("dns:a?type=mx", asks("a", "MX")),
        ("dns:a?TYPE=MX", asks("a", "MX")),
        ("dns:a?clAsS=IN;tYpE=AAAA", asks("a", "AAAA")),
        ("dns:a?type=NS;class=in", asks("a", "NS")),
        ("dns:///a?type=NS", asks("a", "NS")),
        ("dns://192.0.2.1/a", asks("a", server=("192.0.2.1", 53))),
        ("dns://192.0.2.1:5353/a?type=CNAME", asks("a", "CNAME", ("192.0.2.1", 5353))),
        ("dns://NS1.example.com/a", asks("a", server=("ns1.example.com", 53))),
        ("dns://[2001:db8::1]/a", asks("a", server=("2001:db8::1", 53))),
        ("dns://[2001:db8::1]:54/a", asks("a", server=("2001:db8::1", 54))),
        (f"dns:{'a' * 63}.b", asks(f"{'a' * 63}.b")),
        (f"dns:{'a' * 64}.b", None),
        (f"dns:{'a.' * 126}a", asks(f"{'a.' * 126}a")),
        (f"dns:{'a.' * 127}a", None),
        ("dns:", None),
        ("dns:.", None),
        ("dns:a..b", None),
        ("dns:a b", None),
        ("dns:a%20b", None),
        ("dns:*.a", None),
        ("dns:a/b", None),
        ("dns:/a", None),
        ("dns://a", None),
        ("dns://192.0.2.1/", None),
        ("dns://192.0.2.1:0/a", None),
        ("dns://192.0.2.1:65536/a", None),
        ("dns://192.0.2.1:x/a", None),
        ("dns://:53/a", None),
        ("dns://me:hunter2@192.0.2.1/a", None),
        ("dns://[a]/a", None),
        ("dns://a b/a", None),
        ("dns:a#b", None),
        ("dns:a?type=", None),
        ("dns:a?type=SOA", None),
        ("dns:a?type=A;type=MX", None),
        ("dns:a?type=A&type=MX", None),
        ("dns:a?class=CH", None),
        ("dns:a?record=A", None),
        ("dns:a?A", None),
        ("dns:a?type=A;", None),
        (" dns:a", None),
        ("a", None),
        ("http://a", None),
    ],
)
def test_dns(url: str, question: DnsQuestion | None) -> None:
    """A DNS check has a name and a type of record, and a server if it is not to be the system's."""
    assert dns_question(url) == question
    assert (target_problem(check("dns", url=url)) is None) is (question is not None)


def test_dns_records() -> None:
    """Each type of record can be asked for, and is named where none of them was."""
    for record in RECORDS:
        assert dns_question(f"dns:a?type={record}") == asks("a", record)
    assert target_problem(check("dns", url="dns:a?type=X")) == (
        "url is expected to be dns:name?type=A or dns://server/name (A, AAAA, CNAME, MX, NS, TXT)"
    )


@given(st.text() | st.text("tcpdns:/[]@?#;=.1aA \u00fc\uff0f", max_size=20))
def test_any_target(text: str) -> None:
    """Any text is a target or is none; a host is one that can be looked up, or an address."""
    for url in (text, f"tcp://{text}", f"tcp://{text}:1", f"dns:{text}", f"dns://{text}/a"):
        target, question = tcp_target(url), dns_question(url)
        assert target is None or question is None
        hosts = [target] if target else [question.server or ("a", 53)] if question else []
        for host, port in hosts:
            assert host.isascii()
            assert host == host.lower()
            assert not set(host) & set(" /@?#[];=")
            assert 0 < port < 65536


@pytest.mark.parametrize(
    ("kind", "url", "problem"),
    [
        ("http", "http://a:8080/x?y=1", None),
        ("http", "HTTPS://a", None),
        ("http", "a", "url is not an absolute http or https URL"),
        ("http", "tcp://a:1", "url is not an absolute http or https URL"),
        ("http", "http://a:0/", "url has a port that does not exist"),
        ("http", "http://a..b/", "url has a host name with an empty part"),
        (
            "http",
            "http://a/x#y",
            "url has a fragment (#...), which is never sent; write %23 for the sign",
        ),
        ("statuspage", "https://status.example.com", None),
        ("statuspage", "status.example.com", "url is not an absolute http or https URL"),
        ("tcp", "https://a", "url is expected to be tcp://host:port"),
        ("redis", "redis://me:hunter2@a:6379/1", None),
        ("redis", "rediss://a?ssl_cert_reqs=none", None),
        ("redis", "redis+sentinel://a,b:1/service", None),
        (
            "redis",
            "redis+cluster://a",
            "url is expected to be redis://, rediss:// or redis+sentinel://",
        ),
        ("redis", "memory:", "url is expected to be redis://, rediss:// or redis+sentinel://"),
        ("redis", "sqlite:a", "url is expected to be redis://, rediss:// or redis+sentinel://"),
        ("redis", "tcp://a:1", "url is expected to be redis://, rediss:// or redis+sentinel://"),
        (
            "redis",
            "redis://me:hunter2@a:x",
            "url is expected to be redis://, rediss:// or redis+sentinel://",
        ),
    ],
)
def test_target_problem(kind: str, url: str, problem: str | None) -> None:
    """The URL is one for the kind of check; what is wrong with it is said without it."""
    assert target_problem(check(kind, url=url)) == problem
    assert list(contradictions(check(kind, url=url))) == ([problem] if problem else [])


OF_KIND: Mapping[str, set[str]] = {
    "http": {
        "method",
        "headers",
        "status",
        "body_contains",
        "body_lacks",
        "redirects",
        "certificate_days",
    },
    "statuspage": {"headers", "certificate_days"},
    "tcp": set(),
    "dns": {"answer"},
    "redis": set(),
}


@pytest.mark.parametrize("kind", KINDS)
def test_keys_of_kinds(kind: str) -> None:
    """A key that means nothing to the kind of check is refused, for it would do nothing."""
    of_kinds = set().union(*OF_KIND.values())
    for name, _, value, _ in ALL:
        if name in of_kinds:
            wanted = [] if name in OF_KIND[kind] else [f"{name} means nothing to a check of {kind}"]
            found = list(contradictions(check(kind, **{name: value})))
            assert found == [line.replace("of ", "of kind ") for line in wanted]


def test_all_meaningless_keys() -> None:
    """All of them are named, in the order of the keys."""
    keys = {name: value for name, _, value, _ in ALL if name in OF_KIND["http"] | {"answer"}}
    found = [line.split()[0] for line in contradictions(check("tcp", **keys))]
    assert found == [name for name in DECLARED if name in keys]


@pytest.mark.parametrize(
    ("keys", "problems"),
    [
        ({"slow": 9.9}, []),
        ({"slow": 2.0, "timeout": 2.5}, []),
        (
            {"slow": 10.0},
            ["slow is 10, expected less than timeout, which is 10: no answer could be found slow"],
        ),
        (
            {"timeout": 2.5},
            ["slow is 5, expected less than timeout, which is 2.5: no answer could be found slow"],
        ),
        ({"method": "POST", "body_contains": "x"}, []),
        ({"method": "HEAD", "status": ("204",)}, []),
        (
            {"method": "HEAD", "body_contains": "x", "body_lacks": "y"},
            [
                "body_contains means nothing to method HEAD, whose answers have no body",
                "body_lacks means nothing to method HEAD, whose answers have no body",
            ],
        ),
        ({"url": "HTTPS://a/", "certificate_days": 7}, []),
        ({"url": "http://a/"}, []),
        (
            {"url": "HTTP://a/", "certificate_days": 7},
            ["certificate_days needs a url with https"],
        ),
        (
            {"kind": "statuspage", "url": "http://a/", "certificate_days": 7},
            ["certificate_days needs a url with https"],
        ),
        (
            {"kind": "tcp", "url": "a", "slow": 9.0, "timeout": 8.0, "redirects": 0},
            [
                "url is expected to be tcp://host:port",
                "slow is 9, expected less than timeout, which is 8: no answer could be found slow",
                "redirects means nothing to a check of kind tcp",
            ],
        ),
    ],
)
def test_contradictions(keys: Mapping[str, Any], problems: list[str]) -> None:
    """What could never be found, or would never be looked for, is refused."""
    assert list(contradictions(check(**keys))) == problems


def checks(needs: Mapping[str, str]) -> list[Check]:
    """Checks by name, with the names of what they depend on."""
    return [check(name=name, depends_on=tuple(of.split())) for name, of in needs.items()]


@pytest.mark.parametrize(
    ("needs", "problems"),
    [
        ({}, []),
        ({"a": ""}, []),
        ({"a": "b c", "b": "c", "c": ""}, []),
        ({"a": "b", "b": "", "c": "b b"}, []),
        (
            {"a": "b", "c": "a d"},
            [
                'check "a": depends_on names "b", which is no check',
                'check "c": depends_on names "d", which is no check',
            ],
        ),
        ({"a": "A"}, ['check "a": depends_on names "A", which is no check']),
    ],
)
def test_dependencies(needs: Mapping[str, str], problems: list[str]) -> None:
    """What a check depends on are other checks."""
    assert list(check_problems(checks(needs))) == problems


@pytest.mark.parametrize(
    ("needs", "circle"),
    [
        ({"a": "a"}, "a"),
        ({"a": "b", "b": "a c", "c": ""}, "ab"),
        ({"d": "a", "a": "b", "b": "c", "c": "a"}, "abc"),
    ],
)
def test_circle(needs: Mapping[str, str], circle: str) -> None:
    """No check depends on itself, however far round; the way round is told."""
    (problem,) = check_problems(checks(needs))
    said, _, way = problem.partition(": ")
    assert said == "checks depend on each other in a circle"
    names = way.split(" -> ")
    assert names[0] == names[-1]
    assert sorted(names[1:]) == list(circle)
    assert all(needed in needs[name].split() for name, needed in pairwise(names))


@pytest.mark.parametrize(
    ("names", "twice"),
    [
        (["a", "b"], []),
        (["a", "a"], ["a"]),
        (["web", "WEB"], ["WEB"]),
        (["web", "Web", "b", "wEB"], ["Web", "wEB"]),
    ],
)
def test_names(names: list[str], twice: list[str]) -> None:
    """Names differ by more than the case of their letters, which Librato does not tell apart."""
    assert list(check_problems([check(name=name) for name in names])) == [
        f'check "{name}" is there more than once (letter case does not count)' for name in twice
    ]


def test_repr() -> None:
    """A check can be logged: neither its headers nor a password in its URL are shown."""
    shown = repr(check("redis", url="redis://me:hunter2@a/0", headers={"Authorization": "hunter2"}))
    assert "redis://a/0" in shown
    assert "hunter2" not in shown
