"""Command lines as people type them."""

from __future__ import annotations

import getopt
from collections.abc import Iterator, Sequence

from twisted.python import usage


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
