"""Bundles: what DSSE and Sigstore say, read by independent libraries, and no byte of it can change."""

import base64
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from google.protobuf.json_format import ParseDict
from hypothesis import given
from hypothesis import strategies as st
from in_toto_attestation.predicates.provenance.v1.provenance_pb2 import Provenance
from in_toto_attestation.v1.statement import Statement

from hologram_dagster.errors import FormatError, SettingsError, TamperedError
from hologram_dagster.supply_chain.bundle import (
    MEDIA_TYPE,
    PAYLOAD_TYPE,
    open_bundle,
    pre_authentication_encoding,
    public_hex_of,
    public_pem,
    seal,
)
from hologram_dagster.supply_chain.statements import PROVENANCE
from hologram_dagster_tests.evidence.helpers import signer
from hologram_dagster_tests.supply_chain.statements import provenance, report, summary

pytestmark = pytest.mark.phase7_security

SIGNER = signer()
STATEMENT = summary()
BUNDLE = seal(STATEMENT, SIGNER)


def envelope(data: bytes = BUNDLE) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(data)["dsseEnvelope"]
    return content


def test_the_encoding_is_that_of_the_dsse_protocol() -> None:
    # Its own example.
    encoded = pre_authentication_encoding("http://example.com/HelloWorld", b"hello world")
    assert encoded == b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"


def test_what_was_sealed_is_opened_by_its_key_only_and_sealed_to_the_same_bytes() -> None:
    opened = open_bundle(BUNDLE, SIGNER.public_hex)
    assert (opened.statement, opened.key_id) == (STATEMENT, SIGNER.key_id)
    assert seal(STATEMENT, SIGNER) == BUNDLE
    with pytest.raises(TamperedError, match=signer(2).key_id):
        open_bundle(BUNDLE, signer(2).public_hex)


def test_it_is_a_sigstore_bundle_with_a_key() -> None:
    content = json.loads(BUNDLE)
    assert content["mediaType"] == MEDIA_TYPE
    assert base64.b64decode(content["verificationMaterial"]["publicKey"]["hint"])
    assert envelope()["payloadType"] == PAYLOAD_TYPE


@pytest.mark.parametrize("statement", [summary(), provenance(), report()])
def test_the_statements_are_what_the_in_toto_library_accepts(statement: dict[str, Any]) -> None:
    read = Statement([], "", {})
    ParseDict(statement, read.pb)
    read.validate()
    if statement["predicateType"] == PROVENANCE:
        # No unknown field, none of another type. The library's form of a summary is not that of SLSA 1.1.
        ParseDict(statement["predicate"], Provenance())


def test_every_flipped_byte_of_payload_and_signature_is_found() -> None:
    for field in ("payload", "signature"):
        content = json.loads(BUNDLE)
        sealed = content["dsseEnvelope"]
        raw = base64.b64decode(sealed["payload"] if field == "payload" else sealed["signatures"][0]["sig"])
        for index in range(len(raw)):
            changed = base64.b64encode(raw[:index] + bytes([raw[index] ^ 1]) + raw[index + 1 :]).decode()
            if field == "payload":
                sealed["payload"] = changed
            else:
                sealed["signatures"][0]["sig"] = changed
            with pytest.raises(TamperedError):
                open_bundle(json.dumps(content).encode(), SIGNER.public_hex)


@given(st.integers(0, len(BUNDLE) - 1), st.integers(1, 255))
def test_no_changed_byte_of_the_file_changes_what_is_read(index: int, difference: int) -> None:
    changed = BUNDLE[:index] + bytes([BUNDLE[index] ^ difference]) + BUNDLE[index + 1 :]
    try:
        opened = open_bundle(changed, SIGNER.public_hex)
    except (FormatError, TamperedError):
        return
    # What is not signed (names of fields we do not read, white space) may change.
    assert opened.statement == STATEMENT


@given(
    st.binary(max_size=200)
    | st.recursive(st.none() | st.text() | st.integers(), st.lists).map(lambda x: json.dumps(x).encode())
)
def test_anything_else_is_refused_as_no_bundle(data: bytes) -> None:
    with pytest.raises(FormatError):
        open_bundle(data, SIGNER.public_hex)


def test_cryptography_alone_verifies_the_envelope_from_the_published_key() -> None:
    key: Any = load_pem_public_key(public_pem(SIGNER.public_hex))
    payload = base64.b64decode(envelope()["payload"])
    signature = base64.b64decode(envelope()["signatures"][0]["sig"])
    key.verify(signature, b"DSSEv1 28 application/vnd.in-toto+json %d " % len(payload) + payload)


@pytest.mark.system("node")
def test_node_verifies_the_envelope_and_refuses_a_flipped_byte(tmp_path: Path) -> None:
    script = Path(__file__).resolve().parents[2] / "tools" / "verify_dsse.mjs"
    bundle, pem = tmp_path / "b.json", tmp_path / "public.pem"
    pem.write_bytes(public_pem(SIGNER.public_hex))

    def verified(data: bytes) -> int:
        bundle.write_bytes(data)
        return subprocess.run(
            ["node", str(script), str(bundle), str(pem)], capture_output=True, check=False
        ).returncode

    assert verified(BUNDLE) == 0
    content = json.loads(BUNDLE)
    raw = bytearray(base64.b64decode(content["dsseEnvelope"]["payload"]))
    raw[10] ^= 1
    content["dsseEnvelope"]["payload"] = base64.b64encode(raw).decode()
    assert verified(json.dumps(content).encode()) == 1


def test_the_public_key_goes_to_pem_and_back_and_others_are_refused() -> None:
    assert public_hex_of(public_pem(SIGNER.public_hex), where="x") == SIGNER.public_hex
    with pytest.raises(SettingsError, match=r"x\.pem holds no public key"):
        public_hex_of(b"nothing", where="x.pem")
