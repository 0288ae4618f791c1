"""``boomerang twilio``: does everything at Twilio point here, and making it so."""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from twisted.python import usage

from boomerang.account.api import MissingSetting
from boomerang.account.audit import audit
from boomerang.account.carrying import Stopped, carry_out, write_undo
from boomerang.account.errors import TwilioError
from boomerang.account.listing import bar, described, document, table, titled
from boomerang.account.looking import reached, wanted_by
from boomerang.account.plan import Change, Plan, plan, reversal
from boomerang.account.reading import Accounts, read
from boomerang.account.undo import BadUndoFile, from_text
from boomerang.cli.arguments import OptionsAnywhere
from boomerang.cli.output import Output, complain
from boomerang.cli.running import FAILED, PENDING, WELL, Command, CommandFailed, Group
from boomerang.settings import Settings

GAPS: Final = 1
"""The exit status of an audit that found some."""

NOT_SEEN: Final = 2
"""The exit status of an audit that could not look at everything."""

_SUBACCOUNTS: Final[list[str | None]] = [
    "subaccounts",
    None,
    "Its active sub-accounts, too; takes the auth token.",
]
_YES: Final[list[str | None]] = [
    "yes",
    "y",
    "Carry the plan out; without it, the plan is only printed.",
]


class AuditAccount(Command):
    """``boomerang twilio audit``."""

    optFlags = [
        _SUBACCOUNTS,
        ["json", "j", "For machines."],
        ["gaps", "g", "Nothing but gaps."],
    ]
    synopsis = "Usage: boomerang twilio audit [options]"
    longdesc = (
        "Exit status: 0 when all is covered, 1 when there are gaps, 2 when not everything could be"
        " looked at."
    )
    unable = NOT_SEEN

    def parseOptions(self, options: Sequence[str] | None = None) -> None:
        """What is wrong with options or settings must not look like a gap."""
        try:
            super().parseOptions(options)
        except usage.UsageError as error:
            complain(str(error))
            raise SystemExit(NOT_SEEN) from None

    def run(self, settings: Settings) -> int:
        try:
            with _reached(settings, subaccounts=_deep(self, settings)) as accounts:
                wanted = wanted_by(settings)
                found = audit(read(accounts, url=wanted.retry_url), wanted)
        except CommandFailed as error:
            complain(str(error))
            return NOT_SEEN
        if self["json"]:
            print(document(found))
        else:
            for line in table(found, gaps=bool(self["gaps"])):
                print(line)
        if found.unseen:
            return NOT_SEEN
        return GAPS if found.gaps else WELL


class _Changing(Command):
    """A command with a plan, which is carried out with ``--yes``."""

    optFlags = [_YES]
    optParameters = [
        [
            "undo",
            "u",
            "",
            "Where to write what was there; in a new file of this folder if left out.",
        ]
    ]
    longdesc = (
        "Exit status: 0 when all is as it should be, 2 when something has to change and --yes was"
        " not given, 1 when it could not be found out or not be done."
    )

    def carry(self, accounts: Accounts, planned: Plan, *, notes: Iterable[str], again: str) -> int:
        """Print a plan, and carry it out if that was asked for; returns the exit status."""
        out = Output()
        for line in (*(f"! {note}" for note in notes), *described(planned)):
            out.write(line)
        well = FAILED if planned.left else WELL
        if not (planned.changes and self["yes"]):
            if planned.changes:
                out.write(f"nothing was changed: {again} --yes does it")
            out.check()
            return PENDING if planned.changes else well
        path = Path(self["undo"] or f"boomerang-undo-{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}.json")
        try:
            write_undo(path, planned.changes)
        except OSError as error:
            raise CommandFailed(
                f"nothing was changed: cannot write {path}: {error.strerror}"
            ) from None
        out.write(f"what was there is in {path}")
        _carry_out(accounts, planned.changes, undo=path, out=out)
        return FAILED if out.lost else well


class ApplyAccount(_Changing):
    """``boomerang twilio apply``."""

    optFlags = [_SUBACCOUNTS]
    synopsis = "Usage: boomerang twilio apply [options]"

    def run(self, settings: Settings) -> int:
        with _reached(settings, subaccounts=_deep(self, settings)) as accounts:
            wanted = wanted_by(settings)
            found = audit(read(accounts, url=wanted.retry_url), wanted)
            status = self.carry(
                accounts,
                plan(found.findings),
                notes=found.notes,
                again="boomerang twilio apply",
            )
        if found.unseen:
            raise CommandFailed("\n".join(["not everything was looked at:", *found.unseen]))
        return status


class UndoAccount(OptionsAnywhere, _Changing):
    """``boomerang twilio undo``."""

    synopsis = "Usage: boomerang twilio undo FILE [options]"

    def parseArgs(self, name: str) -> None:  # type: ignore[override]  # as Twisted means it
        self["file"] = name

    def run(self, settings: Settings) -> int:
        made = _made(self["file"])
        others = any(change.account != settings.twilio.account_sid for change in made)
        with _reached(settings, subaccounts=others) as accounts:
            kinds = {change.kind for change in made}
            resources = [
                each
                for api in accounts.apis.values()
                for kind in kinds
                for each in api.resources(kind)
            ]
            return self.carry(
                accounts,
                reversal(made, resources),
                notes=[f"not looked at: {line}" for line in accounts.unseen],
                again=f"boomerang twilio undo {self['file']}",
            )


class Twilio(Group):
    """``boomerang twilio``."""

    subCommands = [
        ("audit", None, AuditAccount, "Say whether everything at Twilio points here."),
        ("apply", None, ApplyAccount, "Print what has to change, and change it with --yes."),
        ("undo", None, UndoAccount, "Put back what an apply has changed, with --yes."),
    ]
    synopsis = "Usage: boomerang twilio COMMAND [options]"


def _deep(command: Command, settings: Settings) -> bool:
    """Whether the sub-accounts are meant, too."""
    return bool(command["subaccounts"]) or settings.account.subaccounts


@contextmanager
def _reached(settings: Settings, *, subaccounts: bool) -> Iterator[Accounts]:
    """The accounts; what goes wrong with them is a `CommandFailed`."""
    try:
        with reached(
            settings, subaccounts=subaccounts, sleep=time.sleep, random=random.random
        ) as accounts:
            yield accounts
    except (MissingSetting, TwilioError) as error:
        raise CommandFailed(f"cannot look: {error}") from None


def _made(name: str) -> Sequence[Change]:
    try:
        return from_text(Path(name).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8"
        raise CommandFailed(f"cannot read {name}: {reason}") from None
    except BadUndoFile as error:
        raise CommandFailed(f"{name} is no undo file: {error}") from None


def _carry_out(accounts: Accounts, changes: Sequence[Change], *, undo: Path, out: Output) -> None:
    """Change it, with a line for each change, or a bar where somebody looks on."""
    watched = bool(sys.stdout and sys.stdout.isatty())
    count = 0

    def done(change: Change) -> None:
        nonlocal count
        count += 1
        if watched:
            out.write(f"\r{bar(count, len(changes))}", end="")
        else:
            out.write(f"updated {titled(change)}")

    def outcome() -> str:
        return f"{count} of {len(changes)} were done, and can be undone with {undo}"

    try:
        carry_out(accounts, changes, done=done)
    except Stopped as stop:
        if watched:
            out.write("")
        for change in stop.left:
            out.tell(f"not done: update {titled(change)}")
        raise CommandFailed(f"stopped at {titled(stop.left[0])}: {stop}; {outcome()}") from None
    if watched:
        out.write("")
    if out.lost is not None:
        complain(f"{outcome()}; that could not be written: {out.lost.strerror}")
