"""Twilio's API through the package ``twilio``: with `asking` and `errors` all that knows it.

Its traps, met here: three families of errors, of which one colours its text for terminals; pages
without end; regions that come from the environment and rewrite the host; credentials likewise.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from attrs import field, frozen
from twilio.rest import Client

from boomerang.account.asking import PatientClient
from boomerang.account.errors import TwilioError, errors
from boomerang.account.plan import Change
from boomerang.account.resources import LAYOUTS, SERVICE, Kind, Resource
from boomerang.settings import Settings

PAGE_SIZE: Final = 1000
"""The most that Twilio gives at once; of the Webhooks API `SMALL_PAGE`."""

SMALL_PAGE: Final = 100

MOST_PAGES: Final = 200

_DOMAINS: Final = ("api", "messaging", "voice", "webhooks")

_OWN_ENVIRONMENT: Final = {"TWILIO_REGION": "", "TWILIO_EDGE": ""}
"""In the place of the process's environment; the package takes that if it is given an empty one."""


class MissingSetting(Exception):
    """A setting is missing that is needed to ask; the message says which."""


@frozen
class Credentials:
    """Who asks: an account with its auth token, or with an API key and its secret."""

    account: str
    user: str
    secret: str = field(repr=False)

    @classmethod
    def of(cls, settings: Settings) -> Credentials:
        """Those of the settings, the API key before the auth token. Raises `MissingSetting`."""
        account, key = settings.twilio.account_sid, settings.account
        if account is None:
            raise MissingSetting(
                "twilio.account_sid is not set (TWILIO_ACCOUNT_SID in the environment)"
            )
        if key.api_key is not None and key.api_secret is not None:
            return cls(account, key.api_key, key.api_secret)
        if settings.twilio.auth_token:
            return cls(account, account, settings.twilio.auth_token[0])
        raise MissingSetting(
            "neither twilio.auth_token nor account.api_key is set"
            " (TWILIO_AUTH_TOKEN, or TWILIO_API_KEY and TWILIO_API_SECRET, in the environment)"
        )


class TwilioApi:
    """One account, as its own credentials see it. Everything here blocks.

    ``url`` is where all of the API is, instead of Twilio's own hosts. Every method raises
    `TwilioError`.
    """

    def __init__(
        self,
        credentials: Credentials,
        *,
        url: str | None,
        sleep: Callable[[float], None],
        random: Callable[[], float],
    ) -> None:
        self.account = credentials.account
        self._again = {"url": url, "sleep": sleep, "random": random}
        bases = {name: url or f"https://{name}.twilio.com" for name in _DOMAINS}
        self._http = PatientClient(
            hosts={urlsplit(base).netloc for base in bases.values()}, sleep=sleep, random=random
        )
        self._client: Any = Client(
            credentials.user,
            credentials.secret,
            account_sid=credentials.account,
            http_client=self._http,
            environment=_OWN_ENVIRONMENT,
        )
        for name, base in bases.items():
            getattr(self._client, name).base_url = base

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def subaccounts(self) -> tuple[tuple[str, TwilioApi | None], ...]:
        """The SIDs of the active sub-accounts, and each as its own credentials see it.

        These come with the list, if it is asked for with an auth token; an API key gets none.
        """
        found = []
        for each in self._all(lambda: self._client.api.v2010.accounts, status="active"):
            if each.sid == self.account or each.owner_account_sid != self.account:
                continue
            own = None
            if each.auth_token:
                credentials = Credentials(each.sid, each.sid, each.auth_token)
                own = TwilioApi(credentials, **self._again)  # type: ignore[arg-type]
            found.append((each.sid, own))
        return tuple(found)

    def resources(self, kind: Kind) -> tuple[Resource, ...]:
        """All resources of a kind."""
        return tuple(
            _resource(kind, self.account, each) for each in self._all(lambda: self._list(kind))
        )

    def senders(self, service: str) -> frozenset[str]:
        """The SIDs of the numbers and short codes that a messaging service sends from."""
        found = self._client.messaging.v1.services(service)
        numbers = self._all(lambda: found.phone_numbers)
        return frozenset(_id(each) for each in [*numbers, *self._all(lambda: found.short_codes)])

    def webhook_rules(self) -> tuple[Mapping[str, Any], ...]:
        """The rules of the Webhooks API: ``id``, ``value`` or ``prefix``, ``settings``."""
        rules = self._all(lambda: self._client.webhooks.v1.rules, size=SMALL_PAGE)
        return tuple(
            {name: getattr(each, name) for name in ("id", "value", "prefix", "settings")}
            for each in rules
        )

    def webhook_connection(self, setting: str) -> Mapping[str, Any]:
        """What a setting of the Webhooks API says of connections; empty if nothing."""
        with errors():
            connection = self._client.webhooks.v1.settings(setting).fetch().connection
        return connection if isinstance(connection, dict) else {}

    def update(self, change: Change) -> None:
        """Set the fields of a resource as they should be after the change."""
        with errors():
            self._list(change.kind)(change.sid).update(**change.after)

    def _list(self, kind: Kind) -> Any:
        account = self._client.api.v2010.accounts(self.account)
        match kind:
            case Kind.NUMBER:
                return account.incoming_phone_numbers
            case Kind.APPLICATION:
                return account.applications
            case Kind.MESSAGING_SERVICE:
                return self._client.messaging.v1.services
            case Kind.SIP_DOMAIN:
                return account.sip.domains
            case Kind.SHORT_CODE:
                return account.short_codes
            case Kind.BYOC_TRUNK:
                return self._client.voice.v1.byoc_trunks

    def _all(self, of: Callable[[], Any], *, size: int = PAGE_SIZE, **options: str) -> list[Any]:
        """Everything in a list, each once: what is new while we read moves others to the next page.

        A page without anything new ends it, since then the pages go round in a circle.
        """
        found: dict[str, Any] = {}
        with errors():
            page = of().page(page_size=size, **options)
            for _ in range(MOST_PAGES):
                records = list(page)
                new = {_id(each): each for each in records if _id(each) not in found}
                found.update(new)
                page = None if records and not new else page.next_page()
                if page is None:
                    return list(found.values())
        raise TwilioError(f"a list has more than {MOST_PAGES} pages")


def _id(record: Any) -> str:
    return str(getattr(record, "sid", None) or record.id)


def _resource(kind: Kind, account: str, record: Any) -> Resource:
    layout = LAYOUTS[kind]
    names = [_text(getattr(record, name)) for name in layout.name]
    return Resource(
        kind=kind,
        sid=str(record.sid),
        account=account,
        names=tuple(name for name in names if name),
        fields={
            name: "" if name == SERVICE else _text(getattr(record, name))
            for name in sorted(layout.fields)
        },
    )


def _text(value: object) -> str:
    return ("true" if value else "") if value is None or isinstance(value, bool) else str(value)
