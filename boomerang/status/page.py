"""The page and its live parts, from the overview: templates, and what they need for people."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from hashlib import blake2b
from importlib.resources import files
from typing import Any, Final

from attrs import frozen
from jinja2 import Environment, PackageLoader, StrictUndefined, pass_context
from jinja2.ext import Extension
from jinja2.runtime import Context
from markupsafe import Markup

from boomerang import __version__
from boomerang.monitor.result import KEPT
from boomerang.status import charts
from boomerang.status.headline import Headline, headline
from boomerang.status.overview import Overview

PARTS: Final = (
    "headline",
    "held",
    "hour",
    "checks",
    "endpoints",
    "circuits",
    "relay",
    "decisions",
    "instances",
)
"""The parts of the page that change while it is looked at; each has a template of its name."""

_TYPES: Final = {
    "style.css": "text/css; charset=utf-8",
    "script.js": "text/javascript; charset=utf-8",
    "good.svg": "image/svg+xml",
    "warn.svg": "image/svg+xml",
    "bad.svg": "image/svg+xml",
}

_NONE: Final = "-"
_LENGTHS: Final = (("d", 86_400), ("h", 3600), ("min", 60))


@frozen
class Asset:
    """A file that the page needs."""

    body: bytes
    content_type: str


@frozen
class Parts:
    """The live parts at an instant (seconds since the epoch), by their names, as HTML."""

    at: float
    title: str
    level: str
    html: Mapping[str, str]


def load_assets() -> Mapping[str, Asset]:
    """The files beside the page, by their names."""
    folder = files("boomerang.status") / "assets"
    return {name: Asset((folder / name).read_bytes(), kind) for name, kind in _TYPES.items()}


class _Flat(Extension):
    """Leaves out the indentation of templates, which is a tenth of a large page."""

    def preprocess(self, source: str, name: str | None, filename: str | None = None) -> str:
        return "\n".join(line.lstrip() for line in source.splitlines())


class Page:
    """Renders the overview. Everything in it is escaped, wherever it came from."""

    def __init__(self, assets: Mapping[str, Asset]) -> None:
        digest = blake2b(b"".join(each.body for each in assets.values()), digest_size=6)
        self._version = digest.hexdigest()
        environment = Environment(
            loader=PackageLoader("boomerang.status"),
            extensions=[_Flat],
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            auto_reload=False,
        )
        environment.filters |= _FILTERS
        environment.globals |= {"charts": charts, "kept": KEPT}
        self._page = environment.get_template("page.html")
        self._parts = {name: environment.get_template(f"{name}.html") for name in PARTS}

    def parts(self, now: Overview) -> Parts:
        """What changes while somebody looks."""
        found = headline(now)
        html = {
            name: template.render(now=now, headline=found) for name, template in self._parts.items()
        }
        return Parts(at=now.at, title=_title(now, found), level=found.level, html=html)

    def whole(self, now: Overview) -> bytes:
        """The page as it is sent first, which needs no script."""
        parts = self.parts(now)
        html = {name: Markup(text) for name, text in parts.html.items()}  # made by the templates
        page = self._page.render(
            now=now, parts=html, title=parts.title, level=parts.level, assets=self._version,
            version=__version__,
        )  # fmt: skip
        return page.encode("utf-8", "backslashreplace")


def _title(now: Overview, found: Headline) -> str:
    """What stands in the tab: short, the number of callers first."""
    if now.held.count:
        return f"{now.held.count:,} held · boomerang"
    return f"{found.sentence} · boomerang"


def clock_time(instant: float | None, *, now: float | None = None) -> Markup:
    """An instant as people read it, with the day if ``now`` is another.

    The script turns UTC into the reader's own time.
    """
    if instant is None:
        return Markup(_NONE)
    moment = datetime.fromtimestamp(instant, UTC)
    is_today = now is None or moment.date() == datetime.fromtimestamp(now, UTC).date()
    return Markup('<time datetime="{}">{}</time>').format(
        moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
        moment.strftime("%H:%M:%S" if is_today else "%Y-%m-%d %H:%M"),
    )


@pass_context
def _clock(context: Context, instant: float | None) -> Markup:
    return clock_time(instant, now=context["now"].at)


def span(seconds: float | None) -> str:
    """A span of time in its largest unit."""
    if seconds is None:
        return _NONE
    for unit, length in _LENGTHS:
        if seconds >= length:
            return f"{int(seconds // length)} {unit}"
    return f"{int(max(0.0, seconds))} s"


def share(value: float | None) -> str:
    """A share in per cent; what is not quite all never looks like all."""
    if value is None:
        return _NONE
    if value == 1:
        return "100 %"
    return f"{min(value * 100, 99.99):.2f} %"


def thousands(number: int) -> str:
    return f"{number:,}"


_FILTERS: Final[dict[str, Callable[..., Any]]] = {
    "clock": _clock,
    "span": span,
    "share": share,
    "thousands": thousands,
}
