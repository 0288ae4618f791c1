"""What a run leaves behind: RESULTS.md, results.json, the curves, and figures in documents."""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs

from benchmarks import floor, scale, scale_reckoning
from benchmarks.curves import Curve, curves, draw
from benchmarks.documents import fill, pictures
from benchmarks.figures import Figure, figures_table, table
from benchmarks.machine import machine
from benchmarks.steps import Failed, Section

_FOLDER_OF_CURVES = "benchmarks/curves"


@attrs.frozen
class Outcome:
    """The sections of all parts that were measured, and what failed; begun with the machine."""

    machine: Mapping[str, str] = attrs.field(factory=machine)
    sections: Mapping[str, Section] = attrs.field(factory=dict)
    failed: Sequence[Failed] = ()

    def having(self, name: str, section: Section | None, failed: Sequence[Failed]) -> "Outcome":
        """The same, with one part more."""
        sections = {**self.sections, name: section} if section else self.sections
        return attrs.evolve(self, sections=sections, failed=(*self.failed, *failed))

    @property
    def figures(self) -> list[Figure]:
        """The figures of all parts."""
        return [figure for section in self.sections.values() for figure in section.figures]

    def data(self, name: str) -> Sequence[Any]:
        """What a part saw; nothing if it was not measured."""
        return self.sections[name].data if name in self.sections else ()


def targets(outcome: Outcome) -> str:
    """All figures, and what could not be measured."""
    text = figures_table(outcome.figures)
    if not outcome.failed:
        return text
    rows = [(each.name, _one_line(each.why)) for each in outcome.failed]
    return f"{text}\n\nNot everything could be measured:\n\n{table(('step', 'why'), rows)}"


def _one_line(text: str) -> str:
    return " ".join(text.replace("|", "/").split())[:300]


def write(outcome: Outcome, folder: Path) -> None:
    """RESULTS.md, results.json and the curves."""
    drawn = _curves(outcome)
    text = ["# Results", "Written by `make bench`; do not edit.", "## Figures", targets(outcome)]
    text += ["## Machine", table(("what", "value"), list(outcome.machine.items()))]
    if not floor.compiler():
        text.append("There is no C compiler, so the floor was not measured.")
    for section in outcome.sections.values():
        text += [f"## {section.title}", section.text]
    text.append(pictures(drawn, "curves"))
    (folder / "RESULTS.md").write_text("\n\n".join(text).rstrip() + "\n")
    (folder / "results.json").write_text(json.dumps(_json(outcome), indent=2) + "\n")
    draw(drawn, folder / "curves")


def _curves(outcome: Outcome) -> list[Curve]:
    return curves(outcome.data("held"), outcome.data("rate"))


def _json(outcome: Outcome) -> Any:
    found = [
        {**attrs.asdict(figure), "spread": figure.spread, "holds": figure.holds}
        for figure in outcome.figures
    ]
    seen = {
        name: [attrs.asdict(each) for each in section.data]
        for name, section in outcome.sections.items()
    }
    failed = [attrs.asdict(each) for each in outcome.failed]
    return without_nan({"machine": outcome.machine, "figures": found, "failed": failed, **seen})


def write_documents(outcome: Outcome, root: Path) -> None:
    """The figures of README.md, and those of docs/scale.md where they were measured."""
    fill(root / "README.md", {"figures": _readme(outcome)})
    rounds = outcome.data("scale")
    if rounds:
        seen = scale.measured(rounds)
        contents = {
            "measured": f"{_where(outcome)}\n\n{scale.report(rounds)}",
            "formulas": scale_reckoning.formulas(seen),
            "extrapolated": scale_reckoning.extrapolated(seen),
        }
        fill(root / "docs" / "scale.md", contents)


def _readme(outcome: Outcome) -> str:
    drawn = pictures(_curves(outcome), _FOLDER_OF_CURVES)
    return "\n\n".join(filter(None, (_where(outcome), targets(outcome), drawn)))


def _where(outcome: Outcome) -> str:
    said = outcome.machine
    return (
        f"{said['date']}, {said['cores']} cores ({said['cpu']}), Python {said['Python']}, "
        f"Twisted {said['Twisted']}, boomerang {said['boomerang']}:"
    )


def without_nan(value: Any) -> Any:
    """The same results with null for NaN, which JSON does not know."""
    if isinstance(value, dict):
        return {key: without_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [without_nan(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
