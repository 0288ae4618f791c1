"""Resources for tests of the account."""

from __future__ import annotations

from boomerang.account.resources import LAYOUTS, Kind, Resource
from boomerang.account.wanted import Wanted
from boomerang.settings.account import AccountRule

HERE = "https://boomerang.example.com"
RETRY = f"{HERE}/retry"
APP = "https://app.example.com/voice"
ACCOUNT = "AC" + "0" * 31 + "1"


def resource(kind: Kind = Kind.NUMBER, *names: str, sid: str = "PN1", **fields: str) -> Resource:
    """A resource of which nothing is set but what is given; its methods are POST."""
    known = LAYOUTS[kind].fields
    assert fields.keys() <= known
    unset = {name: "POST" if name.endswith("_method") else "" for name in known}
    return Resource(
        kind=kind,
        sid=sid,
        account=ACCOUNT,
        names=names or ("main line", "+15005550001"),
        fields={**unset, **fields},
    )


def wanted(*rules: AccountRule, hosts: tuple[str, ...] = ()) -> Wanted:
    """What should be, for an app at `APP` and 8 seconds of wait."""
    return Wanted(public_url=HERE, rules=rules, allowed_hosts=hosts, seconds=10.0)
