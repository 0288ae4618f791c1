"""Asks the stand-in for Librato by hand, so that nothing of ours stands between."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Mapping
from typing import Any, Final

from twisted.internet.defer import Deferred

from boomerang.outbound import Answer
from tests.fakes.librato import TOKEN, USER
from tests.fakes.librato_bench import EPOCH, LibratoBench

NOW: Final = int(EPOCH)
_JSON: Final = {"Content-Type": "application/json"}

ABOVE: Final[Mapping[str, Any]] = {
    "type": "above",
    "metric_name": "boomerang.check.time",
    "source": "web",
    "tags": {},
    "summary_function": "max",
    "duration": None,
    "threshold": 5,
}
ABSENT: Final[Mapping[str, Any]] = {
    "type": "absent",
    "metric_name": "boomerang.check.up",
    "source": "web",
    "duration": 300,
}


class Account:
    """An account, and one who has its password."""

    def __init__(self, bench: LibratoBench) -> None:
        self.bench = bench
        self.librato = bench.librato
        self.login = (USER, TOKEN) if bench.settings.dialect == "source" else (TOKEN, "")

    def raw(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] = _JSON
    ) -> Deferred[Answer]:
        login = "Basic " + b64encode(":".join(self.login).encode()).decode()
        sent = {"Authorization": login, **(headers if body is not None else {})}
        url = f"https://metrics-api.librato.com/v1/{path}"
        return Deferred.fromCoroutine(
            self.bench.outbound.request(
                method, url, headers=sent, body=body, timeout=10, body_cap=10**6
            )
        )

    def ask(self, method: str, path: str, document: object = None) -> tuple[int, Any]:
        """The status and the parsed body of an answer."""
        body = None if document is None else json.dumps(document).encode()
        answer = result(self.raw(method, path, body))
        is_json = answer.headers.get("content-type", "").startswith("application/json")
        return answer.status, json.loads(answer.body) if is_json else answer.body

    def service(self, title: str = "Ops") -> int:
        settings = {"addresses": "ops@example.com"}
        made = {"type": "mail", "title": title, "settings": settings}
        return int(self.ask("POST", "services", made)[1]["id"])

    def alert(self, name: str = "boomerang.web.slow", *conditions: object, **more: Any) -> Any:
        document = {"name": name, "conditions": list(conditions) or [ABOVE], **more}
        status, alert = self.ask("POST", "alerts", document)
        assert status == 201
        return alert

    def measure(self, name: str, value: float, *, source: str = "web", at: float = 0.0) -> None:
        """A measurement so many seconds after the clock began, sent at that moment."""
        self.bench.clock.advance(max(0.0, at - self.bench.clock.seconds()))
        gauge = {"name": name, "value": value, "source": source, "measure_time": NOW + int(at)}
        assert self.ask("POST", "metrics", {"gauges": [gauge]}) == (200, b"")


def result(answer: Deferred[Answer]) -> Answer:
    """What a Deferred has fired with."""
    results: list[Any] = []
    answer.addBoth(results.append)
    (found,) = results
    if not isinstance(found, Answer):
        found.raiseException()
    assert isinstance(found, Answer)
    return found


def gauges(*given: object, **top: object) -> dict[str, object]:
    """The body of ``POST /v1/metrics``."""
    return {"gauges": list(given), "counters": [], **top}


def measurements(*given: object, **top: object) -> dict[str, object]:
    """The body of ``POST /v1/measurements``."""
    return {"measurements": list(given), **top}
