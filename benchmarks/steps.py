"""A run is made of parts, a part of steps: carried out in turn behind one bar.

A step that fails is reported, and the others go on.
"""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import attrs
from tqdm import tqdm

from benchmarks.figures import Figure


@attrs.frozen
class Step:
    """One measurement; `seconds` is what it is expected to take."""

    name: str
    seconds: float
    run: Callable[[], Any]


@attrs.frozen
class Section:
    """What came of a part: a table, the figures with a target, and all it saw."""

    title: str
    text: str
    figures: Sequence[Figure]
    data: Sequence[Any]


@attrs.frozen
class Part:
    """Steps, and what is made of their results; of those that did not fail."""

    name: str
    steps: Sequence[Step]
    conclude: Callable[[Sequence[Any]], Section]

    @property
    def seconds(self) -> float:
        """What the part is expected to take."""
        return sum(step.seconds for step in self.steps)


@attrs.frozen
class Failed:
    """A step that failed, or a part's conclusion, and why."""

    name: str
    why: str


class Bar:
    """How far the run is, and how long it will yet take, on standard error."""

    def __init__(self, seconds: float) -> None:
        tqdm.monitor_interval = 0  # no thread beside the measurements
        self._bar = tqdm(
            total=round(seconds),
            bar_format="{percentage:3.0f}% |{bar}| {elapsed} gone, {remaining} left  {desc}",
            file=sys.stderr,
            dynamic_ncols=True,
        )

    @contextmanager
    def during(self, step: Step) -> Iterator[None]:
        """Name the step, and count it as done when the block is left."""
        self._bar.set_description_str(step.name)
        try:
            yield
        finally:
            self._bar.update(round(step.seconds))

    def say(self, text: str) -> None:
        """Print above the bar, on standard output."""
        self._bar.write(text, file=sys.stdout)
        sys.stdout.flush()

    def close(self) -> None:
        """Leave the bar as it is."""
        self._bar.set_description_str("")
        self._bar.close()


def carry_out(part: Part, bar: Bar) -> tuple[Section | None, list[Failed]]:
    """Run the steps of a part and conclude; what failed comes with its reason."""
    results, failed = [], []
    for step in part.steps:
        with bar.during(step):
            try:
                results.append(step.run())
            except Exception as error:  # whatever it was, the others go on
                failed.append(_failed(step.name, error))
                bar.say(f"{time.strftime('%H:%M:%S')} {step.name} failed: {failed[-1].why}")
    try:
        return part.conclude(results), failed
    except Exception as error:
        return None, [*failed, _failed(f"{part.name}: what was measured", error)]


def _failed(name: str, error: Exception) -> Failed:
    return Failed(name, f"{type(error).__name__}: {error}".strip())
