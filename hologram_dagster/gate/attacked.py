"""Registries that are started to be attacked: strict, over a node, and removed afterwards."""

import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import insert

from hologram_dagster.attack import access, ctp96, proofs
from hologram_dagster.protocol.signing import Signer
from hologram_dagster.registry.auth import Role, write_token_file
from hologram_dagster.registry.operation_keys import KeyState, write_operation_keys
from hologram_dagster.registry.operator import Operator
from hologram_dagster.registry.process import RegistryProcess
from hologram_dagster.registry.tables import nonces, open_database


@contextmanager
def _removed(folder: Path) -> Iterator[Path]:
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def regions(folder: Path, ipfs_api: str, signer: Signer) -> Iterator[tuple[ctp96.Target, Operator]]:
    """Two on one database, the first of which can be killed and started again.

    Raises:
        HologramError: one does not start (so all of these).
    """
    path, database = folder / "keys.json", f"sqlite:///{(folder / 'shared.sqlite').absolute()}"

    def start(name: str) -> RegistryProcess:
        return RegistryProcess.start(
            folder / name, ipfs_api=ipfs_api, database=database, operation_keys=path, strict=True
        )

    with _removed(folder):
        operator = Operator(signer, write_operation_keys(path, [signer.public_hex]).nonce_key)
        with start("one") as one, start("two") as two:

            def restart() -> None:
                one.kill()
                one.restart()

            def use_up(count: int) -> None:
                _enter_nonces(database, count)

            yield ctp96.Target(one.url, two.url, restart, use_up), operator


def _enter_nonces(database: str, count: int) -> None:
    """Use `count` nonces of just now up, in one transaction: requests for them would outlast the window."""
    engine = open_database(database)
    try:
        now = int(time.time())
        with engine.begin() as connection:
            connection.execute(
                insert(nonces), [{"nonce": secrets.token_hex(24), "timestamp": now} for _ in range(count)]
            )
    finally:
        engine.dispose()


@contextmanager
def keyed(folder: Path, ipfs_api: str, signer: Signer) -> Iterator[tuple[proofs.Target, Path, Operator]]:
    """One whose file of keys has a retired and a revoked one, too; and its database file."""
    former = {state: Signer(Ed25519PrivateKey.generate()) for state in (KeyState.RETIRED, KeyState.REVOKED)}
    states = {signer.public_hex: KeyState.ACTIVE}
    states |= {signer.public_hex: state for state, signer in former.items()}
    path, database = folder / "keys.json", (folder / "registry.sqlite").absolute()
    with _removed(folder):
        operator = Operator(signer, write_operation_keys(path, states).nonce_key)
        with RegistryProcess.start(
            folder, ipfs_api=ipfs_api, database=f"sqlite:///{database}", operation_keys=path, strict=True
        ) as registry:
            target = proofs.Target(registry.url, former={str(state): key for state, key in former.items()})
            yield target, database, operator


@contextmanager
def guarded(folder: Path, ipfs_api: str, signer: Signer) -> Iterator[tuple[str, access.Tokens, Operator]]:
    """One whose mutations need a token; and a token of each role, one of which has expired."""
    roles = {"reader": Role.READER, "publisher": Role.PUBLISHER, "admin": Role.ADMIN, "expired": Role.ADMIN}
    tokens = {name: secrets.token_hex(16) for name in roles}
    path, token_file = folder / "keys.json", folder / "tokens.json"
    with _removed(folder):
        operator = Operator(signer, write_operation_keys(path, [signer.public_hex]).nonce_key)
        write_token_file(
            token_file,
            {name: (role, tokens[name]) for name, role in roles.items()},
            mutations_need_token=True,
            expiries={"expired": datetime(2001, 1, 1, tzinfo=UTC)},
        )
        with RegistryProcess.start(
            folder, ipfs_api=ipfs_api, tokens=token_file, operation_keys=path, strict=True
        ) as registry:
            yield registry.url, access.Tokens(**tokens), operator
