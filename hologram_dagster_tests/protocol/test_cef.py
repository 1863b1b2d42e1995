"""Containers give back their content, agree with themselves, and prove no forged leaf (section 6.6)."""

import hashlib
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hologram_dagster.errors import FormatError
from hologram_dagster.protocol import cef
from hologram_dagster.protocol.cef import canonical, decode, encode, merkle_proof, verify_merkle

pytestmark = [pytest.mark.phase2_integration, pytest.mark.phase7_security]

BULK = b"Vectors CEF sample payload"
TIMESTAMP = 1757843118211
WIRE = encode(BULK, timestamp=TIMESTAMP)
ROOT = "fd7090765a047e3f11e1cb464eb1c7c7fae0ec8550882848e948d5cce186b5ec"
DATA_HASH = "1c6e2a9ac6d5b6686f4aa913e523126e89bb4637497f05b1d97ad70cb7b33ea1"
PATHS = ["boundary/0", "bulk/0"]


def test_the_contracts_sample() -> None:
    assert len(WIRE) == 2138
    container = decode(WIRE)
    assert container.bulk == BULK
    assert container.timestamp == TIMESTAMP
    assert container.merkle_root.hex() == ROOT
    assert json.loads(container.boundary) == {
        "version": 1,
        "timestamp": TIMESTAMP,
        "algorithm": "cef-v1",
        "compression": "none",
        "dataLength": 26,
        "dataHash": DATA_HASH,
    }
    halves = hashlib.sha256(container.boundary).digest() + hashlib.sha256(BULK).digest()
    assert hashlib.sha256(halves).hexdigest() == ROOT


@given(st.binary(max_size=600), st.integers(0, cef.MAX_TIMESTAMP_MS))
def test_round_trip_and_one_canonical_form(bulk: bytes, timestamp: int) -> None:
    wire = encode(bulk, timestamp=timestamp)
    container = decode(wire)
    assert (container.bulk, container.timestamp) == (bulk, timestamp)
    assert canonical(wire) == wire
    # However it is laid out, it means the same and has the same canonical form.
    loose = json.dumps(dict(reversed(json.loads(wire).items())), indent=1).encode()
    assert decode(loose) == container
    assert canonical(loose) == wire


@given(st.data())
@settings(max_examples=300)
def test_no_changed_wire_decodes_to_anything_else(data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(WIRE) - 1))
    changed = WIRE[:at] + bytes([WIRE[at] ^ data.draw(st.integers(1, 255))]) + WIRE[at + 1 :]
    with pytest.raises(FormatError):
        decode(changed)


def _with(**changes: Any) -> bytes:
    return json.dumps({**json.loads(WIRE), **changes}).encode()


METADATA = {"timestamp": TIMESTAMP, "algorithm": "cef-v1", "compression": "none"}


@pytest.mark.parametrize(
    ("wire", "why"),
    [
        (b"", "not JSON"),
        (b"[]", "JSON object of exactly"),
        (b"{}", "JSON object of exactly"),
        (b"\xff", "not UTF-8"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"version":NaN}', "not JSON"),
        (_with(version=2), "version"),
        (_with(version=True), "version"),
        (_with(version="1"), "version"),
        (_with(extra=1), "JSON object of exactly"),
        (_with(metadata=None), "timestamp"),
        (_with(metadata={**METADATA, "timestamp": True}), "timestamp"),
        (_with(metadata={**METADATA, "timestamp": -1}), "timestamp"),
        (_with(metadata={**METADATA, "timestamp": 10**400}), "timestamp"),
        (_with(metadata={**METADATA, "timestamp": TIMESTAMP + 1}), "boundary is not that of its bulk"),
        (_with(metadata={**METADATA, "algorithm": "cef-v2"}), "metadata"),
        (_with(metadata={**METADATA, "more": 1}), "metadata"),
        (_with(bulk={"0": 1}), "boundary is not that of its bulk"),
        (_with(bulk=[1]), "no byte array"),
        (_with(merkleRoot={"0": 1}), "root is not that"),
        (_with(merkleRoot=ROOT), "no byte array"),
    ],
)
def test_malformed_containers_say_what_is_wrong(wire: bytes, why: str) -> None:
    with pytest.raises(FormatError, match=why):
        decode(wire)


def test_limits_are_refused_before_anything_is_read() -> None:
    with pytest.raises(FormatError, match="at most"):
        encode(bytes(cef.MAX_BULK_BYTES + 1), timestamp=0)
    with pytest.raises(FormatError, match="the limit is"):
        decode(bytes(cef.MAX_CONTAINER_BYTES + 1))
    with pytest.raises(FormatError, match=f"not canonical has .* the limit is {cef.MAX_FOREIGN_BYTES}"):
        decode(b" " * (cef.MAX_FOREIGN_BYTES + 1))


def test_the_largest_container_is_within_its_limit() -> None:
    # 255 is among the longest bytes to write.
    wire = encode(b"\xff" * cef.MAX_BULK_BYTES, timestamp=cef.MAX_TIMESTAMP_MS)
    assert cef.MAX_FOREIGN_BYTES < len(wire) <= cef.MAX_CONTAINER_BYTES
    assert decode(wire).bulk == b"\xff" * cef.MAX_BULK_BYTES


@pytest.mark.parametrize("path", PATHS)
def test_proofs_hold_for_their_leaf_and_root_alone(path: str) -> None:
    proof = merkle_proof(decode(WIRE), path)
    assert verify_merkle(ROOT, proof)
    assert not verify_merkle("00" * 32, proof)
    assert not verify_merkle(ROOT.upper(), proof)


def test_a_proof_is_the_contracts() -> None:
    container = decode(WIRE)
    assert merkle_proof(container, "bulk/0") == {
        "path": "bulk/0",
        "merkleRoot": ROOT,
        "leafHash": DATA_HASH,
        "siblings": [hashlib.sha256(container.boundary).hexdigest()],
        "index": 1,
    }


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "change",
    [
        {"leafHash": hashlib.sha256(b"forged").hexdigest()},
        {"leafHash": ROOT},
        {"siblings": [hashlib.sha256(b"forged").hexdigest()]},
        {"siblings": []},
        {"siblings": ROOT},
        {"siblings": [None]},
        {"siblings": ["\ud800" * 64]},
        {"merkleRoot": "00" * 32},
        {"merkleRoot": None},
        {"index": 2},
        {"index": True},
        {"index": 1.0},
        {"path": "bulk/1"},
        {"path": None},
        {"more": 1},
    ],
    ids=repr,
)
def test_forged_proofs_fail(path: str, change: dict[str, Any]) -> None:
    assert not verify_merkle(ROOT, {**merkle_proof(decode(WIRE), path), **change})


def test_a_leaf_does_not_pass_for_the_other_one() -> None:
    boundary, bulk = (merkle_proof(decode(WIRE), path) for path in PATHS)
    assert not verify_merkle(ROOT, {**bulk, "path": "boundary/0"})
    assert not verify_merkle(ROOT, {**bulk, "path": "boundary/0", "index": 0})
    assert not verify_merkle(ROOT, {**boundary, "index": 1})
    # Both hashes side by side prove nothing about the leaf beside them.
    forged = {**bulk, "leafHash": "11" * 32, "siblings": [boundary["leafHash"], bulk["leafHash"]]}
    assert not verify_merkle(ROOT, forged)


@pytest.mark.parametrize("path", ["", "bulk", "bulk/1", "boundary/0/", "x" * 1000])
def test_there_is_no_proof_of_another_path(path: str) -> None:
    with pytest.raises(FormatError, match="no path"):
        merkle_proof(decode(WIRE), path)
