"""Python's collector of garbage, as the process asks for it."""

from __future__ import annotations


class Noted:
    """A collector that collects nothing; ``made`` is how many objects it says came up."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.made = 0

    def collect(self) -> int:
        self.done.append("collect")
        return 0

    def get_count(self) -> tuple[int, int, int]:
        return self.made, 0, 0

    def freeze(self) -> None:
        self.done.append("freeze")

    def disable(self) -> None:
        self.done.append("disable")

    def enable(self) -> None:
        self.done.append("enable")
