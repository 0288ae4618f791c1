"""The outputs of a command, which may be closed by whoever reads them, or full."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import TextIO


def silence(stream: TextIO) -> None:
    """Let all that is written there go nowhere, what is in its buffer too.

    Else the interpreter complains of it once more when it ends; see the note on SIGPIPE in
    Python's documentation of `signal`.
    """
    with suppress(OSError):  # some have no file behind them
        nowhere = os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(nowhere, stream.fileno())
        finally:
            os.close(nowhere)


def complain(message: str) -> None:
    """Tell it on the other output, if that can be written."""
    try:
        print(f"boomerang: {message}", file=sys.stderr, flush=True)
    except OSError:
        silence(sys.stderr)


def end_line() -> None:
    """Begin a new line behind a prompt, a bar, or the ``^C`` that a terminal shows."""
    if sys.stderr and sys.stderr.isatty():
        print(file=sys.stderr)


class Output:
    """The output of a command that changes something, which must not end half-way for it."""

    def __init__(self) -> None:
        self.lost: OSError | None = None
        """Why nothing can be written any more."""

    def write(self, text: str, *, end: str = "\n") -> None:
        """Print it, as long as that is possible."""
        if self.lost is not None:
            return
        try:
            print(text, end=end, flush=True)
        except OSError as error:
            self.lost = error
            silence(sys.stdout)

    def tell(self, text: str) -> None:
        """Print what must be known, on the other output if need be."""
        self.write(text)
        if self.lost is not None:
            complain(text)

    def check(self) -> None:
        """Raise the `OSError` that has been kept, if there is one: nothing has to go on now."""
        if self.lost is not None:
            raise self.lost
