"""The attacks of CTP-96: a strict registry stands them all, and a weakened one is found out."""

from pathlib import Path

import pytest

from hologram_dagster.attack.cases import wrong
from hologram_dagster.attack.ctp96 import GROUPS, Target, attack
from hologram_dagster.attack.sender import Sender
from hologram_dagster.gate import attacked
from hologram_dagster.ipfs.node import IpfsNode
from hologram_dagster.registry.process import RegistryProcess
from hologram_dagster_tests.attack.conftest import OWN, Files, weakened

pytestmark = pytest.mark.phase4_network


def test_two_strict_registries_stand_them_all(node: IpfsNode, tmp_path: Path) -> None:
    with (
        attacked.regions(tmp_path / "two", node.api_url, OWN) as (target, operator),
        Sender(operator) as sender,
    ):
        cases = attack(target, sender)
    assert wrong(cases) == []
    assert {case.group for case in cases} == set(GROUPS)
    assert {"on the other region", "after 1001 nonces", "after 100000 nonces", "after a restart"} <= {
        case.name for case in cases
    }
    assert not (tmp_path / "two").exists()


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
