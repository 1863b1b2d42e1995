"""One real node for the folder's tests, the keys and tokens of its registries, and weakened registries."""

import secrets
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hologram_dagster.attack.access import Tokens
from hologram_dagster.attack.sender import Sender
from hologram_dagster.ipfs.node import IpfsNode
from hologram_dagster.processes import start_child, stop_child
from hologram_dagster.protocol.signing import Signer
from hologram_dagster.registry.auth import Role, write_token_file
from hologram_dagster.registry.operation_keys import KeyState, OperationKeys, write_operation_keys
from hologram_dagster.registry.operator import Operator
from hologram_dagster.registry.process import ANNOUNCEMENT

OWN, RETIRED, REVOKED = (Signer(Ed25519PrivateKey.generate()) for _ in range(3))
TOKENS = Tokens(*(secrets.token_hex(16) for _ in range(4)))


@dataclass(frozen=True, slots=True)
class Files:
    """The files of keys and of tokens that the registries are started with."""

    keys: Path
    tokens: Path
    operation_keys: OperationKeys


@pytest.fixture(scope="session")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[IpfsNode]:
    with IpfsNode.start(tmp_path_factory.mktemp("node")) as started:
        yield started


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    folder = tmp_path_factory.mktemp("keys")
    keys, tokens = folder / "keys.json", folder / "tokens.json"
    states = {
        OWN.public_hex: KeyState.ACTIVE,
        RETIRED.public_hex: KeyState.RETIRED,
        REVOKED.public_hex: KeyState.REVOKED,
    }
    write_token_file(
        tokens,
        {
            "reader": (Role.READER, TOKENS.reader),
            "publisher": (Role.PUBLISHER, TOKENS.publisher),
            "admin": (Role.ADMIN, TOKENS.admin),
            "former": (Role.ADMIN, TOKENS.expired),
        },
        mutations_need_token=True,
        expiries={"former": datetime(2001, 1, 1, tzinfo=UTC)},
    )
    return Files(keys, tokens, write_operation_keys(keys, states))


@pytest.fixture
def sender(files: Files) -> Iterator[Sender]:
    with Sender(Operator(OWN, files.operation_keys.nonce_key)) as sender:
        yield sender


@pytest.fixture
def publisher(files: Files) -> Iterator[Sender]:
    with Sender(Operator(OWN, files.operation_keys.nonce_key), TOKENS.publisher) as sender:
        yield sender


@contextmanager
def weakened(
    folder: Path, node: IpfsNode, files: Files, weakness: str, *, tokens: bool = False
) -> Iterator[str]:
    """URL of a strict registry with one weakness; with `tokens` mutations need one."""
    command = [sys.executable, "-m", "hologram_dagster_tests.attack.weak_registry", weakness]
    command += ["--port", "0", "--database", f"sqlite:///{folder / 'r.sqlite'}", "--ipfs-api", node.api_url]
    command += ["--operation-keys", str(files.keys), "--strict", "--signing-key", str(folder / "key.pem")]
    command += ["--tokens", str(files.tokens)] if tokens else []
    process = start_child(command, cwd=Path(__file__).parents[2], stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        yield process.stdout.readline().decode().strip().removeprefix(ANNOUNCEMENT)
    finally:
        stop_child(process)
