"""The stand-in's measurements and metrics."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import Any

from tests.fakes.librato_answers import Asked, Refusal, Reply, page, wrong
from tests.fakes.librato_door import Document, Door, call, found
from tests.fakes.librato_points import Sample, check_types, read_metrics, read_tagged


class Measuring(Door):
    """``doubled`` are samples that came for a stream and second for which there was one already.

    The real service merges the two, or forgets one; which is not known.
    """

    def __init__(self, *, wall_clock: Callable[[], float], kind: str = "source") -> None:
        super().__init__(wall_clock=wall_clock, kind=kind)
        self.samples: list[Sample] = []
        self.doubled: list[Sample] = []
        self.metrics: dict[str, Document] = {}
        self._points: set[tuple[Hashable, int]] = set()

    def values(self, metric: str, stream: str | None = None) -> list[float]:
        """The values of a metric, in the order in which they came; of one source or ``check``."""
        return [
            sample.value
            for sample in self.samples
            if sample.metric == metric
            and stream in (None, sample.source, (sample.tags or {}).get("check"))
        ]

    @call("POST", "/metrics")
    def post_metrics(self, asked: Asked) -> Reply:
        if self.kind == "tags":
            raise Refusal(400, {"errors": {"request": ["The account has no sources"]}})
        self._take(read_metrics(asked.document, now=self.wall_clock()), asked)
        return Reply(200)

    @call("POST", "/measurements")
    def post_measurements(self, asked: Asked) -> Reply:
        if self.kind == "source":
            raise Refusal(400, {"errors": {"request": ["The account has no tags"]}})
        samples = read_tagged(asked.document, now=self.wall_clock())
        self._take(samples, asked)
        summary = {"total": len(samples), "accepted": len(samples), "failed": 0, "filtered": 0}
        return Reply(202, {"measurements": {"summary": summary}})

    def _take(self, samples: list[Sample], asked: Asked) -> None:
        check_types(samples, {name: metric["type"] for name, metric in self.metrics.items()})
        for sample in samples:
            point = sample.stream, sample.at
            if point in self._points:
                self.doubled.append(sample)
            self._points.add(point)
            self.samples.append(sample)
            self._create_metric(sample.metric, sample.type, sample.properties, asked)

    def _create_metric(
        self, name: str, type: str, properties: Mapping[str, Any], asked: Asked
    ) -> None:
        """Properties count for the first that is heard of a metric alone."""
        attributes = {
            **properties.get("attributes", {}),
            "created_by_ua": asked.header("User-Agent"),
        }
        new = {
            "name": name,
            "type": type,
            **dict.fromkeys(("description", "display_name", "period")),
            **properties,
            "attributes": attributes,
        }
        self.metrics.setdefault(name.lower(), new)

    @call("GET", "/metrics")
    def list_metrics(self, asked: Asked) -> Reply:
        return page(asked, "metrics", self.metrics.values(), orderby=("name",))

    @call("GET", "/metrics/<name>")
    def get_metric(self, asked: Asked, name: str) -> Reply:
        return Reply(200, found(self.metrics, name.lower()))

    @call("PUT", "/metrics/<name>")
    def put_metric(self, asked: Asked, name: str) -> Reply:
        document = asked.document
        if name.lower() not in self.metrics:
            if document.get("type") not in ("gauge", "counter"):
                raise wrong(type="is not present")
            properties = {key: each for key, each in document.items() if key != "type"}
            self._create_metric(name, document["type"], properties, asked)
            return Reply(201, self.metrics[name.lower()], f"metrics/{name}")
        metric = self.metrics[name.lower()]
        attributes = {**metric["attributes"], **document.pop("attributes", {})}
        metric.update(document, attributes=attributes)
        return Reply(204)

    @call("DELETE", "/metrics/<name>")
    def delete_metric(self, asked: Asked, name: str) -> Reply:
        found(self.metrics, name.lower())
        del self.metrics[name.lower()]
        return Reply(204)
