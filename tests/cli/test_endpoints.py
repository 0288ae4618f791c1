"""``boomerang endpoints``: the endpoint table, and what would happen to a URL."""

from __future__ import annotations

from pathlib import Path

import pytest

from boomerang.cli import main

TABLE = """
allowed_hosts = ["*.example.com"]
[retry]
fallback = "file:sorry.xml"
hold_limit = 60
[[endpoint]]
name = "pause"
match = "/caller/:id/pause"
audience = ["phone", "browser"]
codes = [11200, 11205]
[[endpoint]]
name = "caller"
match = "/caller/*"
mode = "async"
probe = "https://me:hunter2@app.example.com/health"
"""

SORRY = "<Response><Say>Sorry.</Say></Response>"


@pytest.fixture
def config(tmp_path: Path) -> str:
    """A settings file, with what it names beside it."""
    (tmp_path / "sorry.xml").write_text(SORRY)
    file = tmp_path / "b.toml"
    file.write_text(TABLE)
    return str(file)


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """What a command says that is well."""
    assert main(["endpoints", *arguments]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert "hunter2" not in out
    return out


def test_list(capsys: pytest.CaptureFixture[str], config: str) -> None:
    """``endpoints`` lists the table, and what is good to know about it."""
    assert said(capsys, "-c", config) == (
        "ENDPOINT  MATCH              HOST  AUDIENCE        MODE   HELD              LAST RESORT\n"
        "pause     /caller/:id/pause  any   phone, browser  sync   8 s               "
        "voice: TwiML of 38 bytes\n"
        "caller    /caller/*          any   -               async  till awake, 60 s  "
        "voice: TwiML of 38 bytes\n"
        "unknown   any other          any   -               sync   8 s               "
        "voice: TwiML of 38 bytes\n"
        "note: retry: hold_limit has no effect without a probe, which would end the hold\n"
        'note: endpoint "caller": hold_limit holds calls for up to 60 s; messages no longer than'
        " 14 s, since Twilio waits for one answer\n"
    )


def test_empty(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a table there is the line for all URLs."""
    lines = said(capsys).splitlines()
    assert [line.split()[0] for line in lines] == ["ENDPOINT", "unknown"]


URL = "https://app.example.com/caller/17/pause?x=1"


@pytest.mark.parametrize("after", [False, True])
def test_match(capsys: pytest.CaptureFixture[str], config: str, after: bool) -> None:
    """``endpoints match`` says what would happen to a URL; options may follow it."""
    arguments = [URL, "--config", config] if after else ["--config", config, URL]
    assert said(capsys, "match", *arguments) == (
        'endpoint: "pause" (/caller/:id/pause, for phone, browser, sync)\n'
        'passed over: "caller" (/caller/*, async), which is less specific\n'
        "second chance: yes, 1 within 900 s\n"
        "held: 8 s\n"
        "sent back: a call, with POST unless the request names a Method\n"
        "last resort: FallbackUrl if the request names one, else TwiML of 38 bytes\n"
    )


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--code", "12100"], "no, 12100 is not among its codes (11200, 11205)\n"),
        (["--code=11205"], "second chance: yes"),
        (["--product", "messaging"], "sent back: a message"),
        (["--product", "messaging"], "else an error (500)\n"),
        (["--retry-attempts", "0"], "second chance: no, attempts is 0\n"),
    ],
)
def test_what_if(
    capsys: pytest.CaptureFixture[str], config: str, arguments: list[str], told: str
) -> None:
    """It goes by the code, by the product, and by all settings."""
    assert told in said(capsys, "match", URL, "-c", config, *arguments)


def test_refused(capsys: pytest.CaptureFixture[str], config: str) -> None:
    """A URL that is not allowed is said to be refused."""
    out = said(capsys, "match", "https://example.org/", "-c", config)
    assert out.startswith(
        "refused (403): allowed_hosts does not name example.org; if it did:\nendpoint: none"
    )


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["nonsense"], "Unknown command: nonsense"),
        (["match"], "Wrong number of arguments."),
        (["match", URL, URL], "Wrong number of arguments."),
        (["match", "/caller/17/pause"], "the URL is not an absolute http or https URL"),
        (["match", URL, "--product", "fax"], "--product is fax, expected voice or messaging"),
        (["match", URL, "--code", "busy"], "--code is busy, expected a number like 11200"),
        (["match", URL, "--nonsense"], "option --nonsense not recognized"),
        (["match", URL, "--retry-wait", "99"], "--retry-wait is '99', expected seconds"),
    ],
)
def test_misuse(capsys: pytest.CaptureFixture[str], arguments: list[str], told: str) -> None:
    """Misuse is told on the other output, and the status says so."""
    assert main(["endpoints", *arguments]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert told in err


def test_bad_table(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """A table with faults is not listed; all faults are."""
    file = tmp_path / "b.toml"
    file.write_text(
        "[[endpoint]]\nname = 'a'\nmatch = '/:x'\nfallback = 'file:no.xml'\n"
        "[[endpoint]]\nname = 'b'\nmatch = '/:y'\n"
    )
    assert main(["endpoints", "-c", str(file)]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert 'endpoint "b" ties with "a"' in err
    assert 'endpoint "a": fallback: cannot read the file no.xml: No such file or directory' in err


@pytest.mark.parametrize(
    ("arguments", "usage"),
    [
        ([], "Usage: boomerang endpoints [match URL] [options]\n"),
        (["match"], "Usage: boomerang endpoints match URL [--code 11200] [--product voice]"),
    ],
)
def test_help(capsys: pytest.CaptureFixture[str], arguments: list[str], usage: str) -> None:
    """Help is printed where it is asked for."""
    with pytest.raises(SystemExit) as end:
        main(["endpoints", *arguments, "--help"])
    assert not end.value.code
    assert capsys.readouterr().out.startswith(usage)
