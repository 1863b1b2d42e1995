"""Who may do what, and hostile input: a strict registry stands the attacks, a weakened one is found out."""

import re
from importlib.resources import files as packaged
from pathlib import Path

import pytest

from hologram_dagster.attack.access import GROUPS, attack
from hologram_dagster.attack.cases import Case, wrong
from hologram_dagster.attack.mutations import MUTATIONS
from hologram_dagster.attack.sender import Sender
from hologram_dagster.ipfs.client import IpfsClient
from hologram_dagster.ipfs.node import IpfsNode
from hologram_dagster.registry.process import RegistryProcess
from hologram_dagster_tests.attack.conftest import TOKENS, Files, weakened

pytestmark = pytest.mark.phase7_security


def test_every_mutation_of_the_schema_is_tried() -> None:
    schema = packaged("hologram_dagster.registry").joinpath("schema.graphql").read_text()
    _, _, rest = schema.partition("type Mutation {")
    assert set(re.findall(r"^  ([a-zA-Z]+)\(", rest.partition("\n}")[0], re.MULTILINE)) == set(MUTATIONS)


def attack_all(url: str, sender: Sender, node: IpfsNode) -> list[Case]:
    with IpfsClient(node.api_url) as ipfs:
        return attack(url, sender, ipfs.add, TOKENS)


def test_a_strict_registry_stands_them_all(
    node: IpfsNode, files: Files, publisher: Sender, tmp_path: Path
) -> None:
    with RegistryProcess.start(
        tmp_path, ipfs_api=node.api_url, operation_keys=files.keys, tokens=files.tokens, strict=True
    ) as registry:
        cases = attack_all(registry.url, publisher, node)
        assert "Traceback" not in registry.log.read_text()
    assert wrong(cases) == []
    assert {case.group for case in cases} == set(GROUPS)


def test_an_open_registry_is_tried_without_tokens(
    node: IpfsNode, files: Files, sender: Sender, tmp_path: Path
) -> None:
    with (
        RegistryProcess.start(tmp_path, ipfs_api=node.api_url, operation_keys=files.keys) as registry,
        IpfsClient(node.api_url) as ipfs,
    ):
        cases = attack(registry.url, sender, ipfs.add, None)
    assert wrong(cases) == []
    assert {case.group for case in cases} == {"graphql", "manifests", "names"}


@pytest.mark.parametrize(
    ("weakness", "found"),
    [
        ("never_expires", "storeContent, an expired token"),
        ("anyone_writes", "unpublishApp, no token"),
        ("readers_write", "installApp, reader"),
        ("any_token_is_a_readers", "resolve, a wrong token"),
        ("searches_tell_all", "resolveByUORID, no token"),
        ("unlimited", "33 aliases"),
        ("no_manifest_checks", "wrong size"),
        ("lax_manifests", "the CID twice"),
        ("any_name", "up and over"),
        ("exact_prefix", "a publisher under SECURE/"),
    ],
)
def test_a_weakness_is_found(
    node: IpfsNode, files: Files, publisher: Sender, tmp_path: Path, weakness: str, found: str
) -> None:
    with weakened(tmp_path, node, files, weakness, tokens=True) as url:
        cases = attack_all(url, publisher, node)
    assert found in {case.name for case in wrong(cases)}
