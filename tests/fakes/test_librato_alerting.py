"""The stand-in for Librato: alerts, and the services that they notify."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from tests.fakes.librato_account import ABOVE, ABSENT, NOW, Account, result


class TestAlerts:
    """Alerts, from creation to deletion."""

    def test_shown(self, account: Account) -> None:
        """An alert is shown whole: services as objects, numbers as floats, ids of conditions."""
        service = account.service()
        attributes = {"runbook_url": "https://example.com/rb"}
        made = account.alert(services=[service], attributes=attributes, description="slow")
        condition = {
            "id": made["conditions"][0]["id"],
            "type": "above",
            "metric_name": "boomerang.check.time",
            "source": "web",
            "threshold": 5.0,
            "summary_function": "max",
            "tags": [],
        }
        shown = {
            "id": made["id"],
            "name": "boomerang.web.slow",
            "description": "slow",
            "version": 2,
            "active": True,
            "md": False,
            "rearm_seconds": 600,
            "rearm_per_signal": False,
            "created_at": NOW,
            "updated_at": NOW,
            "attributes": attributes,
            "conditions": [condition],
        }
        (of_alert,) = made.pop("services")
        assert (of_alert["id"], of_alert["type"], of_alert["title"]) == (service, "mail", "Ops")
        assert made == shown
        again = account.ask("GET", f"alerts/{made['id']}")[1]
        assert {name: again[name] for name in shown} == shown

    def test_captured_forms(self, account: Account) -> None:
        """Nulls, an empty object for tags and what appoptics-metrics adds are taken."""
        condition = {**ABSENT, "tags": {}, "summary_function": None}
        document = {
            "name": "a",
            "md": False,
            "id": None,
            "attributes": {},
            "version": 2,
            "description": None,
            "rearm_seconds": None,
            "active": True,
            "services": [],
            "conditions": [condition],
            "created_at": None,
            "updated_at": None,
            "rearm_per_signal": None,
        }
        status, made = account.ask("POST", "alerts", document)
        assert (status, made["rearm_seconds"]) == (201, 600)

    def test_tagged(self, account: Account) -> None:
        """A condition may name tags, in an array, with any source or none."""
        tags = [{"name": "check", "grouped": False, "values": ["web"]}]
        made = account.alert("a", {**ABOVE, "source": "*", "tags": tags}, md=True)
        assert made["conditions"][0]["tags"] == tags

    @pytest.mark.parametrize(
        ("change", "param"),
        [
            ({"name": "web_slow"}, "name"),
            ({"name": "web slow"}, "name"),
            ({"name": "a" * 256}, "name"),
            ({"name": None}, "name"),
            ({"version": 1}, "version"),
            ({"rearm_seconds": 90}, "rearm_seconds"),
            ({"active": "yes"}, "active"),
            ({"attributes": []}, "attributes"),
            ({"description": 1}, "description"),
            ({"services": [849]}, "services"),
            ({"services": [{"id": 849}]}, "services"),
            ({"services": "849"}, "services"),
            ({"conditions": {}}, "conditions"),
            ({"conditions": ["a"]}, "conditions"),
            ({"thresholds": 1}, "thresholds"),
        ],
    )
    def test_refused(self, account: Account, change: Mapping[str, object], param: str) -> None:
        """What is wrong with an alert is named."""
        document = {"name": "a", "conditions": [ABOVE], **change}
        status, said = account.ask("POST", "alerts", document)
        assert (status, list(said["errors"]["params"])) == (400, [param])
        assert account.librato.alerts == {}

    @pytest.mark.parametrize(
        ("condition", "param"),
        [
            ({**ABOVE, "type": "equal"}, "type"),
            ({**ABOVE, "metric_name": None}, "metric_name"),
            ({**ABOVE, "metric_name": "a b"}, "metric_name"),
            ({**ABOVE, "threshold": None}, "threshold"),
            ({**ABOVE, "threshold": "5"}, "threshold"),
            ({**ABOVE, "threshold": True}, "threshold"),
            ({**ABOVE, "duration": 59}, "duration"),
            ({**ABOVE, "duration": 3601}, "duration"),
            ({**ABOVE, "duration": 60.5}, "duration"),
            ({**ABOVE, "summary_function": "mean"}, "summary_function"),
            ({**ABOVE, "detect_reset": 1}, "detect_reset"),
            ({**ABOVE, "source": "a b"}, "source"),
            ({**ABOVE, "tags": {"check": "web"}}, "tags"),
            ({**ABOVE, "tags": [{"name": "check", "values": ["web"]}]}, "tags"),
            ({**ABOVE, "source": None, "tags": ["web"]}, "tags"),
            ({**ABOVE, "source": None, "tags": [{"name": "check"}]}, "tags"),
            ({**ABOVE, "source": None, "tags": [{"name": "check", "values": []}]}, "tags"),
            ({**ABOVE, "source": None, "tags": [{"name": "check", "values": ["é"]}]}, "tags"),
            ({**ABOVE, "condition_type": "above"}, "condition_type"),
            ({**ABSENT, "duration": None}, "duration"),
            ({**ABSENT, "duration": 30}, "duration"),
            ({**ABSENT, "threshold": 1}, "threshold"),
        ],
    )
    def test_condition_refused(self, account: Account, condition: object, param: str) -> None:
        """What is wrong with a condition is named, one level deeper."""
        status, said = account.ask("POST", "alerts", {"name": "a", "conditions": [condition]})
        assert (status, list(said["errors"]["params"]["conditions"])) == (400, [param])

    def test_duplicate(self, account: Account) -> None:
        """A name is there once, whatever its case."""
        account.alert("web")
        other = account.alert("other")
        assert account.ask("POST", "alerts", {"name": "WEB", "conditions": []})[0] == 422
        assert account.ask("PUT", f"alerts/{other['id']}", {"name": "Web"})[0] == 422

    def test_put(self, account: Account) -> None:
        """A PUT changes what it names; conditions and attributes that it leaves out are gone."""
        made = account.alert(attributes={"runbook_url": "https://example.com/"}, description="old")
        account.bench.clock.advance(10)
        assert account.ask("PUT", f"alerts/{made['id']}", {"description": "new"}) == (204, b"")
        after = account.ask("GET", f"alerts/{made['id']}")[1]
        assert (after["description"], after["name"]) == ("new", made["name"])
        assert (after["conditions"], after["attributes"]) == ([], {})
        assert (after["created_at"], after["updated_at"]) == (NOW, NOW + 10)

    def test_search(self, account: Account) -> None:
        """A search is for a part of the name, whatever its case; the total is that of all."""
        for name in ("web.slow", "web.slower", "other"):
            account.alert(name)
        answer = account.ask("GET", "alerts?name=WEB.slow")[1]
        assert [alert["name"] for alert in answer["alerts"]] == ["web.slow", "web.slower"]
        assert answer["query"] == {"length": 2, "offset": 0, "total": 3, "found": 2}

    def test_pages(self, account: Account) -> None:
        """A page has a hundred entries at most."""
        for number in range(105):
            account.alert(f"web.{number:03}")
        seen = []
        for offset in (0, 100, 200):
            answer = account.ask("GET", f"alerts?offset={offset}")[1]
            seen.append(len(answer["alerts"]))
        assert seen == [100, 5, 0]
        answer = account.ask("GET", "alerts?offset=1&length=2&sort=desc")[1]
        assert [alert["name"] for alert in answer["alerts"]] == ["web.103", "web.102"]
        for query in ("length=0", "length=101", "offset=-1", "orderby=age", "sort=up"):
            assert account.ask("GET", f"alerts?{query}")[0] == 400

    def test_delete(self, account: Account) -> None:
        """What is deleted is gone."""
        path = f"alerts/{account.alert()['id']}"
        assert account.ask("DELETE", path) == (204, b"")
        assert account.ask("DELETE", path)[0] == 404

    def test_services_of_one(self, account: Account) -> None:
        """Services are attached and detached one by one, too; a form will do."""
        alert, service = account.alert()["id"], account.service()
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        body = f"service={service}".encode()
        assert result(account.raw("POST", f"alerts/{alert}/services", body, form)).status == 201
        shown = account.ask("GET", f"alerts/{alert}")[1]
        assert [each["id"] for each in shown["services"]] == [service]
        assert account.ask("DELETE", f"alerts/{alert}/services/{service}")[0] == 204
        assert account.ask("DELETE", f"alerts/{alert}/services/{service}")[0] == 404
        assert account.ask("POST", f"alerts/{alert}/services", {"service": 7})[0] == 400

    def test_status(self, account: Account) -> None:
        """The status follows the measurements, and clearing by hand is noted."""
        alert = account.alert()["id"]
        assert account.ask("GET", f"alerts/{alert}/status")[1]["status"] == "ok"
        for at in (1, 2):
            account.measure("boomerang.check.time", 6, at=at)
        status = {"alert": {"id": alert}, "status": "triggered"}
        assert account.ask("GET", f"alerts/{alert}/status") == (200, status)
        firing = [{"id": alert, "triggered_at": NOW + 2}]
        assert account.ask("GET", "alerts/status") == (200, {"firing": firing, "cleared": []})
        assert account.ask("POST", f"alerts/{alert}/clear", {})[0] == 204
        cleared = [{"id": alert, "cleared_at": NOW + 2}]
        assert account.ask("GET", "alerts/status")[1]["cleared"] == cleared


class TestServices:
    """Where notifications go."""

    def test_life(self, account: Account) -> None:
        """Ids are texts here and numbers in alerts; a deleted one is gone from alerts too."""
        number = account.service()
        alert = account.alert(services=[str(number)])["id"]
        shown = account.ask("GET", f"services/{number}")[1]
        assert (shown["id"], shown["title"]) == (str(number), "Ops")
        assert account.ask("PUT", f"services/{number}", {"title": "Others"})[0] == 204
        answer = account.ask("GET", "services")[1]
        assert [each["title"] for each in answer["services"]] == ["Others"]
        assert account.ask("DELETE", f"services/{number}")[0] == 204
        assert account.ask("GET", f"alerts/{alert}")[1]["services"] == []

    @pytest.mark.parametrize(
        ("document", "param"),
        [
            ({"type": "carrier-pigeon", "title": "a", "settings": {}}, "type"),
            ({"title": "a", "settings": {}}, "type"),
            ({"type": "mail", "settings": {"addresses": "a@b"}}, "title"),
            ({"type": "mail", "title": "a"}, "settings"),
            ({"type": "mail", "title": "a", "settings": {}}, "settings"),
            ({"type": "mail", "title": "a", "settings": {"addresses": ["a@b"]}}, "settings"),
            ({"type": "webhook", "title": "a", "settings": {"url": "example.com"}}, "settings"),
        ],
    )
    def test_refused(self, account: Account, document: object, param: str) -> None:
        """Each type asks for settings of its own."""
        status, said = account.ask("POST", "services", document)
        assert (status, list(said["errors"]["params"])) == (400, [param])
