"""The witness of a content: what anyone can recompute from its name and data (contract section 3.5)."""

from dataclasses import dataclass
from typing import Final

from hologram_dagster.protocol.atlas import encode
from hologram_dagster.protocol.klein import lattice_index, window
from hologram_dagster.protocol.r96 import CLASSES, r96
from hologram_dagster.protocol.witnesses import witnesses_of
from hologram_dagster.registry.store import Content, now

# The contract probes the first ten of the 192 windows.
_PROBED_WINDOWS: Final = 10
_COMPRESSION_RATIO: Final = CLASSES / 256
_ID_DIGITS: Final = 16


@dataclass(frozen=True, slots=True)
class KleinProbe:
    """One window at the content's lattice index: its value, and whether the window leads back."""

    window_id: int
    result: bool
    value: int


@dataclass(frozen=True, slots=True)
class R96Proof:
    """The resonance class of the data, and the one that the content states."""

    input_class: int
    output_class: int
    compression_ratio: float
    is_valid: bool


@dataclass(frozen=True, slots=True)
class ConservationProof:
    """Whether the pages and cycles of the data's Atlas state sum to 0 modulo 256, and the probes."""

    page_conservation: bool
    cycle_conservation: bool
    klein_probes: tuple[KleinProbe, ...]
    r96_classification: R96Proof


@dataclass(frozen=True, slots=True)
class Witness:
    """`proof` is the last hash of the name's proof chain, `id` begins it, the time is that of this check."""

    id: str
    proof: str
    verification_time: str
    is_valid: bool
    conservation_proof: ConservationProof


def witness_of(content: Content) -> Witness:
    """The witness of `content`, which is intact (`contents.intact`)."""
    seen = witnesses_of(encode(content.data))
    conservation = ConservationProof(
        page_conservation=not any(bytes.fromhex(seen["pageSums"])),
        cycle_conservation=not any(bytes.fromhex(seen["cycleSums"])),
        klein_probes=_probes(lattice_index(content.page, content.cycle)),
        r96_classification=_classification(content),
    )
    proof = content.entry.layers[-1][1]
    return Witness(
        id=f"witness:{proof[:_ID_DIGITS]}",
        proof=proof,
        verification_time=now(),
        is_valid=seen["stateHash"] == dict(content.entry.atlas)["conservationHash"]
        and seen["conserved"]
        and all(probe.result for probe in conservation.klein_probes)
        and conservation.r96_classification.is_valid,
        conservation_proof=conservation,
    )


def _probes(index: int) -> tuple[KleinProbe, ...]:
    probes = []
    for number in range(_PROBED_WINDOWS):
        mapped = window(number)
        value = mapped(index)
        probes.append(KleinProbe(number, mapped.inverse()(value) == index, value))
    return tuple(probes)


def _classification(content: Content) -> R96Proof:
    computed = r96(content.data)
    return R96Proof(computed, content.r96_class, _COMPRESSION_RATIO, computed == content.r96_class)
