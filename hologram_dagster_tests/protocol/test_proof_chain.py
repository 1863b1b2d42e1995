"""A proof holds for exactly the content, order and time it was made for (contract section 5.1)."""

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hologram_dagster.errors import FormatError
from hologram_dagster.protocol.proof_chain import (
    attach,
    chain_hash,
    check,
    check_chain,
    content_hash,
    prove_chain,
)
from hologram_dagster.protocol.signing import Signer
from hologram_dagster_tests.protocol.json_values import objects, values

pytestmark = [pytest.mark.phase9_chaos, pytest.mark.proof_chain_mandatory]

CONTENT = {"content": "test content", "metadata": {"version": "1.0"}}
BLOCKS = [{"content": f"block {number}", "metadata": {"block": number}} for number in (1, 2, 3)]
NOW = 1_780_000_000


def test_contract_vectors() -> None:
    assert content_hash(CONTENT) == "0b9883015d8d46a510b9a46bc0eb26e46d2cb17cb0082ee7c33f0d43ec8f433f"
    assert chain_hash(BLOCKS) == "a5a09ef945e305bd988df29cbc0ff9b9a0e5db300667496bdf4f58561ad5be2c"


def test_proof_has_the_contracts_fields(signer: Signer) -> None:
    proof = attach(CONTENT, signer, now=NOW)["proof_chain"]
    assert proof["hash"] == content_hash(CONTENT)
    assert proof["timestamp"] == NOW
    assert proof["validator"] == "hologram_proof_validator"
    assert (proof["key_id"], proof["public_key"]) == (signer.key_id, signer.public_hex)


@pytest.mark.parametrize(
    "operation",
    [
        CONTENT,
        {
            "query": "query($n:String!){ resolve(name:$n){ encoding } }",
            "variables": {"n": "demo/object/alpha"},
        },
        {"operation": "verify", "content": "x"},
        {},
    ],
    ids=repr,
)
def test_operations_validate_with_their_proof_at_any_time(signer: Signer, operation: dict[str, Any]) -> None:
    before = copy.deepcopy(operation)
    for now in (0, NOW):
        assert check(json.loads(json.dumps(attach(operation, signer, now=now)))) is None
    assert operation == before


@given(objects)
@settings(deadline=None)
def test_any_object_round_trips(signer: Signer, obj: dict[str, Any]) -> None:
    proven = attach(obj, signer, now=NOW)
    assert check(json.loads(json.dumps(proven))) is None
    assert {key: value for key, value in proven.items() if key != "proof_chain"} == obj


def test_a_new_proof_replaces_the_old_one(signer: Signer, stranger: Signer) -> None:
    again = attach(attach(CONTENT, stranger, now=1), signer, now=NOW)
    assert again == attach(CONTENT, signer, now=NOW)


def test_missing_proof_is_rejected() -> None:
    assert check(CONTENT) == "there is no proof"
    assert check({**CONTENT, "proof_chain": None}) == "there is no proof"


@given(objects, st.text(max_size=3), values)
@settings(deadline=None)
def test_changed_content_is_rejected(signer: Signer, obj: dict[str, Any], key: str, value: object) -> None:
    proven = attach(obj, signer, now=NOW)
    changed = {**proven, key: value}
    assert (check(changed) is None) == (
        json.dumps(changed, sort_keys=True) == json.dumps(proven, sort_keys=True)
    )


def _tampered(proof: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for name in ("hash", "signature", "key_id", "public_key", "order_hash"):
        for at in range(len(proof[name])):
            digit = "0" if proof[name][at] != "0" else "1"
            yield name, proof[name][:at] + digit + proof[name][at + 1 :]
        yield name, proof[name].upper()
        yield name, ""
        yield name, None
    yield from (("timestamp", other) for other in (NOW + 1, str(NOW), float(NOW), True))
    yield "validator", "hologram_chain_validator"
    yield "extra", 1


def test_every_changed_digit_of_a_proof_is_rejected(signer: Signer) -> None:
    proven = attach(CONTENT, signer, now=NOW)
    tampered = list(_tampered(proven["proof_chain"]))
    assert len(tampered) > 300
    for name, value in tampered:
        assert check({**proven, "proof_chain": {**proven["proof_chain"], name: value}}), (name, value)
    for name in proven["proof_chain"]:
        rest = {key: value for key, value in proven["proof_chain"].items() if key != name}
        assert check({**proven, "proof_chain": rest}) == f"the proof lacks or should not have: {name}"


def test_reordered_array_is_detected_by_the_order_hash(signer: Signer) -> None:
    first = attach({"steps": [1, 2]}, signer, now=NOW)["proof_chain"]
    second = attach({"steps": [2, 1]}, signer, now=NOW)["proof_chain"]
    assert first["order_hash"] != second["order_hash"]
    forged = {"steps": [2, 1], "proof_chain": {**first, "hash": second["hash"]}}
    assert check(forged) == "the content is not in the order that was hashed"
    assert check({"steps": [2, 1], "proof_chain": second}) is None


def test_the_signature_covers_the_order_hash(signer: Signer) -> None:
    first = attach({"steps": [1, 2]}, signer, now=NOW)["proof_chain"]
    second = attach({"steps": [2, 1]}, signer, now=NOW)["proof_chain"]
    forged = {**second, "signature": first["signature"]}
    assert check({"steps": [2, 1], "proof_chain": forged}) == "the signature does not fit the content"


def test_only_trusted_keys_where_keys_are_named(signer: Signer, stranger: Signer) -> None:
    proven = attach(CONTENT, stranger, now=NOW)
    assert check(proven, trusted=[stranger.key_id]) is None
    assert check(proven, trusted=[signer.key_id]) == f"the key {stranger.key_id} is not trusted"


@pytest.mark.parametrize(
    "value", [float("nan"), 2**60, b"x", object(), {1: 1}], ids=lambda value: type(value).__name__
)
def test_what_is_no_json_is_refused_and_never_valid(signer: Signer, value: object) -> None:
    with pytest.raises(FormatError):
        attach({"a": value}, signer, now=NOW)
    proven = attach({"a": 1}, signer, now=NOW)
    assert check({**proven, "a": value})


def test_chain_of_blocks_validates(signer: Signer, stranger: Signer) -> None:
    proof = prove_chain(BLOCKS, signer, now=NOW)
    assert (proof["chain_hash"], proof["block_count"]) == (chain_hash(BLOCKS), 3)
    assert proof["validator"] == "hologram_chain_validator"
    assert check_chain(BLOCKS, proof) is None
    assert check_chain(BLOCKS, proof, trusted=[signer.public_hex]) is None
    assert (
        check_chain(BLOCKS, proof, trusted=[stranger.public_hex]) == f"the key {signer.key_id} is not trusted"
    )
    assert check_chain([], prove_chain([], signer, now=NOW)) is None


def test_changed_chains_are_rejected(signer: Signer) -> None:
    proof = prove_chain(BLOCKS, signer, now=NOW)
    for at in range(len(BLOCKS)):
        assert check_chain(BLOCKS[:at] + BLOCKS[at + 1 :], proof) == "the proof is over 3 blocks, not 2"
        changed = [*BLOCKS[:at], {**BLOCKS[at], "content": "other"}, *BLOCKS[at + 1 :]]
        assert check_chain(changed, proof) == "the blocks are not what was hashed"
    assert check_chain(BLOCKS[::-1], proof) == "the blocks are not what was hashed"
    assert check_chain([{"a": float("nan")}] * 3, proof)


@pytest.mark.parametrize("proof", [None, {}, [], "proof", 7], ids=repr)
def test_malformed_chain_proofs_are_rejected(proof: object) -> None:
    assert check_chain(BLOCKS, proof)


def test_every_field_of_a_chain_proof_counts(signer: Signer) -> None:
    proof = prove_chain(BLOCKS, signer, now=NOW)
    others = {
        "chain_hash": content_hash(CONTENT),
        "timestamp": NOW + 1,
        "signature": "0" * 128,
        "validator": "hologram_proof_validator",
        "key_id": "0" * 16,
        "public_key": "0" * 64,
        "block_count": 4,
    }
    assert others.keys() == proof.keys()
    for name, value in others.items():
        assert check_chain(BLOCKS, {**proof, name: value}), name
