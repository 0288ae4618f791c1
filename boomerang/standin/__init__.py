"""A stand-in for Twilio: plays calls and incoming messages against an app's real addresses.

What it does where Twilio's documentation is silent is said next to where it does it.
"""

from boomerang.standin.flow import Outcome
from boomerang.standin.play import Played, Surroundings, play_call, play_message
from boomerang.standin.script import Call, Message, Webhook
from boomerang.standin.storm import Standing, Summary, play_storm
from boomerang.standin.timeline import Event

__all__ = [
    "Call",
    "Event",
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
