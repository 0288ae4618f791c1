"""The command line: every setting that is no secret, and the file with the rest."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from twisted.python.usage import UsageError

from boomerang import __version__
from boomerang.options import SettingsOptions
from boomerang.settings import Settings
from boomerang.settings.load import declared_settings
from boomerang.stores.address import MemoryAddress


def parsed(*arguments: str, env: Mapping[str, str] | None = None) -> Settings:
    options = SettingsOptions()
    options.environment = env or {}
    options.parseOptions(arguments)
    settings = options["settings"]
    assert isinstance(settings, Settings)
    return settings


def complaint(*arguments: str, env: Mapping[str, str] | None = None) -> str:
    with pytest.raises(UsageError) as error:
        parsed(*arguments, env=env)
    return str(error.value)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    found = tmp_path / "b.toml"
    found.write_text("environment = 'é'\n[retry]\nwait = 3\nrounds = 4\n", encoding="utf-8")
    return found


def test_nothing() -> None:
    """Without options the settings are the defaults."""
    assert parsed() == Settings()


@pytest.mark.parametrize("declared", list(declared_settings()), ids=lambda found: found.name)
def test_each_setting(declared: object) -> None:
    """Each setting has an option and its help, except secrets, which others could see there."""
    found = next(each for each in declared_settings() if each == declared)
    helped = SettingsOptions().getUsage(width=1000)
    assert (f"--{found.option}=" in helped) is not found.declaration.secret
    assert (found.declaration.help in helped) is not (
        found.declaration.secret or found.name == "listen"
    )


@pytest.mark.parametrize(
    ("arguments", "name", "value"),
    [
        (["--retry-wait", "3"], "retry.wait", 3.0),
        (["--retry-wait=0"], "retry.wait", 0.0),
        (["--retry-max-held", "5"], "retry.max_held", 5),
        (["--store", "memory:"], "store", MemoryAddress()),
        (["--allowed-hosts", "a.com,b.com"], "allowed_hosts", ("a.com", "b.com")),
        (["--public-url", "https://b.example.com/"], "public_url", "https://b.example.com"),
        (["--log-format", "json"], "log_format", "json"),
        (["--listen", "tcp:1:backlog=2"], "listen", ("tcp:1:backlog=2",)),
        (["--listen", "systemd:a", "--listen", "systemd:b"], "listen", ("systemd:a", "systemd:b")),
    ],
)
def test_option(arguments: list[str], name: str, value: object) -> None:
    """An option sets what it is named after; several endpoints are several options."""
    found: object = parsed(*arguments)
    for step in name.split("."):
        found = getattr(found, step)
    assert found == value


@pytest.mark.parametrize("option", ["--config", "-c"])
def test_file(file: Path, option: str) -> None:
    """The file is named on the command line, and is UTF-8."""
    settings = parsed(option, str(file))
    assert (settings.environment, settings.retry.wait) == ("é", 3.0)


def test_file_of_environment(file: Path) -> None:
    """Or it is named in the environment."""
    assert parsed(env={"BOOMERANG_CONFIG": str(file)}).retry.wait == 3.0


def test_file_of_both(file: Path) -> None:
    """If it is named in both, the one of the command line is read, and no other."""
    assert parsed("-c", str(file), env={"BOOMERANG_CONFIG": "/no/such"}).retry.wait == 3.0


def test_precedence(file: Path) -> None:
    """Option, environment and file come together, in this order."""
    env = {"BOOMERANG_RETRY_WAIT": "2", "BOOMERANG_RETRY_ATTEMPTS": "2", "PORT": "9"}
    settings = parsed("-c", str(file), "--retry-wait", "1", "--listen", "systemd:x", env=env)
    assert (settings.retry.wait, settings.retry.attempts, settings.retry.rounds) == (1.0, 2, 4)
    assert settings.listen == ("systemd:x",)


def test_wrong_settings(file: Path) -> None:
    """All wrong settings are told, one on a line; those of the file with its name."""
    file.write_text("nonsense = 1")
    assert complaint("-c", str(file), "--workers", "77", env={"BOOMERANG_WORKER": "2"}) == (
        "wrong settings:\n"
        "  --workers is '77', expected a whole number from 1 to 64\n"
        f"  {file}: nonsense is not a setting\n"
        "  BOOMERANG_WORKER is not a setting; did you mean BOOMERANG_WORKERS?"
    )


def test_empty_option() -> None:
    """An option without a value is one, and wrong."""
    assert "--retry-wait is '', expected seconds" in complaint("--retry-wait", "")


def test_missing_file(tmp_path: Path) -> None:
    """A file that is not there is named, with the reason, whoever named it first."""
    missing = str(tmp_path / "none.toml")
    expected = (
        f"wrong settings:\n  cannot read the settings in {missing}: No such file or directory"
    )
    assert complaint("--config", missing) == expected
    assert complaint(env={"BOOMERANG_CONFIG": missing}) == expected
    others = "\n  BOOMERANG_WORKERS is '77', expected a whole number from 1 to 64"
    assert complaint("-c", missing, env={"BOOMERANG_WORKERS": "77"}) == expected + others


def test_directory(tmp_path: Path) -> None:
    """So is a directory."""
    assert complaint("-c", str(tmp_path)).endswith(f"{tmp_path}: Is a directory")


def test_not_utf8(file: Path) -> None:
    """So is a file in another encoding."""
    file.write_bytes(b"environment = '\xe9'")
    expected = f"wrong settings:\n  cannot read the settings in {file}: it is not UTF-8"
    assert complaint("-c", str(file)) == expected


def test_mark_of_utf8(file: Path) -> None:
    """A mark that some editors put at the beginning is no part of the settings."""
    file.write_text("environment = 'staging'", encoding="utf-8-sig")
    assert parsed("-c", str(file)).environment == "staging"


@pytest.mark.parametrize(
    "arguments",
    [
        ["--twilio-auth-token=hunter2"],
        ["--twilio-auth-token", "hunter2"],
        ["--status-password=hunter2"],
        ["--twilio-shared-keys=id=hunter2"],
        ["--store=redis://:hunter2@h:port"],
        ["--store", "mysql://hunter2"],
        ["hunter2"],
    ],
)
def test_secrets(arguments: list[str]) -> None:
    """A secret on the command line is refused, or kept out of the complaint about it."""
    assert "hunter2" not in complaint(*arguments)


def test_unknown_option() -> None:
    """An unknown option is refused."""
    assert "--nonsense" in complaint("--nonsense=1")


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    """``--version`` prints boomerang's own, and exits well."""
    with pytest.raises(SystemExit) as end:
        parsed("--version")
    assert end.value.code == 0
    assert capsys.readouterr().out == f"boomerang {__version__}\n"
