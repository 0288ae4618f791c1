"""What contradicts between [retry], the endpoints and allowed_hosts, and last resorts in files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from boomerang.endpoints.document import LONGEST
from boomerang.endpoints.fallback import APOLOGY, Document, Fallback, Redirect
from boomerang.settings import InvalidSettings, RetrySettings, Settings, Sources, load_settings
from boomerang.settings.endpoints import Endpoint
from boomerang.settings.rescue import read_file, rescue_problems

FORGOTTEN = "a failure would be forgotten before its second chance"
SAY = "<Response><Say>Sorry.</Say></Response>"
SORRY = Fallback(voice=Document(SAY.encode()))
AWAY = Fallback(voice=Redirect("https://cdn.example.org/sorry.xml"))


def endpoint(name: str = "e", match: str = "/e", *host: str, **keys: Any) -> Endpoint:
    return Endpoint(name=name, match=match, host=host, **keys)


def problems(
    retry: RetrySettings | None = None, *endpoints: Endpoint, allowed: tuple[str, ...] = ()
) -> list[str]:
    return list(rescue_problems(retry or RetrySettings(), endpoints, allowed))


@pytest.mark.parametrize(
    ("retry", "own", "expected"),
    [
        ({}, {}, []),
        ({"wait": 0.0, "window": 1.0}, {}, []),
        ({"hold_limit": 8.0}, {}, []),
        ({"hold_limit": 600.0}, {"window": 601.0}, []),
        ({"hold_limit": 60.0}, {"hold_limit": 0.0, "window": 9.0}, []),
        (
            {"window": 8.0},
            {},
            [f"retry.window is 8, expected more than retry.wait, which is 8: {FORGOTTEN}"],
        ),
        (
            {"window": 60.0, "hold_limit": 60.0},
            {},
            [f"retry.window is 60, expected more than retry.hold_limit, which is 60: {FORGOTTEN}"],
        ),
        (
            {"hold_limit": 7.0},
            {},
            ["retry.hold_limit is 7, expected 0 or at least retry.wait, which is 8"],
        ),
        (
            {},
            {"window": 5.0},
            [f'endpoint "e": window is 5, expected more than wait, which is 8: {FORGOTTEN}'],
        ),
        (
            {"window": 60.0},
            {"hold_limit": 90.0},
            [
                'endpoint "e": window is 60, expected more than hold_limit, which is 90:'
                f" {FORGOTTEN}"
            ],
        ),
        (
            {"hold_limit": 10.0},
            {"wait": 12.0},
            ['endpoint "e": hold_limit is 10, expected 0 or at least wait, which is 12'],
        ),
    ],
)
def test_times(retry: dict[str, Any], own: dict[str, Any], expected: list[str]) -> None:
    """What is held must not be forgotten meanwhile; what is wrong is told where it is said."""
    assert problems(RetrySettings(**retry), endpoint(**own)) == expected


def test_times_of_one_endpoint() -> None:
    """A fault of [retry] is not told again of each endpoint."""
    assert len(problems(RetrySettings(window=8.0), endpoint("a", "/a"), endpoint("b", "/b"))) == 1


PROBE = "https://me:hunter2@app.example.org/health"


@pytest.mark.parametrize(
    ("retry", "own", "allowed", "expected"),
    [
        ({"probe": PROBE, "fallback": AWAY}, {"probe": PROBE, "fallback": AWAY}, (), []),
        ({"probe": PROBE, "fallback": AWAY}, {}, ("*.example.org",), []),
        (
            {"probe": PROBE},
            {},
            ("*.example.com",),
            ["retry.probe is at app.example.org, which allowed_hosts does not name"],
        ),
        (
            {},
            {"probe": PROBE, "fallback": AWAY},
            ("*.example.com",),
            [
                'endpoint "e": probe is at app.example.org, which allowed_hosts does not name',
                'endpoint "e": fallback is at cdn.example.org, which allowed_hosts does not name',
            ],
        ),
        (
            {"fallback": Fallback(voice=AWAY.voice, messaging=AWAY.voice)},
            {"fallback": SORRY},
            ("*.example.com",),
            ["retry.fallback is at cdn.example.org, which allowed_hosts does not name"],
        ),
    ],
)
def test_hosts(
    retry: dict[str, Any], own: dict[str, Any], allowed: tuple[str, ...], expected: list[str]
) -> None:
    """Nothing is asked, and no call sent, where allowed_hosts does not lead."""
    assert problems(RetrySettings(**retry), endpoint(**own), allowed=allowed) == expected


@pytest.mark.parametrize(
    ("endpoints", "allowed", "expected"),
    [
        ([endpoint("a", "/x", "h"), endpoint("b", "/x")], (), []),
        ([endpoint("a", "/x", "h"), endpoint("b", "/x")], ("h", "i"), []),
        ([endpoint("a", "/x", "h"), endpoint("b", "/*")], ("h",), []),
        ([endpoint("a", "/x", "*.a.com"), endpoint("b", "/x")], ("*.com",), []),
        ([endpoint("a", "/x", "*.a.com")], ("b.*",), []),
        ([endpoint("a", "/x", "b.*", "*.com")], ("b.a.com",), []),
        (
            [endpoint("a", "/x", "h", "i")],
            ("*.example.com", "i"),
            ['endpoint "a": host h can never match: allowed_hosts names none like it'],
        ),
        (
            [endpoint("a", "/x", "*.a.com")],
            ("*.b.com", "c.com"),
            ['endpoint "a": host *.a.com can never match: allowed_hosts names none like it'],
        ),
        (
            [endpoint("any", "/x"), endpoint("star", "/x", "*")],
            (),
            ['endpoint "any": it can never match: "star" is more specific'],
        ),
        (
            [endpoint("any", "/x"), endpoint("h", "/x", "h"), endpoint("i", "/:x", "i")],
            ("h",),
            [
                'endpoint "any": it can never match: "h" is more specific',
                'endpoint "i": host i can never match: allowed_hosts names none like it',
            ],
        ),
        (
            [endpoint("any", "/x"), endpoint("one", "/x", "h"), endpoint("two", "/x", "*.a.com")],
            ("h", "b.a.com", "*.c.a.com"),
            ['endpoint "any": it can never match: "one", "two" is more specific'],
        ),
        (
            [endpoint("wide", "/x", "*.com"), endpoint("narrow", "/x", "*.a.com")],
            ("*.a.com",),
            ['endpoint "wide": host *.com can never match: "narrow" is more specific'],
        ),
    ],
)
def test_never_matching(
    endpoints: list[Endpoint], allowed: tuple[str, ...], expected: list[str]
) -> None:
    """An endpoint that no URL could have is found, whether others or allowed_hosts are why."""
    assert problems(None, *endpoints, allowed=allowed) == expected


def load(file: str, *, name: str = "boomerang.toml", **files: str) -> Settings:
    def read(path: str) -> bytes:
        if path not in {f"conf/{each}.xml" for each in files}:
            raise FileNotFoundError(2, "No such file or directory")
        return files[Path(path).stem].encode()

    return load_settings(Sources(file=file, file_name=name, read=read))


def test_files() -> None:
    """Files with last resorts are read, from where the settings file is."""
    settings = load(
        """
        retry.fallback = "file:sorry.xml"
        [[endpoint]]
        name = "a"
        match = "/a"
        fallback = {voice = "apology", messaging = "file:reply.xml"}
        [[endpoint]]
        name = "b"
        match = "/b"
        """,
        name="conf/boomerang.toml",
        sorry=SAY,
        reply="<Response/>",
    )
    assert settings.retry.fallback == SORRY
    assert [each.fallback for each in settings.endpoint] == [
        Fallback(voice=Document(APOLOGY.encode()), messaging=Document(b"<Response/>")),
        None,
    ]


def test_all_problems() -> None:
    """All that is wrong with last resorts is told at once, beside all else, without secrets."""
    with pytest.raises(InvalidSettings) as error:
        load(
            """
            allowed_hosts = ["h"]
            retry.fallback = "<Response>"
            [[endpoint]]
            name = "a"
            match = "/a"
            fallback = "file:no.xml"
            [[endpoint]]
            name = "b"
            match = "/b"
            fallback = {voice = "https://me:hunter2@i/", messaging = "<Response><Say/></Response>"}
            [[endpoint]]
            name = "c"
            match = "/c"
            fallback = "https://me:hunter2@i/"
            """
        )
    assert error.value.problems == [
        "retry.fallback: line 1: is not XML (no element found)",
        'endpoint "a": fallback: cannot read the file no.xml: No such file or directory',
        'endpoint "b": fallback: messaging: line 1: <Say> is no verb of messaging',
        'endpoint "c": fallback is at i, which allowed_hosts does not name',
    ]


def test_bad_form_hides_the_value() -> None:
    """What might be a secret is not told when it is wrong."""
    with pytest.raises(InvalidSettings) as error:
        load('[[endpoint]]\nname = "a"\nmatch = "/a"\nfallback = "hunter2"\nprobe = "hunter2"')
    assert len(error.value.problems) == 2
    assert "hunter2" not in str(error.value)


def test_from_the_environment() -> None:
    """Without a file, a last resort may come from the environment; so may a file's name."""
    sources = Sources(
        environment={"BOOMERANG_RETRY_FALLBACK": "file:sorry.xml"},
        file_name="",
        read={"sorry.xml": SAY.encode()}.__getitem__,
    )
    assert load_settings(sources).retry.fallback == SORRY


def test_read_file(tmp_path: Path) -> None:
    """Of a file no more is read than a document for Twilio may have, and one byte."""
    file = tmp_path / "a.xml"
    file.write_bytes(b"a" * (LONGEST + 9))
    assert read_file(str(file)) == b"a" * (LONGEST + 1)
    with pytest.raises(FileNotFoundError):
        read_file(str(tmp_path / "b.xml"))
