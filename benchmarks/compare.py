"""Whether two runs agree: `python -m benchmarks compare OLD.json NEW.json`.

A ratio agrees if its ranges in the two runs overlap. Of two runs of the same thing, with n rounds
each, they do not by chance in 2 of C(2n, n) cases: 1 in 10 for 3 rounds, 1 in 126 for 5, 1 in 462
for 6. Figures that are no ratios are shown beside, and decide nothing: they belong to a machine.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.figures import quantity, table

_RATIO = "x"


def agree(old: Sequence[float], new: Sequence[float]) -> bool:
    """Whether the ranges of two runs overlap; what was not measured agrees with nothing."""
    if not old or not new or None in old or None in new:
        return False
    return min(old) <= max(new) and min(new) <= max(old)


def compare(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[str, bool]:
    """A table of all figures that both runs have, and whether all ratios among them agree."""
    before = {figure["name"]: figure for figure in old["figures"]}
    pairs = [(before[each["name"]], each) for each in new["figures"] if each["name"] in before]
    rows, ratios = [], []
    for first, second in pairs:
        same, ratio = agree(first["values"], second["values"]), _unit(second) == _RATIO
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
    values = [value for value in figure["values"] if value is not None]
    if not values:
        return "-"
    return f"{quantity(min(values))}-{quantity(max(values))} {_unit(figure)}"
