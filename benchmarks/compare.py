"""Whether two runs agree: `python -m benchmarks compare OLD.json NEW.json`.

A ratio agrees if its spreads in the two runs overlap. A spread is the range of the rounds, at
either end wider by the tolerance of its kind (a tenth; for lateness, twofold), so that a figure of
a few rounds, or of one, has one as well (`figures.Target`). Without it, two runs of the same thing
would disagree by chance in 2 of C(2n, n) cases for n rounds: for 3 rounds one figure in ten.
Figures that are no ratios are shown beside, and decide nothing: they belong to a machine.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.figures import quantity, table

_RATIO = "x"


def agree(old: Sequence[float], new: Sequence[float]) -> bool:
    """Whether the spreads of two runs overlap; what was not measured agrees with nothing."""
    if None in old or None in new:
        return False
    return min(old) <= max(new) and min(new) <= max(old)


def compare(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[str, bool]:
    """A table of all figures that both runs have, and whether all ratios among them agree."""
    before = {figure["name"]: figure for figure in old["figures"]}
    pairs = [(before[each["name"]], each) for each in new["figures"] if each["name"] in before]
    rows, ratios = [], []
    for first, second in pairs:
        same, ratio = agree(first["spread"], second["spread"]), _unit(second) == _RATIO
        ratios += [same] if ratio else []
        verdict = "yes" if same else "NO" if ratio else "no"
        rows.append((second["name"], _range(first), _range(second), verdict))
    return table(("figure", "old", "new", "agree"), rows), bool(ratios) and all(ratios)


def main(old: Path, new: Path) -> int:
    """Print the comparison of two files of results; 1 if a ratio disagrees."""
    text, same = compare(json.loads(old.read_text()), json.loads(new.read_text()))
    print(f"{text}\n\n{'all ratios agree' if same else 'the runs do not agree'}")
    return 0 if same else 1


def _unit(figure: Mapping[str, Any]) -> str:
    return str(figure["target"]["unit"])


def _range(figure: Mapping[str, Any]) -> str:
    low, high = figure["spread"]
    return "-" if low is None else f"{quantity(low)}-{quantity(high)} {_unit(figure)}"
