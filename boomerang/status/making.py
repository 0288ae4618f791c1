"""The status page, put together from the settings."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from attrs import frozen

from boomerang.endpoints.listing import summary
from boomerang.settings import Settings
from boomerang.status.board import Board, CheckSource
from boomerang.status.live import Live
from boomerang.status.overview import EndpointNow
from boomerang.status.page import Asset, Page, Parts, load_assets
from boomerang.status.report import Report
from boomerang.stores.interfaces import NoteStore


@frozen(eq=False)
class StatusSurroundings:
    """What is around the status page: ``own`` gives the report of this process, ``wall_clock``
    seconds since the epoch."""

    reactor: Any
    own: Callable[[], Report]
    notes: NoteStore
    checks: CheckSource
    wall_clock: Callable[[], float]


@frozen(eq=False)
class Status:
    """What the routes ask, and what runs: the board."""

    board: Board
    page: Page
    live: Live
    assets: dict[str, Asset]


def make_status(settings: Settings, around: StatusSurroundings) -> Status:
    """The page and all it needs, not yet started."""
    board = Board(
        around.own,
        notes=around.notes,
        environment=settings.environment,
        endpoints=tuple(_endpoints(settings)),
        checks=around.checks,
        clock=around.reactor,
        wall_clock=around.wall_clock,
    )
    assets = dict(load_assets())
    page = Page(assets)

    async def look() -> Parts:
        return page.parts(await board.overview())

    return Status(board=board, page=page, live=Live(look, clock=around.reactor), assets=assets)


def _endpoints(settings: Settings) -> Iterator[EndpointNow]:
    for endpoint in (*settings.endpoint, None):
        told = summary(endpoint, settings.retry)
        yield EndpointNow(
            name=told.name, match=told.match, held=told.held, last_resort=told.last_resort
        )
