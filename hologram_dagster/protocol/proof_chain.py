"""The mandatory proof of contract section 5.1, with a real signature.

The hashes are exactly the contract's. What differs is the signature: today's is a hash
with a public constant that anyone can mint and that an honest proof fails a second
later; ours is Ed25519 over hash, order-keeping hash and timestamp, and checking it
needs no clock.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from enum import StrEnum
from typing import Any, Final, NamedTuple

from hologram_dagster.errors import FormatError
from hologram_dagster.protocol.canonical import ccm_ordered, sha256_hex
from hologram_dagster.protocol.signing import Signer, signature_fault

FIELD: Final = "proof_chain"
VALIDATOR: Final = "hologram_proof_validator"
CHAIN_VALIDATOR: Final = "hologram_chain_validator"

_PROOF_FIELDS: Final[Mapping[str, type]] = {
    "hash": str,
    "timestamp": int,
    "signature": str,
    "validator": str,
    "key_id": str,
    "public_key": str,
    "order_hash": str,
}
_CHAIN_FIELDS: Final[Mapping[str, type]] = {
    "chain_hash": str,
    "timestamp": int,
    "signature": str,
    "validator": str,
    "key_id": str,
    "public_key": str,
    "block_count": int,
}


class Flaw(StrEnum):
    """What can be wrong with a proof."""

    MISSING = "missing_proof"
    MALFORMED = "malformed"
    MISMATCH = "hash_mismatch"
    SIGNATURE = "bad_signature"


class Fault(NamedTuple):
    """Why a proof does not hold: which flaw, and one sentence."""

    flaw: Flaw
    why: str


def _without_proof(obj: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in obj.items() if key != FIELD}


def _sorted_json_hash(obj: Mapping[str, Any]) -> str:
    # Python's default separators and ASCII escapes are part of the contract.
    try:
        return sha256_hex(json.dumps(obj, sort_keys=True, allow_nan=False))
    except (TypeError, ValueError, RecursionError) as error:
        raise FormatError(f"the object cannot be written as JSON: {error}.") from None


def content_hash(obj: Mapping[str, Any]) -> str:
    """The contract's hash of an object without its proof, as 64 hex digits.

    Raises:
        FormatError: it cannot be written as JSON.
    """
    return _sorted_json_hash(_without_proof(obj))


def order_hash(obj: Mapping[str, Any]) -> str:
    """The order-keeping canonical hash of an object without its proof.

    Raises:
        FormatError: it is no JSON value (see `canonical.stable_ordered`).
    """
    return ccm_ordered(_without_proof(obj), "proof_chain.order")


def _message(proof: Mapping[str, Any]) -> bytes:
    return f"{VALIDATOR}|v1|{proof['hash']}|{proof['order_hash']}|{proof['timestamp']}".encode()


def _chain_message(proof: Mapping[str, Any]) -> bytes:
    return f"{CHAIN_VALIDATOR}|v1|{proof['chain_hash']}|{proof['block_count']}|{proof['timestamp']}".encode()


def _form_fault(proof: object, fields: Mapping[str, type], validator: str) -> str | None:
    if not isinstance(proof, Mapping):
        return "there is no proof"
    if proof.keys() != fields.keys():
        odd = sorted(map(str, proof.keys() ^ fields.keys()))
        return f"the proof lacks or should not have: {', '.join(odd)}"
    for name, kind in fields.items():
        if type(proof[name]) is not kind:
            return f"the proof's {name} is not a {kind.__name__}"
    if proof["validator"] != validator:
        return f"the proof's validator is not {validator}"
    return None


def _signature_fault(proof: Mapping[str, Any], data: bytes, trusted: Collection[str] | None) -> str | None:
    return signature_fault(
        key_id=proof["key_id"],
        public_hex=proof["public_key"],
        signature_hex=proof["signature"],
        data=data,
        trusted=trusted,
    )


def attach(obj: Mapping[str, Any], signer: Signer, *, now: int) -> dict[str, Any]:
    """A copy of `obj` with its proof, signed at `now` (whole epoch seconds).

    A proof it already has is replaced; the hashes are over the content alone.

    Raises:
        FormatError: it is no JSON object.
    """
    proof: dict[str, Any] = {
        "hash": content_hash(obj),
        "timestamp": now,
        "signature": "",
        "validator": VALIDATOR,
        "key_id": signer.key_id,
        "public_key": signer.public_hex,
        "order_hash": order_hash(obj),
    }
    proof["signature"] = signer.sign(_message(proof))
    return {**_without_proof(obj), FIELD: proof}


def check(obj: Mapping[str, Any], *, trusted: Collection[str] | None = None) -> str | None:
    """Why the proof of `obj` does not hold; None if it does. Reads no clock, never raises.

    `trusted` holds the key ids or public keys (hex) that may sign; None lets any.
    """
    found = fault(obj, trusted=trusted)
    return None if found is None else found.why


def fault(obj: Mapping[str, Any], *, trusted: Collection[str] | None = None) -> Fault | None:
    """`check`, with the flaw named."""
    proof = obj.get(FIELD)
    if not isinstance(proof, Mapping):
        return Fault(Flaw.MISSING, "there is no proof")
    if form := _form_fault(proof, _PROOF_FIELDS, VALIDATOR):
        return Fault(Flaw.MALFORMED, form)
    try:
        if content_hash(obj) != proof["hash"]:
            return Fault(Flaw.MISMATCH, "the content is not what was hashed")
        if order_hash(obj) != proof["order_hash"]:
            return Fault(Flaw.MISMATCH, "the content is not in the order that was hashed")
    except FormatError as error:
        return Fault(Flaw.MALFORMED, str(error))
    signature = _signature_fault(proof, _message(proof), trusted)
    return None if signature is None else Fault(Flaw.SIGNATURE, signature)


def chain_hash(blocks: Sequence[Mapping[str, Any]]) -> str:
    """The contract's hash over blocks: sha256 of their hex digests, one after another.

    Raises:
        FormatError: a block cannot be written as JSON.
    """
    return sha256_hex("".join(map(_sorted_json_hash, blocks)))


def prove_chain(blocks: Sequence[Mapping[str, Any]], signer: Signer, *, now: int) -> dict[str, Any]:
    """The proof over a chain of blocks, signed at `now` (whole epoch seconds).

    Raises:
        FormatError: a block cannot be written as JSON.
    """
    proof: dict[str, Any] = {
        "chain_hash": chain_hash(blocks),
        "timestamp": now,
        "signature": "",
        "validator": CHAIN_VALIDATOR,
        "key_id": signer.key_id,
        "public_key": signer.public_hex,
        "block_count": len(blocks),
    }
    proof["signature"] = signer.sign(_chain_message(proof))
    return proof


def check_chain(
    blocks: Sequence[Mapping[str, Any]], proof: object, *, trusted: Collection[str] | None = None
) -> str | None:
    """Why `proof` does not hold for these blocks; None if it does. `trusted` as for `check`."""
    if (fault := _form_fault(proof, _CHAIN_FIELDS, CHAIN_VALIDATOR)) or not isinstance(proof, Mapping):
        return fault
    if proof["block_count"] != len(blocks):
        return f"the proof is over {proof['block_count']} blocks, not {len(blocks)}"
    try:
        if chain_hash(blocks) != proof["chain_hash"]:
            return "the blocks are not what was hashed"
    except FormatError as error:
        return str(error)
    return _signature_fault(proof, _chain_message(proof), trusted)
