"""The attacks on proof chains: a strict registry stands them all, and a weakened one is found out."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from hologram_dagster.attack import ledgers
from hologram_dagster.attack.cases import wrong
from hologram_dagster.attack.proofs import GROUPS, Target, attack
from hologram_dagster.attack.sender import Sender
from hologram_dagster.errors import ServiceError
from hologram_dagster.ipfs.node import IpfsNode
from hologram_dagster.protocol.ledger_entry import LedgerError
from hologram_dagster.registry.journal import verify
from hologram_dagster.registry.process import RegistryProcess
from hologram_dagster_tests.attack.conftest import RETIRED, REVOKED, Files, weakened

pytestmark = [pytest.mark.phase4_network, pytest.mark.proof_chain_mandatory]
FORMER = {"retired": RETIRED, "revoked": REVOKED}


def test_a_strict_registry_and_its_ledger_stand_them_all(
    node: IpfsNode, files: Files, sender: Sender, tmp_path: Path
) -> None:
    with RegistryProcess.start(
        tmp_path / "r", ipfs_api=node.api_url, operation_keys=files.keys, strict=True
    ) as registry:
        cases = attack(Target(registry.url, former=FORMER), sender)
        assert wrong(cases) == []
        assert {case.group for case in cases} == set(GROUPS)
        database = tmp_path / "r" / "registry.sqlite"
        of_ledger = ledgers.attack(database, tmp_path / "changed")
    assert wrong(of_ledger) == []
    assert len(of_ledger) >= 10
    # What does not hold from the start is no table.
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("DELETE FROM operations WHERE seq = 1")
    with pytest.raises(LedgerError, match="it is not there"):
        ledgers.attack(database, tmp_path / "again")
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("DELETE FROM operations")
    with pytest.raises(ServiceError, match="holds 0 operations"):
        ledgers.attack(database, tmp_path / "none")


def test_an_optional_registry_stands_what_it_promises(
    node: IpfsNode, files: Files, sender: Sender, tmp_path: Path
) -> None:
    with RegistryProcess.start(tmp_path, ipfs_api=node.api_url, operation_keys=files.keys) as registry:
        cases = attack(Target(registry.url, strict=False, former=FORMER), sender)
        assert wrong(cases) == []
        # Held to more than it promises, it is found out.
        strict = attack(Target(registry.url), sender)
    assert "upsertObject, no proof" in {case.name for case in wrong(strict)}


@pytest.mark.parametrize(
    ("weakness", "found"),
    [
        ("needs_nothing", "storeContent, no proof"),
        ("takes_empty_proofs", "unpublishApp, an empty proof"),
        ("trusts_any_key", "publishApp"),
        ("takes_former_keys", "installApp, a revoked key"),
        ("ignores_proofs", "upsertObject, proof of other content"),
        ("proof_without_frame", "updateContent, proof of another sending"),
        ("any_chain_end", "cut after the layer content"),
    ],
)
def test_a_weakness_is_found(
    node: IpfsNode, files: Files, sender: Sender, tmp_path: Path, weakness: str, found: str
) -> None:
    with weakened(tmp_path, node, files, weakness) as url:
        cases = attack(Target(url, former=FORMER), sender)
    assert found in {case.name for case in wrong(cases)}


def test_a_ledger_that_anybody_may_write_is_found(
    node: IpfsNode, files: Files, sender: Sender, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with RegistryProcess.start(
        tmp_path / "r", ipfs_api=node.api_url, operation_keys=files.keys, strict=True
    ) as registry:
        attack(Target(registry.url, former=FORMER), sender)
    # Verified without asking who signed, and without the head that was seen before.
    monkeypatch.setattr(ledgers, "verify", lambda engine, distrust, head: verify(engine, lambda key: None))
    cases = ledgers.attack(tmp_path / "r" / "registry.sqlite", tmp_path / "changed")
    assert {case.name for case in wrong(cases)} == {
        "the newest taken out",
        "the newest signed anew by a stranger",
    }
