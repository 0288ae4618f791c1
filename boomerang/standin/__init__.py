"""A stand-in for Twilio: plays calls and incoming messages against an app's real addresses.

What it does where Twilio's documentation is silent is said next to where it does it.
"""

from boomerang.standin.events import Event, Outcome
from boomerang.standin.play import Played, play_call, play_message
from boomerang.standin.script import Call, Message, Webhook
from boomerang.standin.storm import Standing, Summary, play_storm
from boomerang.standin.surroundings import Limits, Surroundings

__all__ = [
    "Call",
    "Event",
    "Limits",
    "Message",
    "Outcome",
    "Played",
    "Standing",
    "Summary",
    "Surroundings",
    "Webhook",
    "play_call",
    "play_message",
    "play_storm",
]
