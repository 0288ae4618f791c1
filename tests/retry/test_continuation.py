"""Tokens of calls that are held for longer than one webhook may take."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from boomerang.retry.continuation import BadToken, Continuation, Tokens
from boomerang.retry.request import FailedRequest, parse_failed_request

SID = "CA00000000000000000000000000000001"
TOKENS = Tokens([b"new key", b"old key"])


def failed(url: str = "https://app.example.com/voice?x=1&y=ü", **options: str) -> FailedRequest:
    twilio = [("ErrorCode", "11200"), ("ErrorUrl", url), ("CallSid", SID), ("AccountSid", "AC1")]
    return parse_failed_request(twilio, list(options.items()))


@pytest.mark.parametrize(
    "request_",
    [
        failed(),
        failed(FallbackUrl="https://static.example.com/sorry.xml", FallbackMethod="POST"),
        failed(Method="GET"),
        failed("http://[::1]:8000/"),
    ],
)
def test_round_trip(request_: FailedRequest) -> None:
    """What comes back is what was sent away."""
    continuation = Continuation(failed=request_, until=1_800_000_000.25, attempt=1)
    assert TOKENS.read(TOKENS.make(continuation), sid=SID) == continuation


def test_rotation() -> None:
    """A token made with the former key is still good, one of another key is not."""
    continuation = Continuation(failed=failed(), until=1.0, attempt=1)
    assert TOKENS.read(Tokens([b"old key"]).make(continuation), sid=SID) == continuation
    with pytest.raises(BadToken, match="not made here"):
        TOKENS.read(Tokens([b"another key"]).make(continuation), sid=SID)


def test_another_call() -> None:
    """A token is good for its own call alone."""
    token = TOKENS.make(Continuation(failed=failed(), until=1.0, attempt=1))
    with pytest.raises(BadToken, match="another call"):
        TOKENS.read(token, sid="CA00000000000000000000000000000002")


def test_tampered() -> None:
    """A token of which any character was changed is refused, be it one that carries nothing."""
    token = TOKENS.make(Continuation(failed=failed(), until=1.0, attempt=1))
    for padding in (" ", "\r\n", "=", "==", "!", ".", "é", "\0"):
        for changed in (padding + token, token + padding, token[:9] + padding + token[9:]):
            with pytest.raises(BadToken):
                TOKENS.read(changed, sid=SID)
    for place in range(len(token)):
        other = "A" if token[place] != "A" else "B"
        with pytest.raises(BadToken):
            TOKENS.read(token[:place] + other + token[place + 1 :], sid=SID)


@given(st.text(max_size=200))
def test_garbage(token: str) -> None:
    """Whatever stands there in place of a token is refused, and nothing else happens."""
    with pytest.raises(BadToken):
        TOKENS.read(token, sid=SID)


def test_keys_are_hidden() -> None:
    """The keys do not show when the tokens are printed."""
    assert "key" not in repr(TOKENS).replace("keys", "")
