"""A pair holds if its boundary names its bulk, and its phi recomputes (contract section 6.6)."""

import hashlib
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hologram_dagster.errors import FormatError
from hologram_dagster.protocol import bhic
from hologram_dagster.protocol.bhic import decode, seal, verify_phi
from hologram_dagster.protocol.canonical import ccm, sha256_hex, stable
from hologram_dagster.protocol.cef import MAX_BULK_BYTES, MAX_CONTAINER_BYTES, MAX_FOREIGN_BYTES, boundary_of

pytestmark = [pytest.mark.phase2_integration, pytest.mark.phase7_security]

BULK = b"Hello World"
BOUNDARY = boundary_of(BULK, timestamp=1757843118211)
WIRE = seal(BOUNDARY, BULK, timestamp=1757843118300)


@given(st.binary(max_size=200), st.integers(0, 2**42))
def test_every_pair_of_a_container_holds(bulk: bytes, timestamp: int) -> None:
    boundary = boundary_of(bulk, timestamp=timestamp)
    assert verify_phi(boundary, bulk)
    wire = seal(boundary, bulk, timestamp=timestamp)
    assert decode(wire) == (boundary, bulk, timestamp)
    loose = json.dumps(dict(reversed(json.loads(wire).items()))).encode()
    assert decode(loose) == (boundary, bulk, timestamp)


@given(st.data())
def test_any_changed_bulk_fails(data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(BULK) - 1))
    changed = BULK[:at] + bytes([BULK[at] ^ data.draw(st.integers(1, 255))]) + BULK[at + 1 :]
    assert not verify_phi(BOUNDARY, changed)
    assert not verify_phi(BOUNDARY, BULK[:at])
    assert not verify_phi(BOUNDARY, BULK + b"\0")


@pytest.mark.parametrize(
    "boundary",
    [
        b"",
        b"\xff",
        b"[]",
        b"null",
        b"{}",
        b'{"dataHash":null}',
        json.dumps({"dataHash": hashlib.sha256(b"other").hexdigest()}).encode(),
        json.dumps({"dataHash": hashlib.sha256(BULK).hexdigest().upper()}).encode(),
        json.dumps({"dataHash": hashlib.sha256(BULK).hexdigest(), "dataLength": 12}).encode(),
        json.dumps({"dataHash": hashlib.sha256(BULK).hexdigest(), "dataLength": 11.0}).encode(),
        BOUNDARY + b" " * bhic.MAX_BOUNDARY_BYTES,
        b"[" * 50_000,
    ],
)
def test_a_boundary_that_does_not_name_the_bulk_fails(boundary: bytes) -> None:
    assert not verify_phi(boundary, BULK)
    with pytest.raises(FormatError):
        seal(boundary, BULK, timestamp=0)


def test_phi_is_the_contracts() -> None:
    phi = decode(WIRE).phi
    related = {
        "boundary": BOUNDARY.hex(),
        "bulk": BULK.hex(),
        "relationship": "holographic_phi",
        "timestamp": 1757843118300,
    }
    proved = {
        "boundaryHash": hashlib.sha256(BOUNDARY).hexdigest(),
        "bulkHash": hashlib.sha256(BULK).hexdigest(),
        "holographicHash": ccm(stable(related), "bhic_phi"),
        "proofType": "bhic_integrity",
    }
    assert phi == json.loads(WIRE)["phi"]
    assert phi == {
        "holographicHash": proved["holographicHash"],
        "resonanceClass": sum(BOUNDARY + BULK) % 96,
        "integrityProof": sha256_hex(stable(proved)),
    }


@given(st.data())
@settings(max_examples=300)
def test_no_changed_wire_decodes(data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(WIRE) - 1))
    changed = WIRE[:at] + bytes([WIRE[at] ^ data.draw(st.integers(1, 255))]) + WIRE[at + 1 :]
    with pytest.raises(FormatError):
        decode(changed)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("phi", None),
        ("phi", {}),
        ("phi.holographicHash", "0" * 64),
        ("phi.resonanceClass", True),
        ("phi.resonanceClass", 95.0),
        ("phi.integrityProof", "0" * 64),
        ("phi.more", 1),
        ("metadata", None),
        ("metadata.timestamp", 1757843118301),
        ("metadata.timestamp", "now"),
        ("metadata.algorithm", "bhic-v2"),
        ("metadata.verificationLevel", "none"),
        ("version", 2),
        ("version", True),
        ("more", 1),
    ],
)
def test_what_does_not_recompute_is_refused(path: str, value: object) -> None:
    fields: dict[str, Any] = json.loads(WIRE)
    *outer, name = path.split(".")
    (fields[outer[0]] if outer else fields)[name] = value
    with pytest.raises(FormatError):
        decode(json.dumps(fields).encode())


def test_limits() -> None:
    with pytest.raises(FormatError, match="cannot be sealed"):
        seal(BOUNDARY, bytes(MAX_BULK_BYTES + 1), timestamp=0)
    with pytest.raises(FormatError, match="limit"):
        decode(b" " * (MAX_FOREIGN_BYTES + 1))
    with pytest.raises(FormatError, match="limit"):
        decode(bytes(MAX_CONTAINER_BYTES + 1))
