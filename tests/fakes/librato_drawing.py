"""The stand-in's annotations, spaces and charts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tests.fakes.librato_answers import Asked, Reply, page, wrong
from tests.fakes.librato_documents import read_chart, read_event
from tests.fakes.librato_door import Document, Door, call, found


class Drawing(Door):
    """``streams`` are annotations by name of the stream and id, ``charts`` by space and id."""

    def __init__(self, *, wall_clock: Callable[[], float], kind: str = "source") -> None:
        super().__init__(wall_clock=wall_clock, kind=kind)
        self.streams: dict[str, dict[int, Document]] = {}
        self.spaces: dict[int, Document] = {}
        self.charts: dict[int, dict[int, Document]] = {}

    @call("POST", "/annotations/<name>")
    def post_annotation(self, asked: Asked, name: str) -> Reply:
        event = read_event(asked.document, now=self.wall_clock())
        number = next(self.ids)
        stream = self.streams.setdefault(name, {})
        stream[number] = {"id": number, **event}
        return Reply(201, stream[number], f"annotations/{name}/{number}")

    @call("GET", "/annotations")
    def list_annotations(self, asked: Asked) -> Reply:
        streams = [{"name": name, "display_name": None} for name in self.streams]
        return page(asked, "annotations", streams, orderby=("name",))

    @call("GET", "/annotations/<name>")
    def get_annotations(self, asked: Asked, name: str) -> Reply:
        stream = found(self.streams, name)
        if not {"start_time", "count"} & asked.query.keys():
            raise wrong(start_time="is not present")
        since = int(asked.query.get("start_time", "0"))
        events: dict[str, list[Document]] = {}
        for event in sorted(stream.values(), key=lambda event: int(event["start_time"])):
            if event["start_time"] >= since:
                events.setdefault(event["source"] or "unassigned", []).append(event)
        return Reply(200, {"name": name, "display_name": None, "events": [events]})

    @call("GET", "/annotations/<name>/<int:number>")
    def get_annotation(self, asked: Asked, name: str, number: int) -> Reply:
        return Reply(200, found(found(self.streams, name), number))

    @call("PUT", "/annotations/<name>/<int:number>")
    def put_annotation(self, asked: Asked, name: str, number: int) -> Reply:
        event = found(found(self.streams, name), number)
        before = {key: each for key, each in event.items() if key != "id"}
        event.update(read_event(asked.document, now=self.wall_clock(), before=before))
        return Reply(204)

    @call("DELETE", "/annotations/<name>")
    def delete_annotations(self, asked: Asked, name: str) -> Reply:
        found(self.streams, name)
        del self.streams[name]
        return Reply(204)

    @call("POST", "/spaces")
    def post_space(self, asked: Asked) -> Reply:
        number = next(self.ids)
        self.spaces[number] = {"id": number, "name": _name(asked.fields)}
        self.charts[number] = {}
        return Reply(201, self.spaces[number], f"spaces/{number}")

    @call("GET", "/spaces")
    def list_spaces(self, asked: Asked) -> Reply:
        return page(asked, "spaces", self.spaces.values(), orderby=("name",))

    @call("GET", "/spaces/<int:number>")
    def get_space(self, asked: Asked, number: int) -> Reply:
        space = found(self.spaces, number)
        return Reply(200, {**space, "charts": [{"id": each} for each in self.charts[number]]})

    @call("PUT", "/spaces/<int:number>")
    def put_space(self, asked: Asked, number: int) -> Reply:
        found(self.spaces, number)["name"] = _name(asked.fields)
        return Reply(204)

    @call("DELETE", "/spaces/<int:number>")
    def delete_space(self, asked: Asked, number: int) -> Reply:
        found(self.spaces, number)
        del self.spaces[number], self.charts[number]
        return Reply(204)

    @call("POST", "/spaces/<int:number>/charts")
    def post_chart(self, asked: Asked, number: int) -> Reply:
        charts, chart = found(self.charts, number), self._numbered(read_chart(asked.document))
        chart_number = next(self.ids)
        charts[chart_number] = {"id": chart_number, **chart}
        return Reply(201, charts[chart_number], f"spaces/{number}")

    @call("GET", "/spaces/<int:number>/charts")
    def list_charts(self, asked: Asked, number: int) -> Reply:
        """An array, in no pages."""
        return Reply(200, list(found(self.charts, number).values()))

    @call("GET", "/spaces/<int:number>/charts/<int:chart>")
    def get_chart(self, asked: Asked, number: int, chart: int) -> Reply:
        return Reply(200, found(found(self.charts, number), chart))

    @call("PUT", "/spaces/<int:number>/charts/<int:chart>")
    def put_chart(self, asked: Asked, number: int, chart: int) -> Reply:
        known = found(found(self.charts, number), chart)
        before = {key: each for key, each in known.items() if key != "id"}
        known.update(self._numbered(read_chart(asked.document, before=before)))
        return Reply(200, known)

    @call("DELETE", "/spaces/<int:number>/charts/<int:chart>")
    def delete_chart(self, asked: Asked, number: int, chart: int) -> Reply:
        charts = found(self.charts, number)
        found(charts, chart)
        del charts[chart]
        return Reply(204)

    def _numbered(self, chart: Document) -> Document:
        streams = [{"id": next(self.ids), "type": "gauge", **each} for each in chart["streams"]]
        return {**chart, "streams": streams}


def _name(document: Mapping[str, Any]) -> str:
    name = document.get("name")
    if not isinstance(name, str) or not name:
        raise wrong(name="is not present")
    return name
