"""The command ``boomerang``: how its commands are named, misused, and run."""

from __future__ import annotations

import sys

import pytest

from boomerang import __version__
from boomerang.cli import main


def test_arguments_of_the_process(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Called by its name, the command takes the arguments of the process."""
    monkeypatch.setattr(sys, "argv", ["boomerang", "check-config", "--workers", "1"])
    assert main() == 0
    assert capsys.readouterr().out.endswith("the settings are good\n")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "boomerang: a command is needed\n"),
        ([], "Check all settings and print them, secrets aside."),
        (["nonsense"], "boomerang: Unknown command: nonsense\n"),
        (["--nonsense"], "boomerang: option --nonsense not recognized\n"),
        (["check-config", "--nonsense"], "boomerang: option --nonsense not recognized\n"),
        (["check-config", "hunter2"], "boomerang: Wrong number of arguments.\n"),
        (["check-config", "-c", "/no/such"], "cannot read the settings in /no/such: "),
    ],
)
def test_misuse(capsys: pytest.CaptureFixture[str], arguments: list[str], told: str) -> None:
    """Misuse is told on the other output, and the status says so."""
    assert main(arguments) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert told in err


@pytest.mark.parametrize("arguments", [["--version"], ["check-config", "--version"]])
def test_version(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    """The version is boomerang's own."""
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == 0
    assert capsys.readouterr().out == f"boomerang {__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "usage"),
    [
        ([], "Usage: boomerang COMMAND [options]\n"),
        (["check-config"], "Usage: boomerang check-config [options]\n"),
        (["alerts"], "Usage: boomerang alerts COMMAND [options]\n"),
        (["alerts", "plan"], "Usage: boomerang alerts plan [options]\n"),
    ],
)
def test_help(capsys: pytest.CaptureFixture[str], arguments: list[str], usage: str) -> None:
    """Help is printed where it is asked for, begins with how to call this command, and is well."""
    with pytest.raises(SystemExit) as end:
        main([*arguments, "--help"])
    assert not end.value.code
    assert capsys.readouterr().out.startswith(usage)


@pytest.mark.parametrize("arguments", [["alerts"], ["alerts", "nonsense"], ["alerts", "plan", "x"]])
def test_misuse_of_a_group(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    """A command that has commands is misused like the whole."""
    assert main(arguments) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("boomerang: ")
