"""Command lines as people type them."""

from __future__ import annotations

import getopt
from collections.abc import Iterator, Sequence
from typing import TypeVar

from twisted.python import usage

Number = TypeVar("Number", int, float)


class OptionsAnywhere(usage.Options):
    """A command whose options may follow its arguments; Twisted's parser stops at the first."""

    def parseOptions(self, options: Sequence[str] | None = None) -> None:
        try:
            given, arguments = getopt.gnu_getopt(list(options or ()), self.shortOpt, self.longOpt)
        except getopt.GetoptError as error:
            raise usage.UsageError(str(error)) from None
        super().parseOptions([*self._in_front(given), "--", *arguments])

    def _in_front(self, given: Sequence[tuple[str, str]]) -> Iterator[str]:
        for name, value in given:
            yield name
            if f"{name[2:]}=" in self.longOpt or f"{name[1:]}:" in self.shortOpt:
                yield value


def over_zero(name: str, text: str, kind: type[Number]) -> Number:
    """The value of an option that is a number. Raises `UsageError`."""
    try:
        number = kind(text)
    except ValueError:
        number = kind(0)
    if not 0 < number < float("inf"):
        raise usage.UsageError(f"--{name} is {text}, expected a number over 0")
    return number
