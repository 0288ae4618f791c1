"""How a setting is declared: a field of an attrs class, with its kind, its default and its help."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from attrs import NOTHING, field, frozen

from boomerang.settings.kinds import Kind
from boomerang.urls import without_secrets

REQUIRED: Final = NOTHING
"""The default of a key that each entry of a list must have."""


@frozen
class Declaration:
    """What is known of a setting beside its name and default."""

    kind: Kind
    help: str
    env: tuple[str, ...] = ()
    secret: bool = False
    may_hold_secret: bool = False


@frozen
class EntriesDeclaration:
    """What is known of an array of tables beside its name."""

    of: type
    problems: Callable[[Any], Iterable[str]]
    problems_of_one: Callable[[Any], Iterable[str]]


def setting(
    kind: Kind,
    default: object,
    help: str,
    *,
    env: tuple[str, ...] = (),
    secret: bool = False,
    may_hold_secret: bool = False,
) -> Any:
    """An attrs field with its declaration. ``env`` are customary names in the environment.

    ``secret`` keeps the value out of the command line, of messages and of `repr`;
    ``may_hold_secret`` (a URL with a password) keeps it out of messages, and the secret of `repr`.
    """
    declaration = Declaration(
        kind=kind, help=help, env=env, secret=secret, may_hold_secret=may_hold_secret
    )
    return field(
        default=default,
        repr=_repr_without_secrets if may_hold_secret else not secret,
        metadata={"declaration": declaration},
    )


def _repr_without_secrets(value: object) -> str:
    return repr(without_secrets(value) if isinstance(value, str) else value)


def _nothing_wrong(_: object) -> Iterable[str]:
    return ()


def entries(
    of: type,
    problems: Callable[[Any], Iterable[str]],
    *,
    problems_of_one: Callable[[Any], Iterable[str]] = _nothing_wrong,
) -> Any:
    """An attrs field for an array of tables in the file (``[[check]]``), one ``of`` each.

    The fields of ``of`` are made with `setting`. ``problems_of_one`` says what contradicts in an
    entry, ``problems`` what is wrong with all of them together, a line each.
    """
    declaration = EntriesDeclaration(of=of, problems=problems, problems_of_one=problems_of_one)
    return field(default=(), metadata={"entries": declaration})
