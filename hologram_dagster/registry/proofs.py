"""What proves an entry: its encoding, the chain of layers and their Merkle tree.

Everything is computed from the entry's own facts, when it is published and again on
each read; a fact or a hash changed in the database shows as an invalid layer. What
does not belong here: the hashes themselves (`protocol`).
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from hologram_dagster.errors import HologramError
from hologram_dagster.protocol import merkle
from hologram_dagster.protocol.canonical import ccm, sha256_hex, stable_ordered
from hologram_dagster.protocol.content import atlas_metadata
from hologram_dagster.registry.faults import AlteredError, Violation
from hologram_dagster.registry.names import is_protected
from hologram_dagster.registry.store import Entry

LAYERS = ("content", "atlas", "encoding", "witness")
_ENCODING = re.compile(r"uor:sha256:[0-9a-f]{64}")
# What was computed for a row is kept, and used again for a row that is the same in every column.
_KEPT = 2_048
_KEPT_MANIFEST_BYTES = 4_096


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer of a proof chain: the hash published, and whether it still follows."""

    layer: str
    hash: str
    valid: bool


@dataclass(frozen=True, slots=True)
class Checked:
    """An entry as it was read, with its layers, and which law it breaks, how (None: it holds)."""

    entry: Entry
    layers: tuple[Layer, ...]
    fault: tuple[Violation, str] | None

    def intact(self) -> Entry:
        """The entry.

        Raises:
            AlteredError: it is not what was published.
        """
        if self.fault is not None:
            raise AlteredError(self.entry.name, self.entry.encoding, *self.fault)
        return self.entry


@dataclass(frozen=True, slots=True)
class Proofs:
    """The Merkle root over the layers below the witness, and its leaves, in order."""

    merkle_root: str
    witnesses: tuple[str, ...]


def is_encoding(text: str) -> bool:
    """Whether `text` has the form of an encoding."""
    return _ENCODING.fullmatch(text) is not None


def encoding_of(name: str, atlas: Iterable[tuple[str, Any]], data_hash: str) -> str:
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
    atlas = tuple(atlas_metadata(name, data).items())
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


def check(entry: Entry) -> Checked:
    """`entry` with its layers, from content to witness, each hash covering the one before."""
    if entry.manifest is not None and len(entry.manifest) > _KEPT_MANIFEST_BYTES:
        return _check(entry)
    return _check_kept(entry)


def _check(entry: Entry) -> Checked:
    try:
        computed = _hashes(entry)
        encoded = entry.encoding == encoding_of(entry.name, entry.atlas, entry.sha256)
    except (HologramError, TypeError, ValueError):
        # A column of a type that has no canonical form.
        computed, encoded = {}, False
    layers = tuple(
        Layer(layer, published, published == computed.get(layer) and (encoded or layer != "encoding"))
        for layer, published in entry.layers
    )
    return Checked(entry, layers, _fault_of(entry, layers, encoded=encoded))


_check_kept = lru_cache(_KEPT)(_check)


def _fault_of(entry: Entry, layers: tuple[Layer, ...], *, encoded: bool) -> tuple[Violation, str] | None:
    if not encoded:
        return (Violation.BIJECTION, "its encoding is not that of its name, metadata and data")
    if tuple(layer.layer for layer in layers) != LAYERS:
        return (Violation.CONSERVATION, "its proof chain is not complete")
    for layer in layers:
        if not layer.valid:
            return (Violation.CONSERVATION, f"layer {layer.layer} of its proof chain does not follow")
    if bool(entry.protected) != is_protected(entry.name):
        return (Violation.CONSERVATION, "its name is not as protected as it says")
    return None


@lru_cache(_KEPT)
def _proofs_of(layers: tuple[Layer, ...]) -> Proofs:
    leaves = _leaves((layer.layer, layer.hash) for layer in layers[:-1])
    return Proofs(merkle.root(leaves), tuple(merkle.root([leaf]) for leaf in leaves))


def proofs(checked: Checked) -> Proofs:
    """The Merkle root and witnesses of an entry.

    Raises:
        AlteredError: the entry is not what was published.
    """
    checked.intact()
    return _proofs_of(checked.layers)


def verify(checked: Checked, last_hash: str) -> bool:
    """Whether the chain of an entry holds and ends in `last_hash`."""
    return checked.fault is None and checked.layers[-1].hash == last_hash


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
        "atlas": dict(entry.atlas),
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
