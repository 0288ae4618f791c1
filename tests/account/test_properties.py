"""What holds for every account: plans close what they can, and whatever was done can be undone."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from boomerang.account.plan import Change, plan, reversal
from boomerang.account.resources import LAYOUTS, Kind, Resource
from boomerang.account.undo import from_text, to_text
from boomerang.account.verdict import Verdict, judge
from boomerang.settings.account import AccountRule
from tests.account.resources import APP, HERE, RETRY, resource, wanted

URLS = st.sampled_from(
    [
        "",
        APP,
        RETRY,
        f"{RETRY}?FallbackUrl=https%3A%2F%2Fs.example.com%2F",
        f"{RETRY}?Method=PUT",
        f"{RETRY}#rt=5000",
        f"{HERE}/relay?Url=https%3A%2F%2Fapp.example.com%2F",
        f"{HERE}/relay?Url=nonsense",
        "https://old.example.com/relay?Url=https%3A%2F%2Fapp.example.com%2F",
        "https://not-allowed.org/",
        "nonsense",
    ]
)

RULES = st.lists(
    st.builds(
        AccountRule,
        kind=st.sampled_from([None, *(kind.value for kind in Kind)]),
        product=st.sampled_from([None, "voice", "messaging"]),
        fallback_url=st.sampled_from([None, "https://s.example.com/"]),
        fallback_method=st.sampled_from(["GET", "POST"]),
        method=st.sampled_from(["GET", "POST"]),
        relay=st.booleans(),
        leave=st.booleans(),
    ),
    max_size=3,
)


@st.composite
def resources(draw: st.DrawFn) -> list[Resource]:
    """An account of a few resources."""
    found = []
    for number, kind in enumerate(draw(st.lists(st.sampled_from(list(Kind)), max_size=5))):
        fields = {
            name: draw(
                st.sampled_from(["GET", "POST"])
                if name.endswith("_method")
                else st.sampled_from(["", "", "AP1"])
                if name.endswith("_sid")
                else st.sampled_from(["", "true"])
                if name.startswith("use_")
                else URLS
            )
            for name in sorted(LAYOUTS[kind].fields)
        }
        found.append(resource(kind, sid=f"X{number}", **fields))
    return found


def carried_out(account: Sequence[Resource], changes: Sequence[Change]) -> list[Resource]:
    """The account after some changes."""
    after = {(each.kind, each.sid): each.after for each in changes}
    return [
        evolve(each, fields={**each.fields, **after.get((each.kind, each.sid), {})})
        for each in account
    ]


@given(account=resources(), rules=RULES, part=st.integers(0, 5))
def test_apply_and_undo(account: list[Resource], rules: list[AccountRule], part: int) -> None:
    """A plan leaves nothing for a second one; interrupted anywhere, it is finished, and undone."""
    should_be = wanted(*rules, hosts=("*.example.com",))

    def planned(now: Sequence[Resource]) -> Sequence[Change]:
        return plan(each for one in now for each in judge(one, should_be, [])).changes

    first = planned(account)
    half = carried_out(account, first[:part])
    whole = carried_out(half, planned(half))
    assert whole == carried_out(account, first)
    assert planned(whole) == ()
    assert all(each.before.keys() == each.after.keys() for each in first)

    undo = from_text(to_text(first))
    for state in (half, whole):
        back = reversal(undo, state)
        assert back.left == ()
        assert carried_out(state, back.changes) == account


@given(account=resources(), rules=RULES)
def test_gaps(account: list[Resource], rules: list[AccountRule]) -> None:
    """Only gaps have a fix; once all are carried out, the gaps that are left have none."""
    should_be = wanted(*rules, hosts=("*.example.com",))
    found = [each for one in account for each in judge(one, should_be, [])]
    assert all(each.gap for each in found if each.fix)
    whole = carried_out(account, plan(found).changes)
    left = [each for one in whole for each in judge(one, should_be, []) if each.gap]
    assert all(each.verdict is Verdict.NOT_RELAYED and not each.fix for each in left)


@given(account=resources(), rules=RULES)
def test_nothing_else(account: list[Resource], rules: list[AccountRule]) -> None:
    """Nothing but fallbacks, their methods and status callbacks is ever changed."""
    should_be = wanted(*rules)
    for change in plan(each for one in account for each in judge(one, should_be, [])).changes:
        assert change.after.keys() <= LAYOUTS[change.kind].changeable
        assert all(
            value in ("GET", "POST") or value.startswith(f"{HERE}/")
            for value in change.after.values()
        )
