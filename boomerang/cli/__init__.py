"""The command ``boomerang``: the tool beside the daemon."""

from boomerang.cli.check_config import described
from boomerang.cli.command import main

__all__ = ["described", "main"]
