"""What may go wrong between us and Twilio's API, in two classes of ours."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

from twilio.base.exceptions import (
    TwilioException,
    TwilioRestException,
    TwilioServiceException,
)

from boomerang.account.asking import Unasked
from boomerang.account.redaction import shown


class TwilioError(Exception):
    """Twilio did not do what it was asked; the message says why, without credentials."""


class Refused(TwilioError):
    """It would be refused again. ``status`` is that of the answer."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


@contextmanager
def errors() -> Iterator[None]:
    """All that the package may raise becomes a `TwilioError`."""
    try:
        yield
    except (TwilioRestException, TwilioServiceException) as error:
        said = getattr(error, "msg", None) or f"{error.title}: {error.detail}"
        raise _error(error.status, error.code, said) from None
    except Unasked as error:
        raise TwilioError(str(error)) from None
    except TwilioException as error:
        raise _page_error(error) from None
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise TwilioError(f"an answer that is not understood ({type(error).__name__})") from None


def _page_error(error: TwilioException) -> TwilioError:
    """What a list was refused for: the package hands on the answer, and says nothing itself."""
    response = error.args[1] if len(error.args) > 1 else None
    if response is None:
        return TwilioError("an answer that is not understood")
    try:
        body = json.loads(response.text)
    except ValueError:
        body = {}
    body = body if isinstance(body, dict) else {}
    said = body.get("message") or body.get("title") or "no reason given"
    return _error(response.status_code, body.get("code"), said)


def _error(status: int, code: object, said: object) -> TwilioError:
    number = f" ({code})" if code not in (None, status) else ""
    message = f"{status}: {shown(str(said)[:300])}{number}"
    return (
        Refused(message, status) if 400 <= status < 500 and status != 429 else TwilioError(message)
    )
