"""What has to change, its way back, and the undo file."""

from __future__ import annotations

import json
from typing import Any

import pytest

from boomerang.account.plan import Change, Plan, plan, reversal
from boomerang.account.resources import Kind, Resource
from boomerang.account.undo import BadUndoFile, from_text, to_text
from boomerang.account.verdict import judge
from boomerang.settings.account import AccountRule
from tests.account.resources import ACCOUNT, APP, HERE, RETRY, resource, wanted

RELAY = AccountRule(relay=True)
QUOTED = "https%3A%2F%2Fapp.example.com%2Fvoice"


def planned(*resources: Resource) -> Plan:
    return plan(each for one in resources for each in judge(one, wanted(RELAY), []))


def change(before: dict[str, str], after: dict[str, str]) -> Change:
    return Change(Kind.NUMBER, "PN1", ACCOUNT, "main line", before, after)


BARE = resource(voice_url=APP, sms_url=APP, sms_fallback_method="GET", status_callback=APP)


def test_one_change_for_a_resource() -> None:
    """All that has to change of a resource is changed at once, and nothing else of it."""
    good = resource(sid="PN2", voice_url=APP, voice_fallback_url=RETRY)
    assert planned(BARE, good) == Plan(
        (
            change(
                {
                    "voice_fallback_url": "",
                    "sms_fallback_url": "",
                    "sms_fallback_method": "GET",
                    "status_callback": APP,
                },
                {
                    "voice_fallback_url": RETRY,
                    "sms_fallback_url": RETRY,
                    "sms_fallback_method": "POST",
                    "status_callback": f"{HERE}/relay?Url={QUOTED}",
                },
            ),
        )
    )


def test_left() -> None:
    """A gap that cannot be closed from here is said."""
    lost = resource(status_callback="nonsense")
    assert planned(lost).changes == ()
    assert planned(lost).left == (
        "number PN1 status_callback: callback not relayed:"
        " cannot be: it is not an absolute http or https URL",
    )


def after(one: Resource, made: Plan) -> Resource:
    (only,) = made.changes
    return resource(one.kind, **{**one.fields, **only.after})


def test_a_second_plan_is_empty() -> None:
    """Once a plan is carried out, there is nothing left to do."""
    assert planned(after(BARE, planned(BARE))) == Plan(())


def test_reversal() -> None:
    """What was done is taken back, and then there is nothing left to take back."""
    made = planned(BARE)
    done = after(BARE, made)
    back = reversal(made.changes, [done])
    assert back == Plan((made.changes[0].reversed,))
    assert after(done, back).fields == BARE.fields
    assert reversal(made.changes, [BARE]) == Plan(())


OLD = {"voice_fallback_url": "", "voice_fallback_method": "GET"}
NEW = {"voice_fallback_url": RETRY, "voice_fallback_method": "POST"}


@pytest.mark.parametrize(
    ("current", "undone", "left"),
    [
        (NEW, OLD, []),
        (OLD, {}, []),
        (
            {**NEW, "voice_fallback_url": APP},
            {"voice_fallback_method": "GET"},
            ["voice_fallback_url"],
        ),
        ({**OLD, "voice_fallback_url": RETRY}, {"voice_fallback_url": ""}, []),
    ],
)
def test_changed_since(current: dict[str, str], undone: dict[str, str], left: list[str]) -> None:
    """What others have changed since then stays as it is, and is said."""
    back = reversal([change(OLD, NEW)], [resource(Kind.NUMBER, **current)])
    assert [each.after for each in back.changes] == ([undone] if undone else [])
    assert list(back.left) == [f"number PN1 {name}: was changed since then" for name in left]


def test_gone() -> None:
    """What is not there any more cannot be put back."""
    back = reversal([change(OLD, NEW)], [resource(sid="PN2")])
    assert back == Plan((), ("number PN1 is not there, or not any more",))


def test_method_that_was_not_set() -> None:
    """A method cannot be unset at Twilio, so it stays."""
    back = reversal(
        [change({**OLD, "voice_fallback_method": ""}, NEW)], [resource(Kind.NUMBER, **NEW)]
    )
    assert [each.after for each in back.changes] == [{"voice_fallback_url": ""}]


class TestFile:
    """The undo file."""

    def test_round_trip(self) -> None:
        """It holds all that a change is made of."""
        made = planned(BARE, resource(sid="PN2", voice_url=APP)).changes
        assert from_text(to_text(made)) == made
        assert from_text(to_text(())) == ()

    @pytest.mark.parametrize(
        ("wrong", "said"),
        [
            ({"kind": "call"}, "change 1 has no known kind"),
            ({"sid": ""}, "change 1 has no sid"),
            ({"account": 1}, "change 1 has no account"),
            ({"before": None}, "change 1 has no texts before and after"),
            ({"after": {"voice_fallback_url": None}}, "change 1 has no texts before and after"),
            ({"after": {}}, "change 1 has other fields before than after"),
            (
                {"before": {"voice_url": ""}, "after": {"voice_url": "https://evil.org/"}},
                "change 1 has fields that boomerang never changes",
            ),
        ],
    )
    def test_wrong_change(self, wrong: dict[str, Any], said: str) -> None:
        """A file that asks for anything else is refused, above all for a primary URL."""
        document = json.loads(to_text([change(OLD, NEW)]))
        document["changes"][0].update(wrong)
        with pytest.raises(BadUndoFile, match=f"^{said}$"):
            from_text(json.dumps(document))

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("", "it is not JSON"),
            ("[" * 100_000, "it is not JSON"),
            ("[]", 'its format is not "boomerang undo 1"'),
            ('{"format": "boomerang undo 2"}', 'its format is not "boomerang undo 1"'),
            ('{"format": "boomerang undo 1"}', "it has no list of changes"),
            ('{"format": "boomerang undo 1", "changes": [1]}', "change 1 has no known kind"),
        ],
    )
    def test_wrong_file(self, text: str, said: str) -> None:
        """What is no undo file is refused."""
        with pytest.raises(BadUndoFile, match=said):
            from_text(text)

    def test_not_shown(self) -> None:
        """What URLs have in them is in the file, and in no other text."""
        assert "example.com" not in repr(change(OLD, NEW))
