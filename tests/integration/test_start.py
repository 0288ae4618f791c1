"""The start: what is wrong is said in plain words, all of it, and at once."""

from __future__ import annotations

import json
import signal
import socket
import sys
from pathlib import Path

import pytest

from tests.integration.daemon import ANY_PORT, COMMAND, LISTENING, Daemons, eventually, run
from tests.integration.sockets import get
from tests.integration.twilio import EARLY, FailedCall, untimely

TOOL = (sys.executable, "-c", "import sys; from boomerang.cli import main; sys.exit(main())")
"""The console script ``boomerang``, which is not there when the checkout is not installed."""

SECRET = "5ecret-w0rd"

WRONG = {
    "BOOMERANG_RETRY_WAIT": "99",
    "BOOMERANG_RETRY_WIAT": "9",
    "REDIS_URL": f"http://:{SECRET}@redis.example.com",
}

WRONG_FILE = f"""
colour = "red"
public_url = "boomerang.example.com"

[retry]
attempts = "many"

[twilio]
auth_token = "{SECRET} and more"
"""


@pytest.mark.parametrize("command", [COMMAND, (*TOOL, "check-config")], ids=["daemon", "tool"])
def test_wrong_settings(tmp_path: Path, command: tuple[str, ...]) -> None:
    """Everything that is wrong is named, with what was expected, and no secret is shown."""
    (tmp_path / "settings.toml").write_text(WRONG_FILE)

    done = run(
        [*command, "--config", "settings.toml", "--log-format", "xml", "--listen", "udp:1"],
        directory=tmp_path,
        more=WRONG,
    )

    assert done.returncode == 1
    for problem in (
        "--listen is",
        "settings.toml: public_url is 'boomerang.example.com', expected scheme and host",
        "REDIS_URL expected memory:",
        "--log-format is 'xml', expected text or json",
        "BOOMERANG_RETRY_WAIT is '99', expected seconds from 0 to 14",
        "settings.toml: retry.attempts is 'many', expected a whole number",
        "settings.toml: twilio.auth_token expected one secret or several",
        "settings.toml: colour is not a setting",
        "BOOMERANG_RETRY_WIAT is not a setting; did you mean BOOMERANG_RETRY_WAIT?",
    ):
        assert problem in done.stderr
    assert done.stderr.count("expected") == 7
    assert SECRET not in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def test_file_that_is_not_there(tmp_path: Path) -> None:
    """A settings file that cannot be read is named, and stops the start."""
    done = run([*COMMAND, "--config", "none.toml"], directory=tmp_path)

    assert done.returncode == 1
    assert "cannot read the settings in none.toml: No such file or directory" in done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def test_port_in_use(tmp_path: Path) -> None:
    """When somebody else has the port, one line says so, and the process ends."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        listen = f"tcp:{other.getsockname()[1]}:interface=127.0.0.1"
        done = run([*COMMAND, "--listen", listen, "--store", "memory:"], directory=tmp_path)

    output = done.stdout + done.stderr
    assert done.returncode == 1
    (line,) = [line for line in output.splitlines() if "cannot listen" in line]
    assert listen in line
    assert "in use" in line
    assert "Traceback" not in output


def test_settings_are_taken(daemons: Daemons) -> None:
    """Settings come from the command line first, then the environment, then the file."""
    file = daemons.directory / "settings.toml"
    file.write_text(
        'environment = "from-file"\nstore = "memory:"\n[retry]\nwait = 0.1\nwindow = 60\n'
    )
    settings = ("--config", str(file), "--listen", ANY_PORT, "--retry-wait", "0.2")

    daemon = daemons.launch(*COMMAND, *settings, more={"BOOMERANG_ENVIRONMENT": "from-environment"})

    daemon.wait_until_ready()
    assert daemon.health()["environment"] == "from-environment"
    assert not untimely([daemon.rescue(FailedCall())], 0.2)
    assert not list(daemon.directory.iterdir())


def test_json_log(daemons: Daemons) -> None:
    """With ``log_format = json`` every line of the log is an object, from the first to the last."""
    daemon = daemons.start("--log-format", "json")
    failed = FailedCall(error_url='https://app.example.com/"quoted"/{braces}?secret=1')
    daemon.rescue(failed)
    daemon.signal(signal.SIGTERM)
    assert daemon.exit_status() == 0

    entries = [json.loads(line) for line in daemon.log().splitlines()]

    assert all(entry.keys() >= {"time", "level", "namespace", "message"} for entry in entries)
    (decided,) = [entry for entry in entries if entry.get("sid") == failed.sid]
    assert (decided["decision"], decided["attempt"], decided["level"]) == ("retry", 1, "info")
    assert decided["path"] == '/"quoted"/{braces}'
    assert "secret=1" not in daemon.log()


def test_log_in_a_file(daemons: Daemons) -> None:
    """With ``--logfile`` the log goes to a file, in the same form."""
    command = (*COMMAND[:-1], "--logfile", "boomerang.log", COMMAND[-1])
    daemon = daemons.launch(*command, "--listen", ANY_PORT, "--store", "memory:")
    file = daemon.directory / "boomerang.log"

    found = eventually(lambda: LISTENING.search(file.read_text()) if file.exists() else None)
    assert get(int(found[1]), "/health").status == 200  # before that, no signal is its own
    daemon.signal(signal.SIGTERM)

    assert daemon.exit_status() == 0
    assert "[boomerang.process#info] received SIGTERM" in file.read_text()
    assert daemon.log() == ""


def test_few_descriptors(daemons: Daemons) -> None:
    """Callers beyond what the limit of open files allows are sent back at once, none is left."""
    limited = ("prlimit", "--nofile=240")
    daemon = daemons.start("--retry-max-held", "1000", prefix=limited, wait=1)

    found = daemon.rescue_all([FailedCall() for _ in range(150)])

    assert {answer.decision for answer in found} == {"retry; attempt=1"}
    held = [answer for answer in found if answer.seconds >= 1 - EARLY]
    assert len(held) == 40
    assert "only 40 requests can be held at once, not max_held=1000" in daemon.log()
    assert daemon.status() == "ok"


def test_version(tmp_path: Path) -> None:
    """Daemon and tool both tell boomerang's own version."""
    from boomerang import __version__

    for command in (COMMAND, TOOL):
        done = run([*command, "--version"], directory=tmp_path)
        assert (done.returncode, done.stdout) == (0, f"boomerang {__version__}\n")


def test_check_config(tmp_path: Path) -> None:
    """``check-config`` prints what the daemon would run with, secrets aside."""
    settings = {"TWILIO_AUTH_TOKEN": SECRET, "REDIS_URL": f"redis://:{SECRET}@redis.example.com/2"}

    done = run([*TOOL, "check-config", "--retry-wait", "5"], directory=tmp_path, more=settings)

    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert "retry.wait = 5.0" in lines
    assert "store = redis://redis.example.com:6379/2" in lines
    assert "twilio.auth_token = (set)" in lines
    assert lines[-1] == "the settings are good"
    assert SECRET not in done.stdout
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("arguments", [[], ["no-such-command"], ["check-config", "--colour=red"]])
def test_wrong_command(tmp_path: Path, arguments: list[str]) -> None:
    """The tool tells how it is used when it is used in another way."""
    done = run([*TOOL, *arguments], directory=tmp_path)

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("boomerang: ")
    assert "Traceback" not in done.stderr
