"""``boomerang hash-password``: what to put into the settings in the place of a password."""

from __future__ import annotations

import sys
from getpass import getpass

from werkzeug.security import generate_password_hash

from boomerang.cli.output import end_line
from boomerang.cli.running import WELL, CommandFailed, FreeCommand


class HashPassword(FreeCommand):
    """``boomerang hash-password``."""

    synopsis = "Usage: boomerang hash-password"
    longdesc = "Asks for a password, or reads one line of its input; prints status.password_hash."

    def run(self, settings: None) -> int:
        password = _asked() if sys.stdin.isatty() else sys.stdin.readline().rstrip("\r\n")
        if not password:
            raise CommandFailed("the password is empty")
        print(generate_password_hash(password, method="scrypt"))
        return WELL


def _asked() -> str:
    try:
        password, again = getpass("Password: "), getpass("Once more: ")
    except EOFError:
        end_line()
        raise CommandFailed("no password was given") from None
    if again != password:
        raise CommandFailed("the two are not the same")
    return password
