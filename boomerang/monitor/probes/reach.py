"""The way to a host: how far a run came on it, and what goes wrong there in the words of checks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from attrs import frozen
from twisted.internet.defer import CancelledError
from twisted.internet.error import (
    ConnectError,
    ConnectingCancelledError,
    ConnectionClosed,
    DNSLookupError,
)
from twisted.internet.interfaces import (
    IAddress,
    IHostnameResolver,
    IHostResolution,
    IReactorPluggableNameResolver,
    IResolutionReceiver,
)
from zope.interface import directlyProvides, implementer

from boomerang.monitor.result import CheckFailed, Reason
from boomerang.monitor.run import Trace
from boomerang.outbound import Trouble, Unreachable
from boomerang.outbound.troubles import explained


def place(host: str, port: int) -> str:
    """Host and port as they are shown to people."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


@contextmanager
def reaching(where: str, trace: Trace) -> Iterator[None]:
    """Make a `CheckFailed` of what goes wrong on the way to ``where``.

    Being cancelled, which Twisted's endpoints have other words for, is a `CancelledError` again.
    """
    try:
        yield
    except Unreachable as error:
        reason = Reason.DNS if error.trouble is Trouble.DNS else Reason.CONNECT
        raise CheckFailed(reason, str(error)) from None
    except ConnectingCancelledError:
        raise CancelledError from None
    except ConnectError as error:
        raise CheckFailed(Reason.CONNECT, str(explained(error, where))) from None
    except ConnectionClosed:
        raise CheckFailed(Reason.CONNECT, f"{where}: closed the connection") from None
    except DNSLookupError:
        if trace.under_way == "resolve":  # no result came, so it is not what ended the look-up
            raise CancelledError from None
        raise CheckFailed(Reason.DNS, f"{where}: no address found for this name") from None


class TracedReactor:
    """The reactor as one run of a check sees it: an endpoint's look-ups are noted in the trace.

    The phase ``resolve`` lasts while a name is looked up, ``connect`` begins when it was.
    """

    def __init__(self, reactor: Any, trace: Trace) -> None:
        self._reactor = reactor
        self.nameResolver = _TracedResolver(reactor.nameResolver, trace)
        directlyProvides(self, IReactorPluggableNameResolver)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reactor, name)


@implementer(IHostnameResolver)
@frozen(eq=False)
class _TracedResolver:
    resolver: IHostnameResolver
    trace: Trace

    def resolveHostName(
        self,
        resolutionReceiver: IResolutionReceiver,
        hostName: str,
        portNumber: int = 0,
        addressTypes: Sequence[type[IAddress]] | None = None,
        transportSemantics: str = "TCP",
    ) -> IHostResolution:
        self.trace.begin("resolve")
        receiver = _TracedReceiver(resolutionReceiver, self.trace)
        return self.resolver.resolveHostName(
            receiver, hostName, portNumber, addressTypes, transportSemantics
        )


@implementer(IResolutionReceiver)
@frozen(eq=False)
class _TracedReceiver:
    receiver: IResolutionReceiver
    trace: Trace

    def resolutionBegan(self, resolutionInProgress: IHostResolution) -> None:
        self.receiver.resolutionBegan(resolutionInProgress)

    def addressResolved(self, address: IAddress) -> None:
        self.receiver.addressResolved(address)

    def resolutionComplete(self) -> None:
        self.trace.begin("connect")
        self.receiver.resolutionComplete()
