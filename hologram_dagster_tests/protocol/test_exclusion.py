"""What is absent can be shown to be, and nothing that is present can (contract section 6.6)."""

import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hologram_dagster.errors import FormatError
from hologram_dagster.protocol.canonical import js_order
from hologram_dagster.protocol.exclusion import prove_absence, verify_absence
from hologram_dagster.protocol.merkle import proof, root

pytestmark = [pytest.mark.phase1_core, pytest.mark.phase7_security]

KEYS = ["a", "c", "e", "g", "i"]
ROOT = root(KEYS)
key_sets = st.sets(st.text(max_size=3), max_size=9).map(lambda keys: sorted(keys, key=js_order))


@pytest.mark.parametrize("target", ["f", "b", "", "z"])
def test_between_before_and_behind_all_keys(target: str) -> None:
    shown = prove_absence(KEYS, target)
    assert ("prev" in shown, "next" in shown) == (target > "a", target < "i")
    assert verify_absence(shown, ROOT, len(KEYS))


@given(key_sets, st.text(max_size=3))
def test_every_absent_key_can_be_shown_absent(keys: list[str], target: str) -> None:
    if target in keys:
        with pytest.raises(FormatError, match="present"):
            prove_absence(keys, target)
    else:
        assert verify_absence(prove_absence(keys, target), root(keys), len(keys))


@given(key_sets.filter(bool), st.data())
@settings(max_examples=200)
def test_no_present_key_can_with_any_two_true_inclusions(keys: list[str], data: st.DataObject) -> None:
    target = data.draw(st.sampled_from(keys))
    forged: dict[str, Any] = {"target": target}
    for side in data.draw(st.sampled_from([(), ("prev",), ("next",), ("prev", "next")])):
        at = data.draw(st.integers(0, len(keys) - 1))
        forged[side] = {
            "index": data.draw(st.sampled_from([at, at + 1, at - 1])),
            "leaf": keys[at],
            "path": proof(keys, at),
        }
    assert not verify_absence(forged, root(keys), len(keys))


def test_neighbours_that_are_not_side_by_side_show_nothing() -> None:
    # "e" lies between "c" and "g", which are both in the tree: this is how a present key is hidden.
    outer = {
        "prev": {"index": 1, "leaf": "c", "path": proof(KEYS, 1)},
        "next": {"index": 3, "leaf": "g", "path": proof(KEYS, 3)},
    }
    for index in (1, 2, 3, 4):
        outer["next"]["index"] = index
        assert not verify_absence({"target": "e", **outer}, ROOT, len(KEYS))


def test_the_repeated_last_leaf_has_one_place_only() -> None:
    # Leaf 4 stands for 5, 6 and 7 as well: as "leaf 5" it would leave a gap behind leaf 4.
    path = copy.deepcopy(proof(KEYS, 4))
    path[0]["dir"] = "L"
    forged = {"target": "z", "prev": {"index": 5, "leaf": "i", "path": path}}
    assert not verify_absence(forged, ROOT, 5)


def test_root_and_number_of_leaves_count() -> None:
    shown = prove_absence(KEYS, "z")
    assert verify_absence(shown, ROOT, 5)
    assert not verify_absence(shown, ROOT, 6)
    assert not verify_absence(shown, ROOT, 4)
    assert not verify_absence(shown, ROOT, 0)
    assert not verify_absence(shown, root(KEYS[:4]), 5)


def test_of_an_empty_tree_everything_is_absent() -> None:
    assert verify_absence({"target": "a"}, root([]), 0)
    assert not verify_absence({"target": "a"}, ROOT, 0)
    assert not verify_absence({"target": "a"}, ROOT, 5)


@pytest.mark.parametrize(
    ("where", "value"),
    [
        ("prev", None),
        ("prev", {}),
        ("next", None),
        ("next", []),
        ("target", 7),
        ("more", 1),
        ("prev.index", True),
        ("prev.index", 1.0),
        ("prev.leaf", 7),
        ("prev.path", None),
        ("prev.path", [None, None, None]),
        ("prev.path", [{"dir": "R", "hash": "\ud800"}] * 3),
        ("prev.more", 1),
    ],
)
def test_malformed_proofs_fail(where: str, value: object) -> None:
    shown: dict[str, Any] = copy.deepcopy(dict(prove_absence(KEYS, "d")))
    *outer, name = where.split(".")
    (shown[outer[0]] if outer else shown)[name] = value
    assert not verify_absence(shown, ROOT, len(KEYS))
    assert not verify_absence(None, ROOT, len(KEYS))


@pytest.mark.parametrize("keys", [["b", "a"], ["a", "a"], ["\uffff", "\U00010000"]])
def test_keys_must_be_distinct_and_in_javascripts_order(keys: list[str]) -> None:
    with pytest.raises(FormatError, match="sorted"):
        prove_absence(keys, "x")
