"""Delta proofs and checkpoints hold for the ledger they are of, and for no other (section 5.3)."""

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hologram_dagster.errors import FormatError
from hologram_dagster.protocol.ledger_entry import Entry, link
from hologram_dagster.protocol.ledger_proofs import checkpoint, checkpoint_holds, delta_fault, prove_delta
from hologram_dagster.protocol.merkle import root
from hologram_dagster.protocol.signing import Signer
from hologram_dagster.protocol.uorid import uorid_object
from hologram_dagster_tests.protocol.json_values import values

pytestmark = [pytest.mark.phase1_core, pytest.mark.phase7_security]

BEFORE, AFTER = {"state": "before"}, {"state": "after"}


@pytest.fixture(scope="module")
def entries(signer: Signer) -> list[Entry]:
    made: list[Entry] = []
    for name in "abcde":
        made.append(link({"op": name}, made[-1] if made else None, signer))
    return made


def test_the_ledgers_vector(entries: list[Entry]) -> None:
    assert entries[0].data_hash == "0d3e18806bd25308d4503687610158436040022133bb91faae5950a2b474684b"
    assert entries[0].head == "e4e243ea9869d82c87395ecdbe22d774e49e66e53501c3561826a4d0f0fe22d0"


def test_a_delta_proof_is_the_contracts(entries: list[Entry]) -> None:
    assert prove_delta(entries, 1, 2, before=BEFORE, after=AFTER) == {
        "v": 1,
        "from": {"uor": uorid_object(BEFORE), "head": entries[0].head},
        "to": {"uor": uorid_object(AFTER), "head": entries[2].head},
        "window": {"start": 1, "end": 2},
        "heads": [entries[1].head, entries[2].head],
    }
    # Before the first entry there is no head; the present tools name the first entry's own.
    assert prove_delta(entries, 0, 0, before=BEFORE, after=AFTER)["from"]["head"] == ""


@given(st.data())
def test_every_window_has_a_proof_that_holds(entries: list[Entry], data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(entries) - 1))
    end = data.draw(st.integers(start, len(entries) - 1))
    proof = prove_delta(entries, start, end, before=BEFORE, after=AFTER)
    assert delta_fault(proof, entries) is None
    assert delta_fault(proof, entries, before=uorid_object(BEFORE), after=uorid_object(AFTER)) is None
    # It still holds when the ledger has grown, and not once what it covers is gone.
    assert delta_fault(proof, entries[: end + 1]) is None
    assert delta_fault(proof, entries[:end]) is not None


@pytest.mark.parametrize(("start", "end"), [(-1, 0), (2, 1), (0, 5)])
def test_there_is_no_proof_over_another_window(entries: list[Entry], start: int, end: int) -> None:
    with pytest.raises(FormatError, match="no window"):
        prove_delta(entries, start, end, before=BEFORE, after=AFTER)


def test_states_other_than_those_asked_for(entries: list[Entry]) -> None:
    proof = prove_delta(entries, 1, 2, before=BEFORE, after=AFTER)
    assert "state from" in str(delta_fault(proof, entries, before=uorid_object(AFTER)))
    assert "state to" in str(delta_fault(proof, entries, after=uorid_object(BEFORE)))


@pytest.mark.parametrize(
    ("where", "value"),
    [
        ("v", 2),
        ("v", True),
        ("v", None),
        ("from.head", "0" * 64),
        ("to.head", "0" * 64),
        ("from.uor", "uor:v1:r96:" + "0" * 64),
        ("to.uor", ""),
        ("to.uor", 7),
        ("window.start", 2),
        ("window.start", True),
        ("window.end", 10**9),
        ("window.end", 2.0),
        ("window.more", 1),
        ("heads", []),
        ("heads", None),
        ("more", 1),
    ],
)
def test_tampered_proofs_fail(entries: list[Entry], where: str, value: object) -> None:
    proof: dict[str, Any] = prove_delta(entries, 1, 3, before=BEFORE, after=AFTER)
    *outer, name = where.split(".")
    (proof[outer[0]] if outer else proof)[name] = value
    assert delta_fault(proof, entries) is not None


def test_heads_in_another_order_fail(entries: list[Entry]) -> None:
    # The contract's canonical form sorts arrays, so that the present check lets them pass.
    proof = prove_delta(entries, 1, 3, before=BEFORE, after=AFTER)
    proof["heads"].reverse()
    assert delta_fault(proof, entries) == "its heads are not those of the ledger"


def test_a_proof_does_not_hold_for_another_ledger(entries: list[Entry], signer: Signer) -> None:
    proof = prove_delta(entries, 0, 0, before=BEFORE, after=AFTER)
    assert delta_fault(proof, [link({"op": "z"}, None, signer)]) is not None
    assert delta_fault(None, entries) is not None


@given(st.integers(0, 2**53 - 1), st.lists(values, max_size=5))
def test_checkpoints_hold_for_their_shards(number: int, shards: list[Any]) -> None:
    made = checkpoint(number, shards)
    assert made == {"round": number, "shards": shards, "agg": root(shards)}
    assert checkpoint_holds(made)
    assert not checkpoint_holds({**made, "shards": [*shards, {"forged": 1}]})
    assert not checkpoint_holds({**made, "agg": "0" * 64})


def test_the_order_of_shards_counts() -> None:
    made = copy.deepcopy(dict(checkpoint(3, ["a", "b", "c"])))
    made["shards"] = ["b", "a", "c"]
    assert not checkpoint_holds(made)


@pytest.mark.parametrize(
    "change",
    [{"round": -1}, {"round": True}, {"round": 1.0}, {"shards": None}, {"shards": [object()]}, {"more": 1}],
    ids=lambda change: next(iter(change)),
)
def test_malformed_checkpoints_fail(change: dict[str, Any]) -> None:
    assert not checkpoint_holds({**checkpoint(1, [1, 2]), **change})
    assert not checkpoint_holds([])


def test_rounds_count_from_0() -> None:
    with pytest.raises(FormatError, match="counts from 0"):
        checkpoint(-1, [])
