"""Audits and plans as they are printed."""

from __future__ import annotations

import json

import pytest

from boomerang.account.audit import Audit, Snapshot, audit
from boomerang.account.connections import ConnectionRule
from boomerang.account.listing import bar, described, document, summary, table
from boomerang.account.plan import plan
from boomerang.account.redaction import shown
from boomerang.account.resources import Kind
from tests.account.resources import ACCOUNT, APP, RETRY, resource, wanted

LOGIN = "https://user:hunter2@app.example.com/"

SNAPSHOT = Snapshot(
    resources=(
        resource(voice_url=APP, sms_url=APP, sms_fallback_url=RETRY, status_callback=LOGIN),
        resource(Kind.SHORT_CODE, "short\x1b[2J", sid="SC1"),
        resource(Kind.SIP_DOMAIN, "sip", sid="SD1", voice_url=APP, voice_fallback_url=LOGIN),
    ),
    unseen=("sub-account AC2",),
)


def audited() -> Audit:
    return audit(SNAPSHOT, wanted())


def test_table() -> None:
    """Each URL that is used is a line, with what it should be if it is not."""
    lines = [" ".join(line.split()) for line in table(audited(), gaps=False)]
    assert lines == [
        "VERDICT KIND NAME SID URL CONFIGURED SHOULD BE",
        f"missing number main line PN1 voice_fallback_url (none) {RETRY}",
        f"covered number main line PN1 sms_fallback_url {RETRY}",
        "left alone (no rule asks for the relay) number main line PN1 status_callback"
        " https://***@app.example.com/",
        "points elsewhere (it is not boomerang's) sip-domain sip SD1 voice_fallback_url"
        f" https://***@app.example.com/ {RETRY}",
        "! not looked at: sub-account AC2",
        "3 resources: 1 covered, 1 missing, 1 points elsewhere, 1 left alone, 2 not used",
    ]


def test_gaps() -> None:
    """Gaps can be asked for alone."""
    lines = list(table(audited(), gaps=True))
    assert [line.split()[0] for line in lines] == ["VERDICT", "missing", "points", "!", "3"]
    nothing = Audit(())
    assert list(table(nothing, gaps=True)) == [summary(nothing)] == ["0 resources: nothing"]


def test_document() -> None:
    """For machines there is all of it."""
    found = json.loads(document(audited()))
    assert found["gaps"] == 2
    assert found["verdicts"]["missing"] == 1
    assert found["unseen"] == ["sub-account AC2"]
    assert len(found["findings"]) == 6
    assert found["findings"][0] == {
        "kind": "number",
        "sid": "PN1",
        "account": ACCOUNT,
        "name": "main line",
        "url": "voice_fallback_url",
        "product": "voice",
        "verdict": "missing",
        "gap": True,
        "detail": "",
        "configured": "",
        "expected": RETRY,
    }
    assert "hunter2" not in document(audited())


def test_rule_in_the_way() -> None:
    """A rule of the Webhooks API that nothing here gets round is told once, beside the gaps."""
    rule = ConnectionRule("wr_1", ACCOUNT, None, RETRY, 3.0)
    good = resource(voice_url=APP, voice_fallback_url=RETRY)
    (note,) = audit(Snapshot((good,), (rule,)), wanted()).notes
    assert note.startswith(f"the Webhooks rule wr_1 of {ACCOUNT} leaves 3 s")
    assert f"! {note}" in table(audit(Snapshot((good,), (rule,)), wanted()), gaps=True)


def test_described() -> None:
    """A plan is a line for each resource and each field."""
    assert list(described(plan(audited().findings))) == [
        "~ update number PN1 main line",
        f"    voice_fallback_url: (none) -> {RETRY}",
        "~ update sip-domain SD1 sip",
        f"    voice_fallback_url: https://***@app.example.com/ -> {RETRY}",
        "2 to update, 0 left as they are",
    ]


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        (APP, APP),
        (LOGIN, "https://***@app.example.com/"),
        (
            "https://b.example.com/relay?Url=https%3A%2F%2Fuser%3Ahunter2%40app.example.com%2F",
            "https://b.example.com/relay?Url=https%3A%2F%2F***@app.example.com%2F",
        ),
        ("https://a.example.com/x@y", "https://a.example.com/x@y"),
        ("https://a.example.com?to=x@y", "https://a.example.com?to=x@y"),
        ("a\x1b[31mb\n", "a?[31mb?"),
    ],
)
def test_shown(text: str, printed: str) -> None:
    """Logins are not printed, nor what a terminal would obey."""
    assert shown(text) == printed


@pytest.mark.parametrize(
    ("done", "total", "text"),
    [(0, 4, "[----] 0/4"), (2, 4, "[##--] 2/4"), (4, 4, "[####] 4/4"), (0, 0, "[####] 0/0")],
)
def test_bar(done: int, total: int, text: str) -> None:
    """A bar fills up."""
    assert bar(done, total, width=4) == text
