"""The command line of the daemon and of the commands that read its settings."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from twisted.python import usage

from boomerang import __version__
from boomerang.settings import InvalidSettings, Sources, load_settings
from boomerang.settings.load import declared_settings

_SETTINGS = {declared.option: declared for declared in declared_settings()}


class SettingsOptions(usage.Options):
    """Every setting that is no secret, and the file with the rest.

    After parsing, ``self["settings"]`` holds the `Settings`; wrong ones are a `UsageError`.
    """

    environment: Mapping[str, str] = os.environ

    optParameters = [
        ["config", "c", None, "TOML file with settings (also BOOMERANG_CONFIG)."],
        *(
            [option, None, None, f"{declared.declaration.help}."]
            for option, declared in _SETTINGS.items()
            if option != "listen" and not declared.declaration.secret
        ),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._listen: list[str] = []

    def opt_listen(self, endpoint: str) -> None:
        """Twisted endpoint string to listen on; may be given several times."""
        self._listen.append(endpoint)

    def opt_version(self) -> None:
        """Print the version and exit."""
        print(f"boomerang {__version__}")
        raise SystemExit(0)

    def postOptions(self) -> None:
        given: dict[str, Any] = {
            declared.name: self[option]
            for option, declared in _SETTINGS.items()
            if self.get(option) is not None
        }
        if self._listen:
            given["listen"] = self._listen
        name = self["config"] or self.environment.get("BOOMERANG_CONFIG") or ""
        text, unread = _read(name)
        try:
            self["settings"] = load_settings(
                Sources(
                    options=given,
                    environment=self.environment,
                    file=text,
                    file_name=name,
                    unread=unread,
                )
            )
        except InvalidSettings as error:
            raise usage.UsageError(
                "wrong settings:\n" + "\n".join(f"  {problem}" for problem in error.problems)
            ) from None


def _read(name: str) -> tuple[str, str]:
    """The text of a file, and why there is none; a mark that editors put before it is left out."""
    if not name:
        return "", ""
    try:
        return Path(name).read_text(encoding="utf-8-sig"), ""
    except (OSError, UnicodeDecodeError) as error:
        return "", getattr(error, "strerror", None) or "it is not UTF-8"
