"""Where the output of a command goes that cannot be written, and how it is interrupted."""

from __future__ import annotations

import os
import pty
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = str(Path(__file__).parents[2])
COMMAND = [sys.executable, "-c", "from boomerang.cli import main; raise SystemExit(main())"]
WRITING = [
    ["check-config", "--workers", "1"],
    ["check-config", "--help"],
    ["--version"],
    ["endpoints"],
    ["call", "http://127.0.0.1:1/"],
    ["call", "http://127.0.0.1:1/", "--calls", "1"],
]


def environment(unbuffered: str = "") -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": ROOT, "PYTHONUNBUFFERED": unbuffered}


def ran(arguments: list[str], output: int, *, unbuffered: str, folder: Path) -> tuple[int, str]:
    """Exit status of a command that writes there, and what it says on the other output."""
    process = subprocess.run(
        [*COMMAND, *arguments],
        env=environment(unbuffered),
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        timeout=60,
    )
    return process.returncode, process.stderr


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("arguments", WRITING, ids=" ".join)
def test_closed_pipe(arguments: list[str], unbuffered: str, tmp_path: Path) -> None:
    """Where nobody reads on, it ends without a word, as if a signal had ended it."""
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as pipe:
        ended = ran(arguments, pipe.fileno(), unbuffered=unbuffered, folder=tmp_path)
    assert ended == (128 + signal.SIGPIPE, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("arguments", WRITING, ids=" ".join)
def test_full_disk(arguments: list[str], unbuffered: str, tmp_path: Path) -> None:
    """What cannot be written is told in a line, and the status says so."""
    with open("/dev/full", "w") as full:
        ended = ran(arguments, full.fileno(), unbuffered=unbuffered, folder=tmp_path)
    assert ended == (1, "boomerang: No space left on device\n")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_neither_output(tmp_path: Path) -> None:
    """Where nothing can be told at all, the status tells it."""
    with open("/dev/full", "w") as full:
        process = subprocess.run(
            [*COMMAND, "nonsense"],
            env=environment(),
            cwd=tmp_path,
            stdout=full,
            stderr=full,
            check=False,
            timeout=60,
        )
    assert process.returncode == 1


@pytest.fixture
def interruptible() -> Iterator[None]:
    """What is started heeds SIGINT, also where a shell started the tests with that ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize(
    ("key", "status", "told"),
    [
        (b"\x03", 130, "boomerang: interrupted"),
        (b"\x04", 1, "boomerang: no password was given"),
    ],
)
def test_keys(key: bytes, status: int, told: str, tmp_path: Path) -> None:
    """Ctrl-C and Ctrl-D in the place of a password end in a line."""
    pid, terminal = pty.fork()
    if not pid:
        os.execve(sys.executable, [*COMMAND, "hash-password"], environment())
    shown = b""
    sent = False
    while True:
        if not select.select([terminal], [], [], 60)[0]:
            os.kill(pid, signal.SIGKILL)
            break
        try:
            read = os.read(terminal, 1000)
        except OSError:  # Linux says so where the other side has closed it
            break
        if not read:
            break
        shown += read
        if not sent and b"Password: " in shown:
            sent = True
            os.write(terminal, key)
    os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == status
    lines = [line.strip() for line in shown.decode().splitlines() if line.strip()]
    assert lines[1:] == [told]


@pytest.mark.usefixtures("interruptible")
def test_interrupted(tmp_path: Path) -> None:
    """Ctrl-C while the reactor runs is told by the status that shells give it."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(60)
        process = subprocess.Popen(
            [*COMMAND, "call", f"http://127.0.0.1:{server.getsockname()[1]}/"],
            env=environment(),
            cwd=tmp_path,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        asked, _ = server.accept()
        with asked:
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (130, "boomerang: interrupted\n")
