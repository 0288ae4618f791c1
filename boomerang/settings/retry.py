"""How second chances are given, as the file's ``[retry]`` says it for all endpoints."""

from __future__ import annotations

from attrs import frozen

from boomerang.endpoints.fallback import Fallback
from boomerang.retry.hold import LONGEST
from boomerang.settings.declarations import setting
from boomerang.settings.endpoint_kinds import error_codes, fallback, rate
from boomerang.settings.kinds import boolean, choice, http_url, integer, seconds, text


@frozen
class RetrySettings:
    """``[retry]``: how second chances are given."""

    wait: float = setting(
        seconds(0, LONGEST), 8.0, "how long a failed request is held before its second chance"
    )
    window: float = setting(seconds(1, 86400), 900.0, "how long a failure is remembered")
    attempts: int = setting(
        integer(0, 10), 1, "how many second chances one failed request gets within the window"
    )
    rounds: int = setting(
        integer(1, 1000), 10, "how many failures of one call are answered within the window"
    )
    max_held: int = setting(
        integer(0, 1_000_000),
        20_000,
        "how many requests are held; those beyond are redirected at once",
    )
    max_held_per_account: int | None = setting(
        integer(1, 1_000_000),
        None,
        "how many of them may be of one account; none: all but a tenth, all if there is but one",
    )
    method: str = setting(choice("GET", "POST"), "POST", "how Twilio asks the failed URL again")
    codes: tuple[str, ...] = setting(
        error_codes(), (), "error codes worth a second chance; none named: all that it may help"
    )
    probe: str | None = setting(
        http_url(),
        None,
        "URL of the app's health, asked while requests are held; when it answers they are released",
        may_hold_secret=True,
    )
    hold_limit: float = setting(
        seconds(0, 600), 0.0, "how long a call may be held while the probe fails; 0: as wait"
    )
    hold_message: str | None = setting(
        text(), None, "what a caller hears who is held beyond 14 s: a text, or a URL to play"
    )
    release_rate: float = setting(
        rate(100_000), 0.0, "held requests released per second and origin; 0: no limit"
    )
    circuit: bool = setting(
        boolean(), False, "whether callers of an app that is known to be dead are not held"
    )
    fallback: Fallback | None = setting(
        fallback(), None, "last resort: TwiML, file:NAME, a URL, or apology", may_hold_secret=True
    )
