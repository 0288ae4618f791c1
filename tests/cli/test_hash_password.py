"""``boomerang hash-password``."""

from __future__ import annotations

from io import StringIO

import pytest
from werkzeug.security import check_password_hash

from boomerang.cli import main
from boomerang.settings import Sources, load_settings


def test_input(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """It reads a line, and prints what the settings take in the place of the password."""
    monkeypatch.setattr("sys.stdin", StringIO("pä ss\n"))
    assert main(["hash-password"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    environment = {
        "BOOMERANG_STATUS_USER": "ops",
        "BOOMERANG_STATUS_PASSWORD_HASH": out.strip(),
    }
    settings = load_settings(Sources(environment=environment))
    assert check_password_hash(settings.status.password_hash or "", "pä ss")


def test_empty(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty password is none."""
    monkeypatch.setattr("sys.stdin", StringIO("\n"))
    assert main(["hash-password"]) == 1
    assert capsys.readouterr() == ("", "boomerang: the password is empty\n")
