"""``boomerang message``: play an incoming message as Twilio does, or a storm of them."""

from __future__ import annotations

from twisted.python import usage

from boomerang.cli.call import TRYING, Playing
from boomerang.standin.script import Message


class PlayMessage(Playing):
    """``boomerang message``."""

    optParameters = [*TRYING, ["body", "b", "", "What the message says."]]
    synopsis = "Usage: boomerang message SMS_URL --fallback URL --body TEXT [options]"

    def postOptions(self) -> None:
        super().postOptions()
        try:
            self["body"].encode("utf-8")
        except UnicodeEncodeError:
            raise usage.UsageError("--body is not UTF-8") from None

    def script(self) -> Message:
        return Message(body=self["body"], **self.common())
