"""Apprise, as it may be used beside a reactor: in our threads, and without saying where to."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import partial
from hashlib import sha256
from typing import Final

from apprise import Apprise, AppriseAsset, NotifyBase, NotifyFormat, NotifyType

from boomerang.monitor.libraries import silence
from boomerang.monitor.notify.line import Channel
from boomerang.monitor.notify.message import Message

_SCHEME: Final = re.compile(r"([a-z][a-z0-9+.-]*)://", re.IGNORECASE | re.ASCII)


def url_problems(urls: Sequence[str]) -> Iterator[str]:
    """What is wrong with the URLs, a line each; they are secret, so only their schemes are said."""
    silence("apprise")
    for number, url in enumerate(urls, start=1):
        if url in urls[: number - 1]:
            first = urls.index(url) + 1
            yield f"notify.urls: {_label(number, url)} is the same as number {first}"
        elif _service(url) is None:
            yield (
                f"notify.urls: {_label(number, url)} is expected to be a URL that Apprise knows,"
                " of a service whose own packages are installed"
            )


def channels(urls: Sequence[str]) -> list[Channel]:
    """The addresses, none of which has a problem (see `url_problems`)."""
    silence("apprise", "urllib3")
    found = []
    for number, url in enumerate(urls, start=1):
        service = _service(url)
        assert service is not None, "its problem has been told"
        apprise = Apprise()
        apprise.add(service)
        id_ = sha256(url.encode()).hexdigest()[:16]
        found.append(Channel(id=id_, label=_label(number, url), send=partial(_send, apprise)))
    return found


def _service(url: str) -> NotifyBase | None:
    # Apprise would do the work in threads of its own, which the end of the process waits for,
    # as soon as there is more than one service or a limit of time. It has the caller's.
    asset = AppriseAsset(async_mode=False, service_timeout=0, storage_mode="memory")
    return Apprise.instantiate(url, asset=asset)


def _send(apprise: Apprise, message: Message) -> bool:
    return bool(
        apprise.notify(
            body=message.body,
            title=message.title,
            notify_type=NotifyType(message.kind),
            body_format=NotifyFormat.TEXT,
        )
    )


def _label(number: int, url: str) -> str:
    scheme = _SCHEME.match(url)
    return f"number {number} ({scheme[1].lower() if scheme else 'without a scheme'})"
