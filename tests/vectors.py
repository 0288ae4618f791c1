"""Signatures that Twilio publishes, and those of fallback requests: what both sides are held to."""

from __future__ import annotations

from typing import Final

TOKEN: Final = "12345"

P: Final = (
    ("CallSid", "CA1234567890ABCDE"),
    ("Caller", "+14158675309"),
    ("Digits", "1234"),
    ("From", "+14158675309"),
    ("To", "+18005551212"),
)
"""The form of Twilio's own example (https://www.twilio.com/docs/usage/webhooks/webhooks-security)."""

F: Final = (
    ("AccountSid", "AC00000000000000000000000000000001"),
    ("ApiVersion", "2010-04-01"),
    ("CallSid", "CA00000000000000000000000000000001"),
    ("CallStatus", "ringing"),
    ("Direction", "inbound"),
    ("ErrorCode", "11200"),
    ("ErrorUrl", "https://app.example.com/voice?x=1&y=2"),
    ("From", "+15005550006"),
    ("To", "+15005550001"),
)
"""The form of a fallback request to ``/retry``."""
