"""Ed25519 keys and signatures: who vouches for evidence.

What belongs here: making, loading and using one key, and checking a signature. What
does not: which keys are trusted (the caller says), and what is signed.
"""

import re
import stat
from collections.abc import Collection
from functools import lru_cache
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from hologram_dagster.errors import SettingsError
from hologram_dagster.files import create_whole
from hologram_dagster.protocol.canonical import sha256_hex

_PUBLIC: Final = re.compile(r"[0-9a-f]{64}")
_SIGNATURE: Final = re.compile(r"[0-9a-f]{128}")
_REMEDY: Final = "Make one with `openssl genpkey -algorithm ed25519`."


def key_id_of(public_hex: str) -> str:
    """The short name of a public key: the first 16 hex digits of the sha256 of its bytes."""
    return sha256_hex(bytes.fromhex(public_hex))[:16]


class Signer:
    """A private key that signs. `self_made` tells that we made it, and nobody gave it."""

    def __init__(self, key: Ed25519PrivateKey, *, self_made: bool = False) -> None:
        self._key = key
        self.self_made = self_made
        self.public_hex = key.public_key().public_bytes_raw().hex()
        self.key_id = key_id_of(self.public_hex)

    def __repr__(self) -> str:
        return f"Signer(key_id={self.key_id!r}, self_made={self.self_made})"

    def sign(self, data: bytes) -> str:
        """The signature over `data` as 128 hex digits."""
        return self._key.sign(data).hex()


@lru_cache(maxsize=64)
def _public_key(public_hex: str) -> Ed25519PublicKey:
    return Ed25519PublicKey.from_public_bytes(bytes.fromhex(public_hex))


def verify_signature(public_hex: str, data: bytes, signature_hex: str) -> bool:
    """Whether the key signed `data`; False for anything malformed (only lower-case hex counts)."""
    if not _PUBLIC.fullmatch(public_hex) or not _SIGNATURE.fullmatch(signature_hex):
        return False
    try:
        _public_key(public_hex).verify(bytes.fromhex(signature_hex), data)
    except (InvalidSignature, ValueError):
        return False
    return True


def signature_fault(
    *, key_id: str, public_hex: str, signature_hex: str, data: bytes, trusted: Collection[str] | None
) -> str | None:
    """What is wrong with a signature and the key named beside it; None if nothing is.

    `trusted` holds the key ids or public keys (hex) that may sign; None lets any.
    """
    if not verify_signature(public_hex, data, signature_hex):
        return "the signature does not fit the content"
    if key_id != key_id_of(public_hex):
        return "the key id is not that of the public key"
    if trusted is not None and key_id not in trusted and public_hex not in trusted:
        return f"the key {key_id} is not trusted"
    return None


def _parse(pem: bytes, source: str) -> Ed25519PrivateKey:
    try:
        key = load_pem_private_key(pem, password=None)
    except TypeError:
        raise SettingsError(
            f"The signing key in {source} is encrypted. Give it without a passphrase."
        ) from None
    except (ValueError, UnsupportedAlgorithm):
        raise SettingsError(f"{source} holds no private key in PEM form. {_REMEDY}") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise SettingsError(f"The signing key in {source} is not an Ed25519 key. {_REMEDY}")
    return key


def _read(path: Path, source: str) -> bytes:
    try:
        return path.read_bytes()
    except (OSError, ValueError) as error:
        # The value is not shown: a key pasted without its PEM frame would be in it.
        reason = (error.strerror if isinstance(error, OSError) else None) or "not a path"
        raise SettingsError(
            f"{source} is neither PEM text nor the path of a readable file ({reason}). {_REMEDY}"
        ) from None


def _given(value: str) -> Ed25519PrivateKey:
    source = "HOLOGRAM_SIGNING_KEY"
    if "-----BEGIN" in value:
        # Many secret stores write a multi-line value with literal \n.
        return _parse(value.replace("\\n", "\n").encode(), source)
    return _parse(_read(Path(value).expanduser(), source), source)


def _own(path: Path) -> Ed25519PrivateKey:
    if not path.exists():
        key = Ed25519PrivateKey.generate()
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        try:
            create_whole(path, pem, mode=0o600)
        except FileExistsError:
            # Another process was first; its key is the one.
            pass
        else:
            return key
    pem = _read(path, str(path))
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise SettingsError(
            f"The signing key {path} can be read by others. "
            f"Run `chmod 600` on it, or delete it so that a new one is made."
        )
    return _parse(pem, str(path))


def load_or_create_signer(path: Path, given: str | None) -> Signer:
    """The signer to use: the key `given` (PEM text or the path of it), else our own.

    Our own is at `path`; it is made on first use, readable by the owner only, and its
    signer is marked `self_made`. Processes that start at once agree on one key.

    Raises:
        SettingsError: a key is malformed, of another kind, encrypted, or (our own)
            readable by others. The text never holds any of the key.
        HologramError: the new key cannot be written.
    """
    if given:
        return Signer(_given(given))
    return Signer(_own(path), self_made=True)
