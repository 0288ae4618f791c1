"""Options may follow the arguments of a command."""

from __future__ import annotations

import pytest
from twisted.python import usage

from boomerang.cli.arguments import OptionsAnywhere, over_zero


class Greet(OptionsAnywhere):
    optParameters = [["greeting", "g", "Hello", ""], ["number", "n", None, "", int]]
    optFlags = [["loud", "l", ""], ["kind", None, ""]]

    def parseArgs(self, name: str, *others: str) -> None:  # type: ignore[override]
        self["names"] = (name, *others)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--greeting", "Hi", "-n", "2", "-l", "--kind", "Ann", "Bob"],
        ["Ann", "Bob", "--greeting", "Hi", "-n", "2", "-l", "--kind"],
        ["-l", "Ann", "--greeting=Hi", "--kind", "Bob", "-n2"],
        ["Ann", "--ki", "-ln2", "--greet", "Hi", "--", "Bob"],
    ],
)
def test_anywhere(arguments: list[str]) -> None:
    """The order of options and arguments does not matter."""
    command = Greet()
    command.parseOptions(arguments)
    assert command["names"] == ("Ann", "Bob")
    assert (command["greeting"], command["number"]) == ("Hi", 2)
    assert (command["loud"], command["kind"]) == (1, 1)


@pytest.mark.parametrize(
    ("arguments", "names", "greeting"),
    [
        (["Ann"], ("Ann",), "Hello"),
        (["Ann", "--greeting", ""], ("Ann",), ""),
        (["--", "-l", "--loud"], ("-l", "--loud"), "Hello"),
        (["-g", "--", "Ann"], ("Ann",), "--"),
    ],
)
def test_unusual(arguments: list[str], names: tuple[str, ...], greeting: str) -> None:
    """An empty value is a value, and what follows two dashes is no option."""
    command = Greet()
    command.parseOptions(arguments)
    assert (command["names"], command["greeting"]) == (names, greeting)
    assert not command["loud"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (None, "Wrong number of arguments."),
        ([], "Wrong number of arguments."),
        (["Ann", "--quiet"], "option --quiet not recognized"),
        (["Ann", "-q"], "option -q not recognized"),
        (["Ann", "--greeting"], "option --greeting requires argument"),
        (["Ann", "-n", "x"], "Parameter type enforcement failed"),
    ],
)
def test_misuse(arguments: list[str] | None, told: str) -> None:
    """Misuse is told as ever."""
    with pytest.raises(usage.UsageError, match=told):
        Greet().parseOptions(arguments)


@pytest.mark.parametrize(
    ("text", "kind", "value"), [("1", int, 1), ("0.5", float, 0.5), ("1e3", float, 1000.0)]
)
def test_over_zero(text: str, kind: type[int] | type[float], value: float) -> None:
    """A number becomes one of its kind."""
    assert over_zero("rate", text, kind) == value


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("0", int),
        ("-1", int),
        ("0.5", int),
        ("0", float),
        ("nan", float),
        ("inf", float),
        ("x", float),
        ("", int),
    ],
)
def test_not_over_zero(text: str, kind: type[int] | type[float]) -> None:
    """Anything else is refused, with the option's name."""
    with pytest.raises(usage.UsageError, match=r"^--rate is .*, expected a number over 0$"):
        over_zero("rate", text, kind)
