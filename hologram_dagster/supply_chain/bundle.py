"""DSSE envelopes in Sigstore bundles, signed with the gate's own key: what cosign reads.

Formats: DSSE 1.0.2 (payload type, pre-authentication encoding), Sigstore bundle 0.3 with a
public key instead of a certificate. There is no transparency log behind a local key.
"""

import base64
import binascii
import hashlib
import json
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from hologram_dagster.errors import FormatError, SettingsError, TamperedError
from hologram_dagster.protocol.signing import Signer, key_id_of, verify_signature

PAYLOAD_TYPE = "application/vnd.in-toto+json"
MEDIA_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json"
MAX_BYTES = 16 * 2**20


@dataclass(frozen=True, slots=True)
class Opened:
    """A bundle whose signature holds: the statement, and the key (hex) that signed it."""

    statement: dict[str, Any]
    public_hex: str

    @property
    def key_id(self) -> str:
        """The short name of the key."""
        return key_id_of(self.public_hex)


def pre_authentication_encoding(payload_type: str, payload: bytes) -> bytes:
    """What a DSSE signature is over (DSSE protocol, *Signature Definition*)."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def seal(statement: dict[str, Any], signer: Signer) -> bytes:
    """`statement`, signed, as a bundle; the same bytes for the same statement and key."""
    payload = json.dumps(statement, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    signature = bytes.fromhex(signer.sign(pre_authentication_encoding(PAYLOAD_TYPE, payload)))
    content = {
        "mediaType": MEDIA_TYPE,
        "verificationMaterial": {"publicKey": {"hint": _hint(signer.public_hex)}, "tlogEntries": []},
        "dsseEnvelope": {
            "payload": base64.b64encode(payload).decode(),
            "payloadType": PAYLOAD_TYPE,
            # No `keyid`: cosign refuses any that is not the one it derives itself.
            "signatures": [{"sig": base64.b64encode(signature).decode()}],
        },
    }
    return (json.dumps(content, indent=1) + "\n").encode()


def open_bundle(data: bytes, public_hex: str) -> Opened:
    """The statement in `data`, if the key `public_hex` signed it.

    Raises:
        FormatError: it is no bundle of an in-toto statement.
        TamperedError: the key did not sign this.
    """
    try:
        envelope = json.loads(data)["dsseEnvelope"]
        kind, encoded = envelope["payloadType"], envelope["payload"]
        payload = base64.b64decode(encoded, validate=True)
        signatures = [base64.b64decode(each["sig"], validate=True).hex() for each in envelope["signatures"]]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, binascii.Error) as error:
        raise FormatError(f"not a bundle with a DSSE envelope ({type(error).__name__}: {error})") from None
    if kind != PAYLOAD_TYPE:
        raise FormatError(f"the payload is {kind!r}, not {PAYLOAD_TYPE}")
    signed = pre_authentication_encoding(kind, payload)
    if not any(verify_signature(public_hex, signed, each) for each in signatures):
        raise TamperedError(f"not signed by the key {key_id_of(public_hex)}, or changed since")
    statement = json.loads(payload)
    if not isinstance(statement, dict):
        raise FormatError("the payload is no in-toto statement")
    return Opened(statement, public_hex)


def public_pem(public_hex: str) -> bytes:
    """The public key in PEM, as cosign, slsa-verifier and openssl read it."""
    return _public_key(public_hex).public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def public_hex_of(pem: bytes, *, where: str) -> str:
    """The key in the PEM text `pem`, as hex.

    Raises:
        SettingsError: it holds no Ed25519 public key; names `where`.
    """
    try:
        key = load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm):
        raise SettingsError(f"{where} holds no public key in PEM form: give the gate's public.pem.") from None
    if not isinstance(key, Ed25519PublicKey):
        raise SettingsError(f"the key in {where} is no Ed25519 key: give the gate's public.pem.")
    return key.public_bytes_raw().hex()


def _public_key(public_hex: str) -> Ed25519PublicKey:
    return Ed25519PublicKey.from_public_bytes(bytes.fromhex(public_hex))


def _hint(public_hex: str) -> str:
    # What Sigstore's clients name a key by: the digest of its DER form.
    der = _public_key(public_hex).public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(hashlib.sha256(der).digest()).decode()
