"""A stand-in for Twilio's REST API that keeps what it is told, on a socket and in a thread.

It has the part that the account audit asks: lists in pages, updates, sub-accounts, the Webhooks
API. It refuses what Twilio refuses (codes: https://www.twilio.com/docs/api/errors).
"""

from __future__ import annotations

import json
import threading
from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode, urlsplit

from attrs import field, frozen

from boomerang.account.resources import Kind
from boomerang.urls import BadUrl, parse_url
from tests.fakes.twilio_records import CHANGEABLE, KEYS, PATHS, account_record, sender_record

TOKEN: Final = "the-auth-token"
MAIN: Final = "AC" + "0" * 31 + "1"

Document = dict[str, Any]


@frozen
class Asked:
    """A request. ``form`` is what an update set."""

    method: str
    path: str
    query: Mapping[str, str]
    form: Mapping[str, str]


class Refusal(Exception):
    """An answer of failure, in Twilio's form."""

    def __init__(self, status: int, code: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.document = {
            "code": code,
            "message": message,
            "more_info": f"https://www.twilio.com/docs/errors/{code}",
            "status": status,
        }


@frozen
class Account:
    """An account, its token, and its resources by kind and SID, in their order.

    ``senders`` are the SIDs of numbers and short codes, by the SID of their messaging service.
    """

    sid: str
    token: str
    owner: str
    resources: dict[Kind, dict[str, Document]] = field(factory=lambda: {kind: {} for kind in Kind})
    senders: dict[str, list[str]] = field(factory=dict)
    rules: list[Document] = field(factory=list)
    settings: dict[str, Document] = field(factory=dict)


class FakeTwilio:
    """The API. ``page_size`` is the most that it gives at once.

    ``troubles`` are answers (status, headers, body) for the next requests in the place of its own,
    of those whose path begins with ``troubled``;
    ``before_update`` is called with each update, and may raise `Refusal`. ``keys`` are API keys,
    each a user name and a secret. Without ``webhooks`` an account has no Webhooks API.
    """

    def __init__(self, *, page_size: int = 1000) -> None:
        self.page_size = page_size
        self.accounts = {MAIN: Account(MAIN, TOKEN, MAIN)}
        self.keys: dict[str, str] = {}
        self.webhooks = True
        self.asked: list[Asked] = []
        self.troubles: list[tuple[int, dict[str, str], bytes]] = []
        self.troubled = "/"
        self.before_update: Callable[[Asked], None] = lambda _: None
        self.url = ""

    @property
    def main(self) -> Account:
        return self.accounts[MAIN]

    def add_subaccount(self, number: int) -> Account:
        """A sub-account of the main one."""
        account = Account(f"AC{number:032x}", f"token-{number}", MAIN)
        self.accounts[account.sid] = account
        return account

    def state(self) -> str:
        """Everything that could be changed, as a text to compare."""
        kept = {
            sid: {kind.value: records for kind, records in account.resources.items()}
            for sid, account in self.accounts.items()
        }
        return json.dumps(kept, indent=1, sort_keys=True)

    def updates(self) -> list[Asked]:
        """The updates that were asked for."""
        return [each for each in self.asked if each.method == "POST"]

    def answer(self, asked: Asked, login: tuple[str, str]) -> tuple[int, Document]:
        """What Twilio would answer, its status first."""
        try:
            return 200, self._answer(asked, self._known(login))
        except Refusal as refusal:
            return refusal.status, refusal.document

    def _known(self, login: tuple[str, str]) -> Account:
        user, secret = login
        if self.keys.get(user) == secret:
            return self.main
        account = self.accounts.get(user)
        if account is None or account.token != secret:
            raise Refusal(401, 20003, "Authenticate")
        return account

    def _answer(self, asked: Asked, who: Account) -> Document:
        if asked.path == "/2010-04-01/Accounts.json":
            return self._accounts(asked, who)
        if asked.path.startswith("/v1/Webhooks/"):
            return self._webhooks(asked, who)
        account, path = self._account_of(asked.path, who)
        if path.startswith("/v1/Services/") and path.count("/") == 4:
            return self._senders(asked, account, *path.split("/")[3:])
        for kind, prefix in PATHS.items():
            suffix = "" if prefix.startswith("/v1/") else ".json"
            if path == prefix + suffix:
                return self._page(asked, KEYS[kind], list(account.resources[kind].values()))
            if path.startswith(f"{prefix}/"):
                sid = path[len(prefix) + 1 :].removesuffix(suffix)
                record = account.resources[kind].get(sid)
                if record is None:
                    break
                return self._update(asked, kind, record)
        raise Refusal(404, 20404, f"The requested resource {asked.path} was not found")

    def _account_of(self, path: str, who: Account) -> tuple[Account, str]:
        """Whose resource it is, and the path without its account; v1 knows the one who asks."""
        start = "/2010-04-01/Accounts/"
        if not path.startswith(start):
            return who, path
        sid, _, rest = path[len(start) :].partition("/")
        account = self.accounts.get(sid)
        if account is None or who.sid not in (account.sid, account.owner):
            raise Refusal(404, 20404, f"The requested resource {path} was not found")
        return account, rest

    def _accounts(self, asked: Asked, who: Account) -> Document:
        own = [each for each in self.accounts.values() if who.sid in (each.sid, each.owner)]
        records = [
            account_record(each.sid, each.owner, None if self.keys else each.token) for each in own
        ]
        return self._page(asked, "accounts", records)

    def _senders(self, asked: Asked, account: Account, service: str, what: str) -> Document:
        kinds = {"PhoneNumbers": Kind.NUMBER, "ShortCodes": Kind.SHORT_CODE}
        if service not in account.resources[Kind.MESSAGING_SERVICE] or what not in kinds:
            raise Refusal(404, 20404, f"The requested resource {asked.path} was not found")
        kind = kinds[what]
        senders = [
            sender_record(kind, account.resources[kind][sid], service)
            for sid in account.senders.get(service, [])
            if sid in account.resources[kind]
        ]
        return self._page(
            asked, "short_codes" if kind is Kind.SHORT_CODE else "phone_numbers", senders
        )

    def _page(self, asked: Asked, key: str, records: list[Document]) -> Document:
        size = min(int(asked.query.get("PageSize", 50)), self.page_size)
        number = int(asked.query.get("Page", 0))
        some = records[number * size : (number + 1) * size]
        more = len(records) > (number + 1) * size

        def at(page: int) -> str:
            query = {**asked.query, "PageSize": size, "Page": page}
            return f"{asked.path}?{urlencode(query)}"

        previous = at(number - 1) if number else None
        following = at(number + 1) if more else None
        if asked.path.startswith("/v1/"):
            meta = {
                "key": key,
                "page": number,
                "page_size": size,
                "first_page_url": self.url + at(0),
                "previous_page_url": previous and self.url + previous,
                "next_page_url": following and self.url + following,
                "url": self.url + at(number),
            }
            return {"meta": meta, key: some}
        return {
            "page": number,
            "page_size": size,
            "start": number * size,
            "end": number * size + max(len(some) - 1, 0),
            "first_page_uri": at(0),
            "previous_page_uri": previous,
            "next_page_uri": following,
            "uri": at(number),
            key: some,
        }

    def _update(self, asked: Asked, kind: Kind, record: Document) -> Document:
        names = CHANGEABLE[kind]
        after = dict(record)
        for parameter, value in asked.form.items():
            if parameter not in names:
                raise Refusal(400, 20001, f"Unknown parameter {parameter}")
            name = names[parameter]
            if name.endswith("_method") and value not in ("GET", "POST"):
                raise Refusal(400, 22106, f"{parameter} is not valid: {value}")
            if not name.endswith("_method") and value:
                _check_url(parameter, value)
            after[name] = value or None
        for primary, fallback, code in (
            ("voice_url", "voice_fallback_url", 21405),
            ("sms_url", "sms_fallback_url", 21406),
            ("inbound_request_url", "fallback_url", 21406),
        ):
            if _camel(fallback) in asked.form and after[fallback] and not after[primary]:
                raise Refusal(400, code, f"A fallback URL needs {primary}")
        self.before_update(asked)
        record.update(after)
        return record

    def _webhooks(self, asked: Asked, who: Account) -> Document:
        if not self.webhooks:
            raise Refusal(404, 20404, "The requested resource was not found")
        if asked.path == "/v1/Webhooks/Rules":
            return self._tokens(asked, who.rules)
        setting = who.settings.get(asked.path.rpartition("/")[2])
        if setting is None:
            raise Refusal(404, 20404, "The requested resource was not found")
        return setting

    def _tokens(self, asked: Asked, records: list[Document]) -> Document:
        size = min(int(asked.query.get("pageSize", 50)), self.page_size, 100)
        start = int(asked.query.get("pageToken", 0))
        meta: Document = {"key": "rules", "pageSize": size}
        if len(records) > start + size:
            meta["nextToken"] = str(start + size)
        return {"meta": meta, "rules": records[start : start + size]}


def _check_url(parameter: str, value: str) -> None:
    try:
        parse_url(value)
    except BadUrl:
        raise Refusal(400, 22105, f"{parameter} is not a valid URL") from None
    if "StatusCallback" in parameter and len(value) > 4000:
        raise Refusal(400, 21609, f"{parameter} is too long")


def _camel(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))


@contextmanager
def served(fake: FakeTwilio) -> Iterator[FakeTwilio]:
    """The stand-in on a port of this machine, answering in threads; ``fake.url`` is where."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            length = int(self.headers.get("Content-Length", 0))
            asked = Asked(
                method=self.command,
                path=parts.path,
                query=dict(parse_qsl(parts.query)),
                form=dict(parse_qsl(self.rfile.read(length).decode(), keep_blank_values=True)),
            )
            fake.asked.append(asked)
            if fake.troubles and asked.path.startswith(fake.troubled):
                status, headers, body = fake.troubles.pop(0)
            else:
                status, document = fake.answer(asked, self._login())
                headers, body = {}, json.dumps(document).encode()
            self.send_response(status)
            for name, value in {"Content-Type": "application/json", **headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET

        def _login(self) -> tuple[str, str]:
            encoded = self.headers.get("Authorization", "").removeprefix("Basic ")
            user, _, secret = b64decode(encoded).decode().partition(":")
            return user, secret

        def log_message(self, format: str, *args: object) -> None:
            """Nothing is logged."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    fake.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield fake
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
