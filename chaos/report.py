"""The table of what was promised and what was seen, as Markdown. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from chaos.fault import Result
from chaos.judge import LATE, Promise, Seen

_HEAD: Final = (
    "fault",
    "what is done",
    "promised",
    "calls",
    "answered",
    "late",
    "lost",
    "forgotten",
    "callbacks acknowledged",
    "of these lost",
    "refused",
    "recovered",
    "left over",
    "verdict",
)

_INTRODUCTION: Final = f"""\
# Faults

Written by `make chaos`, not by hand: a daemon under a steady load and in a storm is hurt, and
healed. The storm fails in one moment three times: half a second before the fault, so that its calls
are held then, right after it, and when it is over. In front of the daemon is the stand-in for
Twilio (`boomerang call`), behind it an app that fails once for each call. Calls are held for 1 s.

- **late**: an answer came more than {LATE:g} s after its time; in brackets the latest. How long
  the load itself was late meanwhile, on a busy machine, is taken off.
- **lost**: the caller heard nothing, or an error. *Cut off* are apart: they had asked a process
  that was killed then, or that was not there. So are those who asked on a resting connection in the
  last twentieth of a second before SIGTERM.
- One call in five fails a second time, and must be led to its `FallbackUrl`; any other answer
  breaks the promise. **Forgotten** are second failures that were taken for first ones.
- **callbacks**: the relay acknowledged them; each must reach the app. *Refused* are those that it
  could not store, and said so (503), and those who heard nothing.
- **recovered**: from the end of the fault until `/health` says `ok` for good.
- **left over**: descriptors and memory that the processes have more in the end than before the
  load. Of descriptors none may be left, save connections to the app; of memory the soak says how
  much. The log has no error.
"""


def promised(promise: Promise) -> str:
    """A promise in words."""
    return ", ".join(_words(promise))


def _words(promise: Promise) -> Iterator[str]:
    if promise.cut:
        yield "none lost but those cut off by the fault itself"
    elif promise.lost:
        yield f"at most {promise.lost} lost"
    else:
        yield "none lost"
    if promise.late_by > LATE:
        yield f"at most {promise.late_by:g} s late"
    else:
        yield "none late"
    if promise.early:
        yield "some may be sent back at once"
    if promise.forgotten:
        yield f"at most {promise.forgotten} second failures taken for first ones"
    if promise.missing is None:
        yield "callbacks that were in the file go with it"
    if promise.degraded:
        yield "/health degraded: " + " and ".join(sorted(promise.degraded))
    yield f"well within {promise.recovered:g} s"
    if promise.kib is not None:
        yield f"at most {promise.kib / 1024:g} MiB more"


def markdown(results: Sequence[Result], about: Mapping[str, str]) -> str:
    """The whole page."""
    described = ", ".join(f"{name} {value}" for name, value in about.items())
    lines = [_INTRODUCTION, f"{described}.", "", *_table(results)]
    notes = list(_notes(results))
    return "\n".join([*lines, *(["", *notes] if notes else []), ""])


def _table(results: Sequence[Result]) -> Iterator[str]:
    yield _row(_HEAD)
    yield _row(["---"] * len(_HEAD))
    for result in results:
        fault = result.fault
        yield _row([fault.name, fault.done, promised(fault.promise), *_cells(result)])


def _cells(result: Result) -> list[str]:
    seen = result.seen
    if seen is None:
        return [*[""] * (len(_HEAD) - 4), verdict(result)]
    return [
        str(seen.calls),
        str(seen.answered),
        f"{seen.late} ({max(0.0, seen.worst):.1f} s)",
        f"{seen.lost}{f' (cut off: {seen.cut})' if seen.cut else ''}",
        str(seen.forgotten),
        str(seen.acknowledged),
        str(seen.missing),
        str(seen.refused),
        "no" if seen.recovered is None else f"{seen.recovered:.1f} s",
        f"{seen.descriptors} fd, {seen.kib / 1024:.1f} MiB",
        verdict(result),
    ]


def verdict(result: Result) -> str:
    """In a word, or what is wrong."""
    if result.skipped:
        return f"not done: {result.skipped}"
    return f"**broken**: {'; '.join(result.broken)}" if result.broken else "kept"


def summary(result: Result) -> str:
    """A result in one line, for the terminal."""
    seen = result.seen
    figures = "" if seen is None else f" ({_figures(seen)})"
    return f"{result.fault.name}: {verdict(result)}{figures}"


def _figures(seen: Seen) -> str:
    return (
        f"{seen.calls} calls, {seen.lost} lost, {seen.cut} cut off, latest {seen.worst:.2f} s,"
        f" {seen.forgotten} forgotten,"
        f" {seen.acknowledged} callbacks, {seen.missing} lost, {seen.refused} refused,"
        f" recovered {'no' if seen.recovered is None else f'{seen.recovered:.1f} s'}"
    )


def _notes(results: Sequence[Result]) -> Iterator[str]:
    for result in results:
        for remark in result.remarks:
            yield f"- {result.fault.name}: {remark}"


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
