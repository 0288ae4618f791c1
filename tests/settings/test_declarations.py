"""How settings are declared."""

from __future__ import annotations

import attrs

from boomerang.settings.declarations import Declaration, EntriesDeclaration, entries, setting
from boomerang.settings.kinds import text


def test_setting() -> None:
    """A setting is declared once, with all that is known of it; a secret is never shown."""

    @attrs.frozen
    class Example:
        plain: str = setting(text(), "default", "what it is", env=("PLAIN",))
        token: str = setting(text(), "none", "a token", secret=True)
        url: str = setting(text(), "none", "a URL", may_hold_secret=True)

    plain, token, url = (field.metadata["declaration"] for field in attrs.fields(Example))
    assert isinstance(plain, Declaration)
    assert (plain.help, plain.env, plain.secret, plain.may_hold_secret) == (
        "what it is",
        ("PLAIN",),
        False,
        False,
    )
    assert plain.kind("x") == "x"
    assert (token.env, token.secret, token.may_hold_secret) == ((), True, False)
    assert (url.secret, url.may_hold_secret) == (False, True)
    assert repr(Example(token="hunter2")).endswith("Example(plain='default', url='none')")
    assert repr(Example(url="redis://me:hunter2@h/0")).endswith("url='redis://h/0')")


def test_entries() -> None:
    """An array of tables is declared with its type, and with what may be wrong with its entries."""

    @attrs.frozen
    class Entry:
        name: str = setting(text(), "none", "a name")

    @attrs.frozen
    class Example:
        plain: tuple[Entry, ...] = entries(Entry, lambda _: ["all"])
        strict: tuple[Entry, ...] = entries(Entry, lambda _: [], problems_of_one=lambda _: ["one"])

    plain, strict = (field.metadata["entries"] for field in attrs.fields(Example))
    assert Example() == Example(plain=(), strict=())
    assert isinstance(plain, EntriesDeclaration)
    assert plain.of is Entry
    assert (*plain.problems(()), *plain.problems_of_one(Entry())) == ("all",)
    assert (*strict.problems(()), *strict.problems_of_one(Entry())) == ("one",)
