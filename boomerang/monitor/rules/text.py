"""Rules as YAML, the form in which Prometheus reads them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Final

from boomerang.monitor.rules.rule import Group, Rule

_HEAD: Final = "# Made by: boomerang alerts rules. Make it again after a change of the settings."


def to_yaml(groups: Iterable[Group]) -> str:
    """A file of rules. Texts are quoted, so that none is taken for anything else.

    An expression is one printable line, and stands as it is.
    """
    lines = [_HEAD, "groups:"]
    for group in groups:
        lines += [f"  - name: {_quoted(group.name)}", "    rules:"]
        for rule in group.rules:
            lines += _rule(rule, group.environment)
    return "".join(f"{line}\n" for line in lines)


def _rule(rule: Rule, environment: str) -> Iterator[str]:
    yield f"      - alert: {_quoted(rule.alert)}"
    yield "        expr: |-"  # as it is: it has quotes enough of its own
    yield f"          {rule.expr}"
    yield f"        for: {rule.wait}s"
    yield "        labels:"
    yield f"          severity: {rule.severity}"
    yield f"          environment: {_quoted(environment)}"
    if rule.check is not None:
        yield f"          check: {_quoted(rule.check)}"
    yield "        annotations:"
    yield f"          summary: {_quoted(rule.summary)}"
    yield f"          description: {_quoted(rule.description)}"
    yield f"          runbook_url: {_quoted(_literal(rule.runbook_url))}"


def _quoted(text: str) -> str:
    """A text in double quotes: JSON's, but for what a YAML file must not have as it is.

    JSON's own escapes of characters beyond U+FFFF come in pairs, which YAML does not know.
    """
    return "".join(
        each if each.isprintable() else f"\\U{ord(each):08x}"
        for each in json.dumps(text, ensure_ascii=False)
    )


def _literal(text: str) -> str:
    """A text that Prometheus is not to take for a template."""
    return text.replace("{{", '{{"{{"}}')
