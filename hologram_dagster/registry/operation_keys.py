"""Whose operations a registry takes: the file of keys that registry and clients share.

What belongs here: the file's form, and what each key may. What does not: checking an operation
(`guard`). `nonce_key` is a secret that all clients hold; it keeps who has none of the keys from
making nonces. Who did what is told by the Ed25519 keys, each with its state: `active` signs,
`retired` verifies what it has signed and signs no more, `revoked` vouches for nothing.
"""

import json
import re
import secrets
from collections.abc import Iterable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from hologram_dagster.errors import FormatError, HologramError
from hologram_dagster.files import write_whole
from hologram_dagster.protocol.signing import key_id_of

_HEX_32_BYTES = r"^[0-9a-f]{64}$"


class KeyState(StrEnum):
    """What a key may."""

    ACTIVE = "active"
    RETIRED = "retired"
    REVOKED = "revoked"


class _Key(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    public_key: str = Field(pattern=_HEX_32_BYTES)
    state: KeyState = KeyState.ACTIVE


class _KeyFile(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: Literal[1]
    nonce_key: SecretStr
    keys: list[_Key] = Field(min_length=1)


class OperationKeys:
    """The key of nonces (32 bytes), and the state of each key that may sign, or once might."""

    def __init__(self, nonce_key: bytes, states: Mapping[str, KeyState]) -> None:
        self.nonce_key = nonce_key
        self._states = {key_id_of(public): (public, state) for public, state in states.items()}

    def __repr__(self) -> str:
        return f"OperationKeys({ {key: str(state) for key, (_, state) in self._states.items()} })"

    def state_of(self, public_hex: str) -> KeyState | None:
        """The state of a public key (hex); None for a stranger's."""
        known, state = self._states.get(key_id_of(public_hex), (None, None))
        return state if known == public_hex else None


def load_operation_keys(path: Path) -> OperationKeys:
    """Read a file of keys.

    Raises:
        HologramError: it cannot be read, or others than its owner can read it.
        FormatError: it is no such file; says where, never shows a key.
    """
    try:
        if path.stat().st_mode & 0o077:
            raise HologramError(f"others can read the keys in {path}: run `chmod 600 {path}`.")
        file = _KeyFile.model_validate_json(path.read_bytes())
        nonce_key = file.nonce_key.get_secret_value()
        if not re.fullmatch(_HEX_32_BYTES, nonce_key):
            raise FormatError(f"{path}: nonce_key is not 64 hex digits; `openssl rand -hex 32` makes one.")
    except OSError as error:
        raise HologramError(f"cannot read the operation keys {path}: {error.strerror}.") from error
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
        raise FormatError(f"{path} is no file of operation keys: {faults}.") from None
    return OperationKeys(bytes.fromhex(nonce_key), {key.public_key: key.state for key in file.keys})


def write_operation_keys(
    path: Path, states: Mapping[str, KeyState] | Iterable[str], *, nonce_key: bytes | None = None
) -> OperationKeys:
    """Write a file of keys (0600): public keys (hex) with their states (default: active).

    `nonce_key` None makes a new one.

    Raises:
        HologramError: the file cannot be written.
    """
    given = states if isinstance(states, Mapping) else dict.fromkeys(states, KeyState.ACTIVE)
    keys = OperationKeys(secrets.token_bytes(32) if nonce_key is None else nonce_key, given)
    document = {
        "schema_version": 1,
        "nonce_key": keys.nonce_key.hex(),
        "keys": [{"public_key": public, "state": str(state)} for public, state in given.items()],
    }
    write_whole(path, json.dumps(document, indent=2) + "\n", mode=0o600)
    return keys
