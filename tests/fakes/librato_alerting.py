"""The stand-in's alerts, and the services that they notify."""

from __future__ import annotations

from collections.abc import Callable

from tests.fakes.librato_alerts import read_alert
from tests.fakes.librato_answers import Asked, Refusal, Reply, page, unknown, wrong
from tests.fakes.librato_documents import read_service
from tests.fakes.librato_door import Document, call, found
from tests.fakes.librato_firing import ever_fired, firing
from tests.fakes.librato_measuring import Measuring


class Alerting(Measuring):
    """Services are ids in ``alerts``, and objects in answers."""

    def __init__(self, *, wall_clock: Callable[[], float], kind: str = "source") -> None:
        super().__init__(wall_clock=wall_clock, kind=kind)
        self.alerts: dict[int, Document] = {}
        self.services: dict[str, Document] = {}
        self._cleared: dict[int, int] = {}

    def firing(self) -> set[str]:
        """The names of the alerts that are raised now."""
        return firing(self.alerts.values(), self.samples, now=self.wall_clock())

    def ever_fired(self) -> set[str]:
        """The names of the alerts that have been raised at some time until now."""
        return ever_fired(self.alerts.values(), self.samples, until=self.wall_clock())

    @call("POST", "/alerts")
    def post_alert(self, asked: Asked) -> Reply:
        alert = self._read_alert(asked, None)
        number, now = next(self.ids), int(self.wall_clock())
        self.alerts[number] = {"id": number, **alert, "created_at": now, "updated_at": now}
        return Reply(201, self._shown(self.alerts[number]), f"alerts/{number}")

    @call("GET", "/alerts")
    def list_alerts(self, asked: Asked) -> Reply:
        alerts = [self._shown(alert) for alert in self.alerts.values()]
        return page(asked, "alerts", alerts, orderby=("name", "updated_at"))

    @call("GET", "/alerts/status")
    def alerts_status(self, asked: Asked) -> Reply:
        raised = self.firing()
        now = int(self.wall_clock())
        firing = [
            {"id": number, "triggered_at": now}
            for number, alert in self.alerts.items()
            if alert["name"] in raised
        ]
        cleared = [{"id": number, "cleared_at": at} for number, at in self._cleared.items()]
        return Reply(200, {"firing": firing, "cleared": cleared})

    @call("GET", "/alerts/<int:number>")
    def get_alert(self, asked: Asked, number: int) -> Reply:
        return Reply(200, self._shown(found(self.alerts, number)))

    @call("PUT", "/alerts/<int:number>")
    def put_alert(self, asked: Asked, number: int) -> Reply:
        alert = found(self.alerts, number)
        alert.update(self._read_alert(asked, alert), updated_at=int(self.wall_clock()))
        return Reply(204)

    @call("DELETE", "/alerts/<int:number>")
    def delete_alert(self, asked: Asked, number: int) -> Reply:
        found(self.alerts, number)
        del self.alerts[number]
        return Reply(204)

    @call("GET", "/alerts/<int:number>/status")
    def alert_status(self, asked: Asked, number: int) -> Reply:
        raised = found(self.alerts, number)["name"] in self.firing()
        return Reply(200, {"alert": {"id": number}, "status": "triggered" if raised else "ok"})

    @call("POST", "/alerts/<int:number>/clear")
    def clear_alert(self, asked: Asked, number: int) -> Reply:
        found(self.alerts, number)
        self._cleared[number] = int(self.wall_clock())
        return Reply(204)

    @call("POST", "/alerts/<int:number>/services")
    def attach_service(self, asked: Asked, number: int) -> Reply:
        alert, service = found(self.alerts, number), str(asked.fields.get("service"))
        if service not in self.services:
            raise wrong(service="is not a service")
        if service not in alert["services"]:
            alert["services"].append(service)
        return Reply(201, self.services[service], f"alerts/{number}/services/{service}")

    @call("DELETE", "/alerts/<int:number>/services/<service>")
    def detach_service(self, asked: Asked, number: int, service: str) -> Reply:
        alert = found(self.alerts, number)
        if service not in alert["services"]:
            raise unknown()
        alert["services"].remove(service)
        return Reply(204)

    def _read_alert(self, asked: Asked, before: Document | None) -> Document:
        alert = read_alert(asked.document, services=self.services, before=before or {})
        for other in self.alerts.values():
            if other is not before and other["name"].lower() == alert["name"].lower():
                raise Refusal(422, {"errors": {"params": {"name": ["has already been taken"]}}})
        for condition in alert["conditions"]:
            condition["id"] = next(self.ids)
        return alert

    def _shown(self, alert: Document) -> Document:
        """An alert as it is read: services are ids when they are sent, and objects here."""
        services = [_with_number(self.services[each]) for each in alert["services"]]
        return {**alert, "services": services, "rearm_per_signal": False}

    @call("POST", "/services")
    def post_service(self, asked: Asked) -> Reply:
        service, number = read_service(asked.document), str(next(self.ids))
        self.services[number] = {"id": number, **service, "updated_at": int(self.wall_clock())}
        return Reply(201, self.services[number], f"services/{number}")

    @call("GET", "/services")
    def list_services(self, asked: Asked) -> Reply:
        return page(asked, "services", self.services.values(), orderby=("title", "updated_at"))

    @call("GET", "/services/<number>")
    def get_service(self, asked: Asked, number: str) -> Reply:
        return Reply(200, found(self.services, number))

    @call("PUT", "/services/<number>")
    def put_service(self, asked: Asked, number: str) -> Reply:
        service = found(self.services, number)
        service.update(read_service(asked.document, before=service))
        return Reply(204)

    @call("DELETE", "/services/<number>")
    def delete_service(self, asked: Asked, number: str) -> Reply:
        found(self.services, number)
        del self.services[number]
        for alert in self.alerts.values():
            alert["services"] = [each for each in alert["services"] if each != number]
        return Reply(204)


def _with_number(service: Document) -> Document:
    """Ids of services are texts among services, and numbers inside alerts."""
    return {**service, "id": int(service["id"])}
