"""What depends on what, and who is to blame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from boomerang.monitor.tree import ancestors, causes

# The app needs its database and its cloud, the database needs the cloud; the page needs nothing.
NEEDS: Mapping[str, Sequence[str]] = {
    "app": ("db", "cdn"),
    "db": ("cloud",),
    "cdn": (),
    "cloud": ("dns",),
    "dns": (),
    "page": (),
}


@pytest.mark.parametrize(
    ("name", "needed"),
    [
        ("app", {"db", "cdn", "cloud", "dns"}),
        ("db", {"cloud", "dns"}),
        ("cloud", {"dns"}),
        ("cdn", set()),
        ("dns", set()),
        ("page", set()),
    ],
)
def test_ancestors(name: str, needed: set[str]) -> None:
    """A check depends on what it names, and on all that this depends on."""
    assert ancestors(NEEDS)[name] == needed


def test_two_ways() -> None:
    """What is needed in two ways is needed once."""
    needs = {"a": ("b", "c", "b"), "b": ("d",), "c": ("d",), "d": ()}
    assert ancestors(needs)["a"] == {"b", "c", "d"}


def test_long_chain() -> None:
    """The tree may be as deep as there are checks."""
    needs = {str(n): (str(n + 1),) if n < 1999 else () for n in range(2000)}
    assert len(ancestors(needs)["0"]) == 1999


@pytest.mark.parametrize(
    ("name", "down", "blamed"),
    [
        ("app", [], []),
        ("app", ["app"], []),
        ("app", ["page"], []),
        ("app", ["app", "db"], ["db"]),
        ("app", ["db"], ["db"]),
        ("app", ["app", "db", "cloud"], ["cloud"]),
        ("app", ["app", "db", "dns"], ["dns"]),
        ("app", ["db", "cdn"], ["cdn", "db"]),
        ("app", ["db", "cdn", "cloud", "dns"], ["cdn", "dns"]),
        ("db", ["app", "cdn"], []),
        ("db", ["cloud", "cdn"], ["cloud"]),
        ("dns", ["app", "db", "cloud", "dns"], []),
    ],
)
def test_causes(name: str, down: list[str], blamed: list[str]) -> None:
    """To blame is what is down and does not itself depend on something that is, by name."""
    assert causes(name, ancestors(NEEDS), down) == blamed


@st.composite
def trees(draw: st.DrawFn) -> Mapping[str, Sequence[str]]:
    """Checks each of which depends on some of those that come after it."""
    names = [f"c{n}" for n in range(draw(st.integers(1, 7)))]
    return {
        name: draw(st.lists(st.sampled_from(names[n + 1 :]), max_size=3)) if names[n + 1 :] else []
        for n, name in enumerate(names)
    }


@given(trees(), st.sets(st.integers(0, 6).map("c{}".format)))
def test_any_tree(needs: Mapping[str, Sequence[str]], down: set[str]) -> None:
    """In any tree, whoever has something above it that is down has a cause; no cause has one."""
    above = ancestors(needs)
    for name in needs:
        assert above[name] == {
            each for needed in needs[name] for each in ({needed} | above[needed])
        }
        blamed = causes(name, above, down)
        assert bool(blamed) is bool(above[name] & down)
        assert set(blamed) <= above[name] & down
        assert all(causes(each, above, down) == [] for each in blamed)
