"""README's section about the account says what is so."""

from __future__ import annotations

import re
from pathlib import Path

from boomerang.account.verdict import GAPS, Verdict
from boomerang.settings import Sources, load_settings
from boomerang.settings.account import KINDS

SECTION = (
    (Path(__file__).parents[2] / "README.md")
    .read_text(encoding="utf-8")
    .partition("\n## The account\n")[2]
    .partition("\n## ")[0]
)


def test_example() -> None:
    """Its example is a good one."""
    example = SECTION.partition("```toml\n")[2].partition("```\n")[0]
    settings = load_settings(Sources(file=example))
    assert settings.twilio.account_sid
    staging, voice = settings.account.rule
    assert (staging.leave, voice.product) == (True, "voice")


def test_verdicts() -> None:
    """Its table has each verdict, and says which are gaps."""
    table = SECTION.partition("| Verdict | Gap | Meaning |\n|---|---|---|\n")[2].partition("\n\n")[
        0
    ]
    listed = {}
    for row in table.splitlines():
        names, gap, _ = row.strip("|").split("|", 2)
        listed.update({name: gap.strip() == "yes" for name in re.findall("`([^`]+)`", names)})
    assert listed == {verdict.value: verdict in GAPS for verdict in Verdict}


def test_kinds() -> None:
    """It names each kind of resource."""
    assert ", ".join(f"`{kind}`" for kind in KINDS) in SECTION
