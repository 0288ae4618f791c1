"""``boomerang check-config``."""

from __future__ import annotations

from pathlib import Path

import pytest

from boomerang.cli import described, main
from boomerang.settings import Settings, TwilioSettings
from boomerang.settings.load import declared_settings
from boomerang.stores.address import RedisAddress

GOOD = "the settings are good"


def test_check_config(capsys: pytest.CaptureFixture[str]) -> None:
    """``check-config`` prints what the daemon would run with, and that it is good."""
    assert main(["check-config"]) == 0
    out, err = capsys.readouterr()
    assert out.splitlines() == [*described(Settings()), GOOD]
    assert err == ""


def test_options(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """It reads what the daemon would read: options, environment and file."""
    file = tmp_path / "b.toml"
    file.write_text("[twilio]\nauth_token = 'hunter2'")
    assert main(["check-config", "-c", str(file), "--retry-wait", "3", "--listen", "tcp:1"]) == 0
    out, _ = capsys.readouterr()
    lines = out.splitlines()
    assert "retry.wait = 3.0" in lines
    assert "listen = tcp:1:backlog=4096" in lines
    assert "twilio.auth_token = (set)" in lines
    assert "hunter2" not in out


def test_environment(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment is that of the process, when it is asked for."""
    monkeypatch.setenv("PORT", "5000")
    monkeypatch.setenv("TWILIO_AUTH_TOKEN", "hunter2")
    assert main(["check-config"]) == 0
    out, _ = capsys.readouterr()
    assert "listen = tcp:5000:backlog=4096\n" in out
    assert "hunter2" not in out


def test_wrong(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Wrong settings are told on the other output, all of them, and the status says so."""
    monkeypatch.setenv("BOOMERANG_RETRY_WAIT", "99")
    monkeypatch.setenv("TWILIO_AUTH_TOKEN", "hunter2 hunter2")
    assert main(["check-config", "--workers", "99"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        "boomerang: wrong settings:",
        "  --workers is '99', expected a whole number from 1 to 64",
        "  BOOMERANG_RETRY_WAIT is '99', expected seconds from 0 to 14",
        "  TWILIO_AUTH_TOKEN expected one secret or several, without white space",
    ]


def test_described() -> None:
    """Each setting is one line, in the order in which they are declared."""
    names = [line.partition(" = ")[0] for line in described(Settings())]
    assert names == [declared.name for declared in declared_settings()]


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        (Settings(), "listen = tcp:8080:backlog=4096"),
        (Settings(listen=("tcp:1", "tcp:2")), "listen = tcp:1 tcp:2"),
        (Settings(), "public_url = "),
        (Settings(public_url="https://b.com"), "public_url = https://b.com"),
        (Settings(), "store = sqlite:boomerang.db"),
        (
            Settings(store=RedisAddress((("h", 1),), username="me", password="hunter2")),
            "store = redis://h:1/0",
        ),
        (Settings(), "allowed_hosts = "),
        (Settings(allowed_hosts=("a.com", "*.b.com")), "allowed_hosts = a.com *.b.com"),
        (Settings(), "retry.wait = 8.0"),
        (Settings(), "retry.attempts = 1"),
        (Settings(), "twilio.account_sid = "),
        (Settings(), "twilio.auth_token = (not set)"),
        (Settings(twilio=TwilioSettings(auth_token=("hunter2",))), "twilio.auth_token = (set)"),
        (Settings(), "twilio.shared_keys = (not set)"),
        (
            Settings(twilio=TwilioSettings(shared_keys={"id": "hunter2"})),
            "twilio.shared_keys = (set)",
        ),
        (Settings(), "status.password = (not set)"),
    ],
)
def test_described_value(settings: Settings, line: str) -> None:
    """A line shows the value as it could be given; of secrets only whether there are any."""
    lines = list(described(settings))
    assert line in lines
    assert "hunter2" not in "\n".join(lines)
