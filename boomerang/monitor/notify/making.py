"""From the settings to the service that tells people of outages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from boomerang.monitor.libraries import MissingExtra
from boomerang.monitor.notify.line import NotifyWatcher
from boomerang.monitor.notify.outbox import Outbox
from boomerang.monitor.notify.service import Notifications
from boomerang.settings.checks import Check
from boomerang.settings.reports import NotifySettings
from boomerang.stores.interfaces import NoteStore
from boomerang.threads import daemon_threads


def notify_problems(urls: Sequence[str]) -> list[str]:
    """What is wrong with ``[notify] urls``, a line each, no URL in it. Raises `MissingExtra`."""
    if not urls:
        return []
    try:
        from boomerang.monitor.notify.sending import url_problems
    except ImportError as error:
        raise MissingExtra("notify") from error
    return list(url_problems(urls))


def make_notifications(
    settings: NotifySettings,
    *,
    environment: str,
    checks: Sequence[Check],
    notes: NoteStore,
    holder: str,
    reactor: Any,
    wall_clock: Callable[[], float],
    watcher: NotifyWatcher,
) -> Notifications | None:
    """The service that the settings ask for, if they do. Raises `MissingExtra`.

    `notify_problems` has found nothing before. ``holder`` names this process among those that
    share the store.
    """
    if not settings.urls:
        return None
    try:
        from boomerang.monitor.notify.sending import channels
    except ImportError as error:
        raise MissingExtra("notify") from error
    return Notifications(
        channels(settings.urls),
        outbox=Outbox(notes, environment=environment, holder=holder, clock=reactor),
        checks=checks,
        environment=environment,
        run=daemon_threads(reactor, name="notify", most=len(settings.urls)),
        clock=reactor,
        wall_clock=wall_clock,
        watcher=watcher,
    )
