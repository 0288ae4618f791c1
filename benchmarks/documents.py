"""Where figures are written to: between markers in documents that people write."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.curves import Curve


class MarkerError(Exception):
    """A document has no place for what is to be written."""


def filled(text: str, name: str, content: str) -> str:
    """The document with new content between `<!-- name -->` and `<!-- /name -->`.

    Raises `MarkerError`.
    """
    begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    head, found, rest = text.partition(begin)
    _, closed, tail = rest.partition(end)
    if not found or not closed:
        raise MarkerError(f"there is no {begin} ... {end}")
    return f"{head}{begin}\n\n{content}\n\n{end}{tail}"


def fill(file: Path, contents: Mapping[str, str]) -> None:
    """Write each content between its markers in a file."""
    text = file.read_text(encoding="utf-8")
    for name, content in contents.items():
        text = filled(text, name, content)
    file.write_text(text, encoding="utf-8")


def pictures(curves: Sequence[Curve], folder: str) -> str:
    """The curves for a page on which readers choose between light and dark."""
    return "\n\n".join(
        f'<picture><source media="(prefers-color-scheme: dark)" '
        f'srcset="{folder}/{curve.name}-dark.svg">'
        f'<img alt="{curve.title}, against {curve.x_title}" src="{folder}/{curve.name}-light.svg">'
        "</picture>"
        for curve in curves
    )
