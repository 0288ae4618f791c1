"""From what each process says to what the host says: metrics and health. Pure.

Counters and histograms are added up, those of dead workers included, so that no sum ever falls.
Gauges are of the whole host, or of the one worker that has them, and the highest counts, but for
`ADDED_UP`. What is about a process (``process_*``, ``python_*``) gets a label that names it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

ADDED_UP: Final = frozenset({"boomerang_held_requests"})

_COUNTS: Final = ("counter", "histogram", "summary")
_OF_A_PROCESS: Final = ("process_", "python_")

Families = list[Any]
"""Metric families as plain data: name, help, type, and samples (name, labels, value) of each."""


def families_of(registry: CollectorRegistry) -> Families:
    """All that a registry has."""
    return [
        [
            metric.name,
            metric.documentation,
            metric.type,
            [[sample.name, sample.labels, sample.value] for sample in metric.samples],
        ]
        for metric in registry.collect()
    ]


def counts_of(families: Families) -> Families:
    """Those that outlive the process: what has been counted does not become undone."""
    return [each for each in families if each[2] in _COUNTS and not _is_of_process(each[0])]


def merged(said: Sequence[tuple[str, Families]]) -> Families:
    """One of each family, of what processes said (each with its name)."""
    found: dict[str, tuple[list[Any], dict[Any, list[Any]]]] = {}
    for process, families in said:
        for name, documentation, kind, samples in families:
            _, values = found.setdefault(name, ([name, documentation, kind], {}))
            for sample, labels, value in samples:
                known = {**labels, "worker": process} if _is_of_process(name) else labels
                key = (sample, *sorted(known.items()))
                if key in values:
                    joined = _joining(name, kind, sample)
                    values[key][2] = joined(values[key][2], value)
                else:
                    values[key] = [sample, known, value]
    return [[*described, list(values.values())] for described, values in found.values()]


def exposition(families: Families) -> bytes:
    """The text that Prometheus scrapes."""
    registry = CollectorRegistry()
    registry.register(_Said(families))
    return generate_latest(registry)


def host_health(
    said: Sequence[Mapping[str, Any]],
    *,
    of: int,
    started: str,
    uptime: float,
    away_since: str | None,
) -> dict[str, Any]:
    """``/health`` of the host, from what at least one worker said, worker 0 first if it is there.

    ``started`` and ``uptime`` (seconds) are the supervisor's. ``away_since`` is set while not all
    workers are ready.
    """
    troubles: dict[str, str] = {} if away_since is None else {"workers": away_since}
    circuits: Counter[tuple[str, str]] = Counter()
    for each in said:
        for trouble in each["degraded"]:
            part, since = trouble["part"], trouble["since"]
            troubles[part] = min(since, troubles.get(part, since))
        circuits |= Counter((one["reason"], one["since"]) for one in each["circuits"])
    return {
        **said[0],
        "status": "degraded" if troubles else "ok",
        "degraded": [{"part": part, "since": since} for part, since in troubles.items()],
        "started": started,
        "uptime_seconds": round(uptime),
        "held": sum(each["held"] for each in said),
        "circuits": [{"reason": reason, "since": since} for reason, since in circuits.elements()],
        "workers": {"of": of, "answering": len(said)},
    }


class _Said(Collector):
    def __init__(self, families: Families) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        for name, documentation, kind, samples in self._families:
            metric = Metric(name, documentation, kind)
            for sample, labels, value in samples:
                metric.add_sample(sample, labels, value)
            yield metric


def _is_of_process(name: str) -> bool:
    return name.startswith(_OF_A_PROCESS)


def _joining(name: str, kind: str, sample: str) -> Callable[[float, float], float]:
    if sample.endswith("_created"):
        return min
    return _added if kind in _COUNTS or name in ADDED_UP else max


def _added(one: float, other: float) -> float:
    return one + other
