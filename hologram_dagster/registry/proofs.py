"""What proves an entry: its encoding, the chain of layers and their Merkle tree.

Everything is computed from the entry's own facts, when it is published and again on
each read; a fact or a hash changed in the database shows as an invalid layer. What
does not belong here: the hashes themselves (`protocol`).
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from hologram_dagster.protocol import merkle
from hologram_dagster.protocol.canonical import ccm, sha256_hex, stable_ordered
from hologram_dagster.protocol.content import atlas_metadata
from hologram_dagster.registry.faults import Code, RefusedError
from hologram_dagster.registry.store import Entry

LAYERS = ("content", "atlas", "encoding", "witness")
_ENCODING = re.compile(r"uor:sha256:[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer of a proof chain: the hash published, and whether it still follows."""

    layer: str
    hash: str
    valid: bool


@dataclass(frozen=True, slots=True)
class Proofs:
    """The Merkle root over the layers below the witness, and its leaves, in order."""

    merkle_root: str
    witnesses: tuple[str, ...]


def is_encoding(text: str) -> bool:
    """Whether `text` has the form of an encoding."""
    return _ENCODING.fullmatch(text) is not None


def encoding_of(name: str, atlas: Mapping[str, Any], data_hash: str) -> str:
    """`protocol.content.content_id`, from stored metadata and digest instead of the bytes."""
    identity = {"name": name, "atlas": dict(atlas), "dataHash": data_hash}
    return f"uor:sha256:{sha256_hex(stable_ordered(identity))}"


def entry_for(
    name: str,
    data: bytes,
    *,
    protected: bool,
    app: bool,
    cid: str,
    manifest_cid: str | None,
    manifest: bytes | None,
) -> Entry:
    """The entry of `data` under `name`, with its encoding and proofs."""
    atlas = atlas_metadata(name, data)
    digest = sha256_hex(data)
    bare = Entry(
        name=name,
        protected=protected,
        app=app,
        cid=cid,
        manifest_cid=manifest_cid,
        manifest=manifest,
        sha256=digest,
        size=len(data),
        encoding=encoding_of(name, atlas, digest),
        atlas=atlas,
        layers=(),
    )
    return replace(bare, layers=tuple(_hashes(bare).items()))


def chain(entry: Entry) -> list[Layer]:
    """The layers of `entry`, from content to witness, each hash covering the one before."""
    computed = _hashes(entry)
    encoded = entry.encoding == encoding_of(entry.name, entry.atlas, entry.sha256)
    return [
        Layer(layer, published, published == computed.get(layer) and (encoded or layer != "encoding"))
        for layer, published in entry.layers
    ]


def proofs(entry: Entry) -> Proofs:
    """The Merkle root and witnesses of `entry`.

    Raises:
        RefusedError: TAMPERED, the entry is not what was published.
    """
    if not _holds(entry):
        raise RefusedError(Code.TAMPERED, "the proof chain of this name is broken: its entry was altered.")
    leaves = _leaves(entry.layers[:-1])
    return Proofs(merkle.root(leaves), tuple(merkle.root([leaf]) for leaf in leaves))


def verify(entry: Entry, last_hash: str) -> bool:
    """Whether the chain of `entry` holds and ends in `last_hash`."""
    return _holds(entry) and entry.layers[-1][1] == last_hash


def _holds(entry: Entry) -> bool:
    layers = chain(entry)
    return tuple(layer.layer for layer in layers) == LAYERS and all(layer.valid for layer in layers)


def _leaves(hashes: Iterable[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"layer": layer, "hash": digest} for layer, digest in hashes]


def _hashes(entry: Entry) -> dict[str, str]:
    facts: dict[str, Mapping[str, Any]] = {
        "content": {
            "cid": entry.cid,
            "manifestCid": entry.manifest_cid,
            "manifestSha256": None if entry.manifest is None else sha256_hex(entry.manifest),
            "sha256": entry.sha256,
            "size": entry.size,
        },
        "atlas": entry.atlas,
        "encoding": {"name": entry.name, "encoding": entry.encoding},
    }
    hashes: dict[str, str] = {}
    previous = ""
    for layer, own in facts.items():
        previous = hashes[layer] = _hash(layer, previous, own)
    hashes["witness"] = _hash("witness", previous, {"merkleRoot": merkle.root(_leaves(hashes.items()))})
    return hashes


def _hash(layer: str, previous: str, facts: Mapping[str, Any]) -> str:
    return ccm({"layer": layer, "previous": previous, "facts": dict(facts)}, "registry.proof")
