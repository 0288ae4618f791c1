"""From a request to the Klein route that answers it, and from what that returns to an answer.

Klein's own resource asks its URL map for every request, and wraps the request and each handler in
five Deferreds. Here the map is asked once for a path without arguments, and the answer remembered,
which in a prototype saved a third of the CPU of a request. Routes are declared with Klein as ever,
and called without it; what goes wrong becomes a status code here and nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial, wraps
from types import CoroutineType, MethodType
from typing import Any, TypeVar, cast

from klein import Klein, KleinRouteHandler
from twisted.internet.defer import CancelledError, Deferred, ensureDeferred
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.iweb import IRequest
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from boomerang.web.reply import Refused, Reply, refusal
from boomerang.web.request import GuardedRequest

WatchRefusal = Callable[[int], None]
Answer = Callable[[GuardedRequest], object]
Handler = TypeVar("Handler", bound=Callable[..., object])


def route(app: Klein, path: str, *methods: str) -> Callable[[Handler], Handler]:
    """Klein's decorator, for methods that take a `GuardedRequest` and return a `Reply`.

    One that begins a stream returns what fires when the stream is over.
    """

    def declare(handler: Handler) -> Handler:
        # Klein is asked for the method, once, and not to call it: that would take 7,000
        # instructions for every request.
        @wraps(handler)
        def bound(instance: object, _request: object) -> Any:
            return MethodType(handler, instance)

        app.route(path, methods=methods)(cast(KleinRouteHandler, bound))
        return handler

    return declare


class Routes:
    """All routes of the host, each of a Klein app that returns `Reply` values."""

    _log = Logger()

    def __init__(self, apps: Sequence[Klein], *, watch_refusal: WatchRefusal) -> None:
        self._apps = tuple(apps)
        self._watch_refusal = watch_refusal
        self._remembered: dict[tuple[bytes, bytes], Answer] = {}

    def handle(self, request: GuardedRequest) -> None:
        """Answer the request, whatever happens."""
        try:
            answer = self._find(request.path, request.method)
        except Refused as refused:
            request.answer_with(self._refuse(refused))
            return
        try:
            result = answer(request)
        except Exception:
            result = Failure()
        if isinstance(result, CoroutineType):
            result = ensureDeferred(result)
        if isinstance(result, Deferred):
            request.answer = result
            result.addBoth(self._answered, request)
        else:
            self._answered(result, request)

    def _find(self, path: bytes, method: bytes) -> Answer:
        remembered = self._remembered.get((path, method))
        if remembered is not None:
            return remembered
        found, static = self._ask(path, method)
        if static:
            self._remembered[path, method] = found
        return found

    def _ask(self, path: bytes, method: bytes) -> tuple[Answer, bool]:
        """The route, and whether it is the same for every request with this path and method."""
        allowed: set[str] = set()
        if not path.startswith(b"/") or path.startswith(b"//"):  # which Werkzeug would make one
            raise Refused(404, "there is nothing at this address")
        for app in self._apps:
            try:
                rule, arguments = app.url_map.bind("").match(
                    path.decode(), method.decode("ascii"), return_rule=True
                )
            except MethodNotAllowed as error:
                allowed.update(error.valid_methods or ())
            except (UnicodeDecodeError, HTTPException):
                continue  # not found, or a redirect to the path with a slash, which loses a form
            else:
                if method.decode() not in (rule.methods or ()):  # "get", which Werkzeug lets pass
                    allowed.update(rule.methods or ())
                    continue
                handler = cast(Answer, app.execute_endpoint(rule.endpoint, cast(IRequest, None)))
                if rule.arguments:
                    return partial(handler, **arguments), False
                return handler, True
        if allowed:
            methods = ", ".join(sorted(allowed))
            headers = ((b"Allow", methods.encode()),)
            raise Refused(405, f"use {methods}", headers=headers)
        raise Refused(404, "there is nothing at this address")

    def _answered(self, result: object, request: GuardedRequest) -> None:
        request.answer = None
        if request.under_way:
            reply = result if isinstance(result, Reply) else self._reply(result, request)
            request.answer_with(reply)
        elif isinstance(result, Failure) and not result.check(CancelledError, Refused):
            self._reply(result, request)  # the client is gone, the mistake is still to be logged
        if request.streaming:
            request.end_stream()

    def _reply(self, result: object, request: GuardedRequest) -> Reply:
        """The answer to a handler's mistake, or its refusal."""
        if not isinstance(result, Failure):
            result = Failure(TypeError(f"a route returned {type(result).__name__}, not a Reply"))
        if result.check(Refused):
            return self._refuse(cast(Refused, result.value))
        path = request.path.decode("ascii", "backslashreplace")
        self._log.failure("a request to {path} failed", result, path=path)
        return refusal(Refused(500, "boomerang itself failed; its log says why"))

    def _refuse(self, refused: Refused) -> Reply:
        self._watch_refusal(refused.status)
        return refusal(refused)
