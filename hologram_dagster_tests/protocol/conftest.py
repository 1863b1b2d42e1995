"""Two fixed keys, so that a failing example can be run again."""

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hologram_dagster.protocol.signing import Signer


@pytest.fixture(scope="package")
def signer() -> Signer:
    return Signer(Ed25519PrivateKey.from_private_bytes(bytes(range(32))))


@pytest.fixture(scope="package")
def stranger() -> Signer:
    return Signer(Ed25519PrivateKey.from_private_bytes(bytes(range(32, 64))))
