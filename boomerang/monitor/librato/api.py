"""A thin client of Librato's API, and of AppOptics': JSON in, JSON out, errors by type.

Reference: https://github.com/librato/api-docs, and what its official clients send.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Mapping
from typing import Any, Final, Self
from urllib.parse import urlencode

from attrs import field, frozen

from boomerang.monitor.librato.errors import Refused, TryLater, error_of, one_line
from boomerang.outbound import Answer, Outbound, Unreachable
from boomerang.settings.reports import LibratoSettings

TIMEOUT: Final = 10.0
"""Seconds for one request, its answer's body included."""

LARGEST_ANSWER: Final = 4 * 1024 * 1024

PAGE: Final = 100
"""Entries of a page; more are never given."""

MOST_PAGES: Final = 100

Query = Mapping[str, str | int]


@frozen(eq=False)
class LibratoApi:
    """Requests with the account's credentials. ``url`` is the base, up to and with ``/v1``.

    Paths are relative to it, and ready for a URL. All methods raise `TryLater` when Librato cannot
    be reached, is not well or limits rates, and `Refused` when it will not do what it was asked;
    both are `LibratoError`. No message of theirs has the token in it.
    """

    outbound: Outbound
    url: str
    user: str
    token: str = field(repr=False)
    timeout: float = TIMEOUT

    @classmethod
    def of(cls, settings: LibratoSettings, outbound: Outbound) -> Self | None:
        """The client that the settings ask for; `None` without a token: nothing is sent then.

        AppOptics knows no user: the token stands in its place, with an empty password.
        """
        if settings.token is None:
            return None
        user, token = settings.user, settings.token
        if user is None:
            user, token = token, ""
        return cls(outbound=outbound, url=settings.url.rstrip("/"), user=user, token=token)

    async def get(self, path: str, query: Query | None = None) -> Any:
        """What is there, parsed."""
        return await self._ask("GET", path, query=query)

    async def post(self, path: str, document: object) -> Any:
        """Create something, or send measurements; the parsed answer, `None` if it is empty."""
        return await self._ask("POST", path, document=document)

    async def put(self, path: str, document: object) -> Any:
        """Replace something; the parsed answer, `None` if it is empty (it mostly is)."""
        return await self._ask("PUT", path, document=document)

    async def delete(self, path: str) -> None:
        """Remove something."""
        await self._ask("DELETE", path)

    async def pages(self, path: str, key: str, query: Query | None = None) -> list[dict[str, Any]]:
        """All entries of a list, of which an answer has at most a hundred, under ``key``.

        An entry that moves to the next page while we read is given once. Raises `Refused` for a
        server whose pages do not end, or which gives the same page again and again.
        """
        entries: dict[str, dict[str, Any]] = {}
        offset = 0
        for _ in range(MOST_PAGES):
            answer = await self.get(path, {**(query or {}), "offset": offset, "length": PAGE})
            page, total = _page(answer, key)
            before = len(entries)
            for entry in page:
                entries.setdefault(str(entry.get("id", entry.get("name"))), entry)
            offset += len(page)
            if not page or offset >= total:
                return list(entries.values())
            if len(entries) == before:
                break
        raise Refused(f"the pages of {key} do not end", status=200)

    async def _ask(
        self, method: str, path: str, *, query: Query | None = None, document: object = None
    ) -> Any:
        headers = {"Authorization": self._authorization}
        body = None
        if document is not None:
            # The header without a charset, as all official clients send it.
            headers["Content-Type"] = "application/json"
            body = json.dumps(document, allow_nan=False).encode()
        try:
            answer = await self.outbound.request(
                method,
                f"{self.url}/{path}{'?' if query else ''}{urlencode(query or {})}",
                headers=headers,
                body=body,
                timeout=self.timeout,
                body_cap=LARGEST_ANSWER,
            )
        except Unreachable as error:
            raise TryLater(one_line(self._without_secrets(str(error)))) from None
        return self._understood(answer)

    def _understood(self, answer: Answer) -> Any:
        if not 200 <= answer.status < 300:
            hide = self._without_secrets
            raise error_of(answer.status, answer.headers, answer.body, hide=hide)
        if answer.truncated:
            raise TryLater(f"{answer.status}: an answer of more than {LARGEST_ANSWER} bytes")
        if not answer.body.strip():
            return None
        try:
            return json.loads(answer.body)
        except (ValueError, RecursionError):
            raise TryLater(f"{answer.status}: an answer that is not JSON") from None

    @property
    def _authorization(self) -> str:
        return "Basic " + b64encode(f"{self.user}:{self.token}".encode()).decode()

    def _without_secrets(self, text: str) -> str:
        """The text without what a proxy may have repeated of our request."""
        secret = self.token or self.user
        for each in (secret, self._authorization.removeprefix("Basic ")):
            text = text.replace(each, "***")
        return text


def _page(answer: object, key: str) -> tuple[list[dict[str, Any]], float]:
    """The entries of a page, and how many there are of all; infinite if nobody says so."""
    page = answer.get(key) if isinstance(answer, dict) else None
    if not isinstance(page, list) or not all(isinstance(entry, dict) for entry in page):
        raise TryLater(f"200: an answer without {key}")
    assert isinstance(answer, dict)
    query = answer.get("query")
    total = query.get("total") if isinstance(query, dict) else None
    if isinstance(total, int):
        return page, total
    return page, float("inf") if len(page) >= PAGE else 0
