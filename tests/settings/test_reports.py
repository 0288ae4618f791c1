"""Where the monitor may report to: the services of Librato, and what each of them needs."""

from __future__ import annotations

import attrs
import pytest

from boomerang.settings.declarations import REQUIRED
from boomerang.settings.load import keys_of
from boomerang.settings.reports import (
    LIBRATO_URL,
    SERVICE_SETTINGS,
    HeartbeatSettings,
    LibratoService,
    LibratoSettings,
    NotifySettings,
    OtlpSettings,
    missing_settings,
    service_problems,
)

DECLARED = {declared.name: declared for declared in keys_of(LibratoService)}

# For each key of a service: what the file may say, and what is wrong.
ALL: list[tuple[str, object, object]] = [
    ("type", "mail", "email"),
    ("title", "Operators", ""),
    ("settings", {"addresses": "ops@example.com"}, {"addresses": ["ops@example.com"]}),
]


def service(type: str = "mail", title: str = "Operators", **settings: str) -> LibratoService:
    return LibratoService(type=type, title=title, settings=settings)


def test_off() -> None:
    """With no configuration, nothing is reported to anybody."""
    assert attrs.asdict(LibratoSettings()) == {
        "url": LIBRATO_URL,
        "user": None,
        "token": None,
        "period": 60.0,
        "dialect": "source",
        "service": (),
    }
    assert attrs.asdict(OtlpSettings()) == {"endpoint": None, "headers": {}, "period": 60.0}
    assert attrs.asdict(NotifySettings()) == {"urls": ()}
    assert attrs.asdict(HeartbeatSettings()) == {"url": None, "period": 60.0}


def test_table_is_complete() -> None:
    """Each key of a service is in the table of these tests."""
    assert [name for name, *_ in ALL] == list(DECLARED)


@pytest.mark.parametrize(("name", "value", "wrong"), ALL)
def test_key(name: str, value: object, wrong: object) -> None:
    """Each key is required, has a help text, takes what is right, and refuses what is wrong."""
    declared = DECLARED[name]
    assert declared.default is REQUIRED
    assert declared.declaration.help
    assert declared.declaration.kind(value) == value
    with pytest.raises(ValueError, match=r"\S"):
        declared.declaration.kind(wrong)


@pytest.mark.parametrize("type", SERVICE_SETTINGS)
def test_missing(type: str) -> None:
    """What the type of a service needs is missed, one by one; it may have more."""
    needed = SERVICE_SETTINGS[type]
    assert needed
    all_of_them = dict.fromkeys(needed, "x")
    assert list(missing_settings(service(type, **all_of_them, more="x"))) == []
    assert list(missing_settings(service(type))) == [f"settings.{n} is missing" for n in needed]
    for name in needed:
        given = {**all_of_them, name: ""}
        assert list(missing_settings(service(type, **given))) == [f"settings.{name} is missing"]


@pytest.mark.parametrize(
    ("services", "problems"),
    [
        ([], []),
        ([service(), service("slack"), service(title="Others")], []),
        (
            [service(), service(title="Others"), service(addresses="x")],
            ['librato.service "Operators" is there more than once as mail'],
        ),
    ],
)
def test_services_differ(services: list[LibratoService], problems: list[str]) -> None:
    """A service is found again by its type and title, so no two have both alike."""
    assert list(service_problems(services)) == problems


@pytest.mark.parametrize(
    "settings",
    [
        service("slack", url="hunter2"),
        LibratoSettings(token="hunter2", service=(service("slack", url="hunter2"),)),
        OtlpSettings(endpoint="http://me:hunter2@a", headers={"Authorization": "hunter2"}),
        NotifySettings(urls=("mailto://me:hunter2@a",)),
        HeartbeatSettings(url="https://hc-ping.com/hunter2"),
    ],
)
def test_repr(settings: object) -> None:
    """They can be logged without telling a secret, which the path of a heartbeat's URL is too."""
    assert "hunter2" not in repr(settings)
