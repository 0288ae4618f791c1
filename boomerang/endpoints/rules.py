"""How the requests of each endpoint are rescued: ``[retry]`` and ``[[endpoint]]`` put together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from attrs import field, frozen

from boomerang.endpoints.fallback import Fallback, Redirect
from boomerang.endpoints.table import EndpointTable
from boomerang.retry.hold import LONGEST
from boomerang.retry.request import target
from boomerang.settings.endpoints import UNKNOWN, Endpoint, chosen
from boomerang.settings.retry import RetrySettings
from boomerang.urls import WebUrl, without_secrets

_AS_IN_RETRY: Final = (
    "wait",
    "window",
    "attempts",
    "method",
    "probe",
    "hold_limit",
    "release_rate",
    "circuit",
    "hold_message",
)


@frozen
class EndpointRules:
    """All that is decided beforehand of a request's rescue; units as in the settings.

    ``name`` is one of a bounded set, fit for a metric's label. ``retry`` says whether there are
    second chances at all, ``codes`` which errors get one (none named: all that it may help).
    ``hold_limit`` is 0 where nothing is held longer than ``wait``. ``rounds`` are counted for
    ``call_window`` seconds, be it this endpoint's requests of a call that fail or another's.
    """

    name: str
    mode: str
    retry: bool
    wait: float
    window: float
    attempts: int
    rounds: int
    call_window: float
    method: str
    codes: frozenset[str]
    probe: str | None = field(repr=lambda probe: repr(probe and without_secrets(probe)))
    hold_limit: float
    release_rate: float
    circuit: bool
    fallback: Fallback
    hold_message: str | None = None

    def longest_hold(self, product: str) -> float:
        """Seconds after which a request is sent back, be the app awake or not.

        Without a probe nothing would end a longer hold. A call can be held in several turns; a
        message (and what may be one) only as long as Twilio waits for one answer.
        """
        if self.probe is None or self.hold_limit == 0:
            return self.wait
        return self.hold_limit if product == "voice" else min(self.hold_limit, LONGEST)


def rules_for(endpoint: Endpoint | None, retry: RetrySettings) -> EndpointRules:
    """The rules of an endpoint, or those for the URLs that have none."""
    own = (endpoint and endpoint.fallback) or Fallback()
    general = retry.fallback or Fallback()
    return EndpointRules(
        name=endpoint.name if endpoint else UNKNOWN,
        mode=endpoint.mode if endpoint else "sync",
        retry=endpoint.retry if endpoint else True,
        rounds=retry.rounds,
        call_window=retry.window,
        codes=frozenset(chosen(endpoint, retry, "codes")),
        fallback=Fallback(
            voice=own.voice or general.voice, messaging=own.messaging or general.messaging
        ),
        **{name: chosen(endpoint, retry, name) for name in _AS_IN_RETRY},
    )


class RuleBook:
    """The rules of every URL, made once.

    ``last_resorts`` are all addresses that callers are sent to when all is lost.
    """

    def __init__(self, retry: RetrySettings, endpoints: Sequence[Endpoint]) -> None:
        self._table = EndpointTable(endpoints)
        self._unknown = rules_for(None, retry)
        self._known = {endpoint.name: rules_for(endpoint, retry) for endpoint in endpoints}
        resorts = [
            each for rules in self for each in (rules.fallback.voice, rules.fallback.messaging)
        ]
        urls = dict.fromkeys(each.url for each in resorts if isinstance(each, Redirect))
        self.last_resorts = tuple(target("fallback", url) for url in urls)

    def of(self, url: WebUrl) -> EndpointRules:
        """The rules for the URL that failed."""
        endpoint = self._table.find(url)
        return self._unknown if endpoint is None else self._known[endpoint.name]

    def __iter__(self) -> Iterator[EndpointRules]:
        """All rules there are, those of unknown URLs first: their names are all the labels."""
        yield self._unknown
        yield from self._known.values()


def notes(book: RuleBook) -> Iterator[str]:
    """What is not wrong, and still good to know at start, a line each; of all endpoints once."""
    told = set()
    for rules in book:
        if (rules.probe, rules.hold_limit) in told:
            continue
        told.add((rules.probe, rules.hold_limit))
        where = "retry" if rules.name == UNKNOWN else f'endpoint "{rules.name}"'
        if rules.hold_limit and rules.probe is None:
            yield f"{where}: hold_limit has no effect without a probe, which would end the hold"
        elif rules.longest_hold("voice") > LONGEST:
            yield (
                f"{where}: hold_limit holds calls for up to {rules.hold_limit:g} s; messages no"
                f" longer than {LONGEST:g} s, since Twilio waits for one answer"
            )
