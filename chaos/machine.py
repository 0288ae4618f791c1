"""What this process may do on this machine; in a container root may do less than elsewhere."""

from __future__ import annotations

import shutil
import subprocess


def may_mount() -> bool:
    """Whether it may have disks of its own."""
    return _unshares("--mount")


def may_make_networks() -> bool:
    """Whether it may have networks of its own."""
    return shutil.which("ip") is not None and _unshares("--net")


def _unshares(what: str) -> bool:
    try:
        tried = subprocess.run(["unshare", what, "true"], check=False, capture_output=True)
    except OSError:
        return False
    return tried.returncode == 0
