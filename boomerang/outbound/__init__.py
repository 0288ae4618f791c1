"""The only maker of HTTP requests: deadlines, caps, trust, and errors in words for people."""

from boomerang.outbound.answer import Answer
from boomerang.outbound.client import Outbound
from boomerang.outbound.line import Journey
from boomerang.outbound.troubles import Trouble, Unreachable

__all__ = ["Answer", "Journey", "Outbound", "Trouble", "Unreachable"]
