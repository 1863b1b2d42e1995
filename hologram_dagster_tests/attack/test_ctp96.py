"""The attacks of CTP-96: a strict registry stands them all, and a weakened one is found out."""

from pathlib import Path

import pytest

from hologram_dagster.attack.cases import wrong
from hologram_dagster.attack.ctp96 import GROUPS, Target, attack
from hologram_dagster.attack.sender import Sender
from hologram_dagster.ipfs.node import IpfsNode
from hologram_dagster.registry.process import RegistryProcess
from hologram_dagster_tests.attack.conftest import Files, weakened

pytestmark = pytest.mark.phase4_network


def stand_all(node: IpfsNode, files: Files, sender: Sender, folder: Path, nonces: int) -> None:
    database = f"sqlite:///{folder / 'shared.sqlite'}"

    def start(name: str) -> RegistryProcess:
        return RegistryProcess.start(
            folder / name, ipfs_api=node.api_url, database=database, operation_keys=files.keys, strict=True
        )

    def restart() -> None:
        one.kill()
        one.restart()

    with start("one") as one, start("two") as two:
        cases = attack(Target(one.url, two.url, restart), sender, nonces=nonces)
    assert wrong(cases) == []
    assert {case.group for case in cases} == set(GROUPS)


def test_a_strict_registry_stands_them_all(
    node: IpfsNode, files: Files, sender: Sender, tmp_path: Path
) -> None:
    stand_all(node, files, sender, tmp_path, 1_001)


@pytest.mark.study
@pytest.mark.timeout(3600)
def test_it_stands_them_after_100_000_nonces(
    node: IpfsNode, files: Files, sender: Sender, tmp_path: Path
) -> None:
    stand_all(node, files, sender, tmp_path, 100_000)


def test_an_optional_registry_stands_what_it_promises(
    node: IpfsNode, files: Files, sender: Sender, tmp_path: Path
) -> None:
    with RegistryProcess.start(tmp_path, ipfs_api=node.api_url, operation_keys=files.keys) as registry:
        cases = attack(Target(registry.url, strict=False), sender, nonces=3, flood=False)
        assert wrong(cases) == []
        # Held to more than it promises, it is found out.
        strict = attack(Target(registry.url), sender, nonces=3, flood=False)
    assert {"without extensions", "90 s in the future"} <= {case.name for case in wrong(strict)}


@pytest.mark.parametrize(
    ("weakness", "found"),
    [
        ("records_nothing", "at once"),
        ("forgets_after_1000", "after 1001 nonces"),
        ("needs_nothing", "without extensions"),
        ("ignores_the_body", "variables.c"),
        ("ignores_proofs", "signed by a stranger"),
        ("trusts_any_key", "signed by a stranger"),
        ("records_before_it_checks", "the genuine one after variables.c"),
        ("sorts_arrays", "variables.tags"),
        ("has_no_window", "90 s in the future"),
        ("takes_contract_nonces", "a nonce that anyone can make"),
        ("checks_then_adds", "16 copies at once, 1"),
        ("proof_without_frame", "a proof of another sending"),
    ],
)
def test_a_weakness_is_found(
    node: IpfsNode,
    files: Files,
    sender: Sender,
    tmp_path: Path,
    weakness: str,
    found: str,
) -> None:
    with weakened(tmp_path, node, files, weakness) as url:
        many = 1_001 if weakness == "forgets_after_1000" else 3
        cases = attack(Target(url), sender, nonces=many, flood=False)
    assert found in {case.name for case in wrong(cases)}
