"""The floor: `floor.c`, compiled when it is needed."""

import shutil
import subprocess
from pathlib import Path

from benchmarks import traffic

SOURCE = Path(__file__).with_name("floor.c")
BUILD = Path(__file__).with_name("build")

_TWIML = (
    '<?xml version="1.0" encoding="UTF-8"?><Response><Redirect method="POST">'
    f"{traffic.url_of(0)}</Redirect></Response>"
).replace("&", "&amp;")


def compiler() -> str | None:
    """The C compiler, if there is one."""
    return shutil.which("cc") or shutil.which("gcc")


def compiled() -> Path:
    """The program, compiled anew if its source has changed.

    Raises `subprocess.CalledProcessError` where the compiler does not like the source.
    """
    program, cc = BUILD / "floor", compiler()
    if cc is None:
        raise FileNotFoundError("no C compiler")
    BUILD.mkdir(exist_ok=True)
    if not program.exists() or program.stat().st_mtime < SOURCE.stat().st_mtime:
        subprocess.run([cc, "-O2", "-Wall", "-o", str(program), str(SOURCE)], check=True)
    return program


def answer() -> bytes:
    """What boomerang answers, for a request of the number 0."""
    head = [
        "HTTP/1.1 200 OK",
        "Content-Type: text/xml; charset=utf-8",
        "Cache-Control: no-store",
        "Boomerang-Decision: retry; attempt=1",
        f"Content-Length: {len(_TWIML)}",
    ]
    return ("\r\n".join(head) + "\r\n\r\n" + _TWIML).encode("ascii")
