"""Proofs are computed from an entry's facts: any changed fact or hash shows."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hologram_dagster.protocol import merkle
from hologram_dagster.protocol.canonical import sha256_hex
from hologram_dagster.protocol.content import content_id
from hologram_dagster.registry import proofs
from hologram_dagster.registry.faults import Code, RefusedError
from hologram_dagster.registry.store import Entry

pytestmark = [pytest.mark.phase9_chaos, pytest.mark.proof_chain_mandatory]

DATA = b"Hello Hologram"


def entry(name: str = "demo/object/alpha", data: bytes = DATA) -> Entry:
    return proofs.entry_for(
        name, data, protected=False, app=False, cid="QmX", manifest_cid="QmY", manifest=b'{"cid":"QmX"}'
    )


ATLAS = dict(entry().atlas)


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=8), st.binary(max_size=64))
def test_the_encoding_is_the_protocols_content_id(name: str, data: bytes) -> None:
    assert entry(name, data).encoding == content_id(name, data)
    assert proofs.is_encoding(entry(name, data).encoding)


def test_an_entry_as_published_proves_itself() -> None:
    layers = proofs.check(entry()).layers
    assert [layer.layer for layer in layers] == ["content", "atlas", "encoding", "witness"]
    assert all(layer.valid for layer in layers)
    assert len({layer.hash for layer in layers}) == 4
    assert proofs.verify(proofs.check(entry()), layers[-1].hash)


@pytest.mark.parametrize("last", ["", "0" * 64])
def test_another_hash_does_not_verify(last: str) -> None:
    assert not proofs.verify(proofs.check(entry()), last)


def test_neither_a_tampered_digit_nor_an_earlier_layer_verifies() -> None:
    hashes = [layer.hash for layer in proofs.check(entry()).layers]
    for digit in "0123456789abcdef".replace(hashes[-1][-1], ""):
        assert not proofs.verify(proofs.check(entry()), hashes[-1][:-1] + digit)
    for earlier in hashes[:-1]:
        assert not proofs.verify(proofs.check(entry()), earlier)


@pytest.mark.parametrize(
    ("change", "first_invalid"),
    [
        ({"cid": "QmZ"}, "content"),
        ({"manifest_cid": None}, "content"),
        ({"manifest": b"{}"}, "content"),
        ({"sha256": sha256_hex(b"other")}, "content"),
        ({"size": 15}, "content"),
        ({"atlas": tuple({**ATLAS, "page": (ATLAS["page"] + 1) % 48}.items())}, "atlas"),
        ({"encoding": content_id("demo/object/beta", DATA)}, "encoding"),
        ({"name": "demo/object/beta"}, "encoding"),
    ],
)
def test_an_altered_fact_makes_its_layer_and_all_after_it_invalid(
    change: dict[str, Any], first_invalid: str
) -> None:
    altered = replace(entry(), **change)
    layers = proofs.check(altered).layers
    names = [layer.layer for layer in layers]
    assert [layer.valid for layer in layers] == [name < names.index(first_invalid) for name in range(4)]
    assert not proofs.verify(proofs.check(altered), layers[-1].hash)
    with pytest.raises(RefusedError) as refused:
        proofs.proofs(proofs.check(altered))
    assert refused.value.code is Code.TAMPERED


def test_an_encoding_forged_with_its_hashes_is_still_invalid() -> None:
    forged = replace(entry(), encoding=content_id("demo/object/beta", DATA))
    forged = replace(forged, layers=tuple(proofs._hashes(forged).items()))
    assert [layer.valid for layer in proofs.check(forged).layers] == [True, True, False, True]
    assert not proofs.verify(proofs.check(forged), forged.layers[-1][1])


@pytest.mark.parametrize("kept", [0, 1, 3])
def test_a_shortened_chain_does_not_verify(kept: int) -> None:
    short = replace(entry(), layers=entry().layers[:kept])
    assert not proofs.verify(proofs.check(short), short.layers[-1][1] if kept else "")


def test_the_merkle_root_follows_from_the_witnesses() -> None:
    proof = proofs.proofs(proofs.check(entry()))
    assert len(proof.witnesses) == 3

    def above(left: str, right: str) -> str:
        return sha256_hex(f"node|{left}|{right}")

    first, second, third = proof.witnesses
    assert proof.merkle_root == above(above(first, second), above(third, third))


def test_a_layer_is_proven_to_be_in_the_tree() -> None:
    proof = proofs.proofs(proofs.check(entry()))
    leaves = [{"layer": layer.layer, "hash": layer.hash} for layer in proofs.check(entry()).layers[:-1]]
    for index, leaf in enumerate(leaves):
        assert merkle.verify(leaf, merkle.proof(leaves, index), proof.merkle_root)
    assert not merkle.verify({"layer": "content", "hash": "0"}, merkle.proof(leaves, 0), proof.merkle_root)
