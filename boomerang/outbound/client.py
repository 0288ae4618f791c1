"""The client: requests over kept connections, and visits over connections of their own."""

from __future__ import annotations

from collections.abc import Coroutine, Mapping
from typing import Any, Final, cast

from attrs import frozen
from hyperlink import EncodedURL
from treq.client import HTTPClient
from twisted.internet.defer import CancelledError, Deferred, TimeoutError, succeed
from twisted.internet.interfaces import IConsumer, IHostnameResolver
from twisted.web.client import Agent, HTTPConnectionPool
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent, IBodyProducer, IResponse
from zope.interface import implementer

from boomerang.outbound.answer import Answer, headers_of, leave_body, read_body
from boomerang.outbound.certificates import Trust
from boomerang.outbound.line import Journey, Network, Unwatched, Ways
from boomerang.outbound.lookups import Lookups
from boomerang.outbound.request import Request, is_redirect, redirected
from boomerang.outbound.troubles import Trouble, Unreachable, explained

KEPT_FOR: Final = 30
"""Seconds that an idle connection is kept: less than servers do (mostly 60 and more), so that a
request seldom meets a connection that is just being closed."""

KEPT_PER_SERVER: Final = 8


class Outbound:
    """Makes HTTP requests. The only part of boomerang that does.

    ``trust_root`` replaces the platform's trust roots, ``resolver`` the reactor's look-up of
    names, and ``agent`` the network beneath `request`; all three are for tests.
    """

    def __init__(
        self,
        reactor: Any,
        *,
        trust_root: Any = None,
        resolver: IHostnameResolver | None = None,
        agent: IAgent | None = None,
    ) -> None:
        self._reactor = reactor
        lookups = Lookups(reactor.nameResolver if resolver is None else resolver)
        self._network = Network(reactor=reactor, lookups=lookups, trust=Trust(trust_root))
        self._pool = HTTPConnectionPool(reactor, persistent=True)
        self._pool.cachedConnectionTimeout = KEPT_FOR
        self._pool.maxPersistentPerHost = KEPT_PER_SERVER
        self._agent = agent or self._agent_over(self._pool, Unwatched())
        self._under_way: set[Deferred[Answer]] = set()
        self._closed = False

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        timeout: float,
        body_cap: int,
    ) -> Answer:
        """Ask over a connection that may be an old one, and is kept for the next request.

        ``timeout`` (seconds) is for all from the look-up of the name to the answer's last byte. Of
        the body ``body_cap`` bytes are read (see `Answer.truncated`). Redirects are not followed.
        Raises `Unreachable`, and `boomerang.urls.BadUrl` for what is no web address.
        """
        request = Request(method, url, headers or {}, body)
        if self._closed:
            raise _closing(request)
        answering = _ask(_Treq(self._agent), request, 0, body_cap=body_cap, journey=Unwatched())
        try:
            return await self._tracked(answering).addTimeout(timeout, self._reactor)
        except TimeoutError:
            words = f"{request.where}: no answer within {timeout:g} s"
            raise Unreachable(Trouble.TIMEOUT, words) from None
        except CancelledError:
            if self._closed:
                raise _closing(request) from None
            raise

    async def visit(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        redirects: int,
        body_cap: int,
        journey: Journey,
    ) -> Answer:
        """Ask over a new connection, and close it; for those who want to know how it went.

        ``redirects`` are followed, with 0 none is; more of them are an error, whereas an answer
        that is one stands for itself with 0. There is no time limit: cancel it. Then, as in any
        case, nothing is left behind. Raises as `request` does.
        """
        agent = self._agent_over(HTTPConnectionPool(self._reactor, persistent=False), journey)
        request = Request(method, url, headers)
        return await _ask(agent, request, redirects, body_cap=body_cap, journey=journey)

    def close(self) -> Deferred[None]:
        """Fail the requests that are under way, and close what is kept; fires when all is gone."""
        self._closed = True
        for answering in tuple(self._under_way):
            answering.cancel()
        closing: Deferred[None] = self._pool.closeCachedConnections()
        return closing

    def _agent_over(self, pool: HTTPConnectionPool, journey: Journey) -> Agent:
        ways = Ways(self._network, journey)
        agent: Agent = Agent.usingEndpointFactory(self._reactor, ways, pool)
        return agent

    def _tracked(self, answering: Coroutine[Deferred[Any], Any, Answer]) -> Deferred[Answer]:
        tracked = Deferred.fromCoroutine(answering)
        self._under_way.add(tracked)

        def over(outcome: Any) -> Any:
            self._under_way.discard(tracked)
            return outcome

        return tracked.addBoth(over)


async def _ask(
    agent: IAgent, request: Request, redirects: int, *, body_cap: int, journey: Journey
) -> Answer:
    """One request, and those that the answers redirect to."""
    followed = 0
    while True:
        try:
            response = await agent.request(
                request.method.encode("ascii"),
                request.uri,
                request.sent_headers(),
                None if request.body is None else _Bytes(request.body),
            )
            journey.status = response.code
            headers = headers_of(response)
            if redirects == 0 or not is_redirect(response.code, headers):
                body, truncated = await read_body(response, body_cap)
                return Answer(response.code, headers, body, truncated)
        except Exception as error:
            raise explained(error, request.where) from None
        leave_body(response)
        if followed == redirects:
            raise Unreachable(Trouble.REDIRECT, f"{request.where}: more than {redirects} redirects")
        followed += 1
        request = redirected(request, response.code, headers["location"])


class _AsItIs(EncodedURL):
    """A URL that needs no more care: treq's own fails for IPv6 (hyperlink takes it for a name)."""

    def to_uri(self) -> EncodedURL:
        return self


@implementer(IAgent)
@frozen(eq=False)
class _Treq:
    """treq over an agent: it understands compressed answers. No cookie outlives a request."""

    agent: IAgent

    def request(
        self,
        method: bytes,
        uri: bytes,
        headers: Headers | None = None,
        bodyProducer: IBodyProducer | None = None,
    ) -> Deferred[IResponse]:
        client = HTTPClient(self.agent, data_to_body_producer=lambda producer: producer)
        sent = Headers() if headers is None else headers.copy()
        sent.removeHeader("Accept-Encoding")  # treq says what it understands
        asked: Any = client.request(
            method.decode(),
            _AsItIs.from_text(uri.decode()),
            headers=sent,
            data=bodyProducer,
            allow_redirects=False,
            unbuffered=True,
        )
        return cast("Deferred[IResponse]", asked)


def _closing(request: Request) -> Unreachable:
    return Unreachable(Trouble.CONNECT, f"{request.where}: given up, boomerang is stopping")


@implementer(IBodyProducer)
@frozen(eq=False)
class _Bytes:
    """A body that is all there."""

    body: bytes

    @property
    def length(self) -> int:
        return len(self.body)

    def startProducing(self, consumer: IConsumer) -> Deferred[None]:
        consumer.write(self.body)
        return succeed(None)

    def pauseProducing(self) -> None: ...

    def resumeProducing(self) -> None: ...

    def stopProducing(self) -> None: ...
