"""Bills of materials: strictly valid, the same bytes twice, and no hash that is not an artifact's."""

import json
from typing import Any

import pytest

from hologram_dagster.gate.vouching import own_lock
from hologram_dagster.observation import Artifact, Observation, Status
from hologram_dagster.protocol.canonical import sha256_hex
from hologram_dagster.supply_chain.bom import RECORD_DIGEST, components_in, gate_bom, schema_fault, target_bom
from hologram_dagster.supply_chain.locks import Lock, Locked, read_lock
from hologram_dagster.supply_chain.observing import observe_sbom
from hologram_dagster_tests.supply_chain.test_locks import NPM, REQUIREMENTS

pytestmark = pytest.mark.phase7_security

COMMIT, TREE = "c" * 40, "d" * 40
LOCKS = [
    Lock("package-lock.json", "1" * 64, read_lock("package-lock.json", NPM.encode())),
    Lock("requirements.lock", "2" * 64, read_lock("requirements.lock", REQUIREMENTS.encode())),
]


def bill(packages: Any = LOCKS[1].packages) -> bytes:
    return target_bom("app", commit=COMMIT, tree=TREE, locked=packages)


@pytest.fixture(scope="module")
def own() -> bytes:
    return gate_bom(own_lock())


def test_a_targets_bill_is_strictly_valid_and_holds_what_is_locked() -> None:
    data = bill([*LOCKS[0].packages, *LOCKS[1].packages])
    assert schema_fault(data) is None
    content = json.loads(data)
    assert (content["specVersion"], content["metadata"]["component"]["version"]) == ("1.6", COMMIT)
    hashes = {
        each["purl"]: [h["content"][:1] for h in each.get("hashes", [])] for each in content["components"]
    }
    assert hashes == {
        "pkg:npm/%40scope/a@1.2.3": ["0"],
        "pkg:npm/c@2.0.0": [],
        "pkg:pypi/colorama@0.4.6": ["a"],
        "pkg:pypi/flask-login@0.6.3": ["a", "b"],
        "pkg:pypi/unpinned": [],
    }
    assert components_in(data) == (5, 3)


def test_it_is_the_same_bytes_when_made_again() -> None:
    assert bill() == bill()
    assert bill() != target_bom("app", commit=COMMIT, tree="e" * 40, locked=LOCKS[1].packages)


def test_the_strict_schema_refuses_what_is_broken() -> None:
    content = json.loads(bill())
    content["components"][0]["type"] = "nonsense"
    assert schema_fault(json.dumps(content).encode())
    content = json.loads(bill())
    content["components"][0]["unknown"] = "x"
    assert schema_fault(json.dumps(content).encode())
    assert schema_fault(b"{")


def test_nearly_all_of_the_gates_own_components_have_the_hashes_of_its_lock(own: bytes) -> None:
    assert schema_fault(own) is None
    count, hashed = components_in(own)
    assert count > 100
    assert hashed >= 0.95 * count
    pinned = {(item.name, item.version): set(item.hashes) for item in own_lock()}
    for component in json.loads(own)["components"]:
        allowed = pinned.get(
            (component["name"].lower().replace("_", "-").replace(".", "-"), component["version"]), set()
        )
        for each in component.get("hashes", []):
            assert f"sha256:{each['content']}" in allowed, component["name"]


def test_what_an_installation_records_is_a_property_and_no_path_of_this_machine_is_in_it(own: bytes) -> None:
    dagster = next(each for each in json.loads(own)["components"] if each["name"] == "dagster")
    digests = [each["value"] for each in dagster["properties"] if each["name"] == RECORD_DIGEST]
    assert len(digests) == 1
    assert digests[0] not in {each["content"] for each in dagster["hashes"]}
    assert b"file:" not in own


def test_another_version_than_the_locked_one_gets_no_hash() -> None:
    stale = [Locked("pypi", "dagster", "0.0.1", ("sha256:" + "a" * 64,))]
    assert components_in(gate_bom(stale))[1] == 0


def observe(**changes: Any) -> tuple[Observation, dict[str, bytes]]:
    kept: dict[str, bytes] = {}

    def keep(name: str, data: bytes) -> Artifact:
        kept[name] = data
        return Artifact(f"memory:{name}", sha256_hex(data))

    given = {"locks": lambda: LOCKS, "target": bill, "gate": bill, **changes}
    return observe_sbom(given["locks"], given["target"], given["gate"], keep), kept


def findings(seen: Observation) -> dict[str, Status]:
    return {finding.name: finding.status for finding in seen.findings}


def test_what_is_well_is_observed_and_kept() -> None:
    seen, kept = observe()
    assert seen.status is Status.PASSED
    assert set(findings(seen).values()) == {Status.PASSED}
    assert (seen.values["target_components"], seen.values["target_hashed_pct"]) == (5, 60)
    assert seen.facts["locks"] == "package-lock.json, requirements.lock"
    assert [artifact.sha256 for artifact in seen.artifacts] == [sha256_hex(data) for data in kept.values()]


def test_without_a_lock_there_is_no_share() -> None:
    seen, _ = observe(locks=list)
    assert seen.status is Status.PASSED
    assert seen.values["target_components"] == 0
    assert "target_hashed_pct" not in seen.values


def test_a_bill_that_changes_is_seen() -> None:
    made: list[bytes] = []

    def changing() -> bytes:
        made.append(b"")
        return target_bom("app", commit=COMMIT, tree=f"{len(made):040d}", locked=[])

    seen, _ = observe(gate=changing)
    assert (seen.status, findings(seen)["reproducible"]) == (Status.FAILED, Status.FAILED)


def test_a_bill_that_is_not_valid_is_seen_and_not_kept() -> None:
    seen, kept = observe(
        target=lambda _: b'{"bomFormat": "CycloneDX", "specVersion": "1.6", "version": "one"}'
    )
    assert (seen.status, findings(seen)["strict_valid"]) == (Status.FAILED, Status.FAILED)
    assert set(kept) == {"gate.cdx.json"}


def test_a_lock_that_cannot_be_read_is_the_revisions_fault() -> None:
    seen, _ = observe(locks=lambda: read_lock("uv.lock", b"["))
    assert (seen.status, findings(seen)) == (Status.FAILED, {"locks_read": Status.FAILED})
