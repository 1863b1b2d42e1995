"""Statements say what was judged, by which plan, from which evidence, and claim no more than holds."""

import json
from dataclasses import replace

import pytest

from hologram_dagster.evidence.document import Word
from hologram_dagster.evidence.judge import judge
from hologram_dagster.evidence.record import Record
from hologram_dagster.observation import Artifact, Status
from hologram_dagster.profiles import ProfileName
from hologram_dagster.supply_chain.observing import observe_provenance
from hologram_dagster.supply_chain.statements import (
    PROVENANCE,
    STATEMENT,
    SUMMARY,
    revision_digest,
    revision_uri,
)
from hologram_dagster_tests.evidence.helpers import NOW, REVISION, identity, observation, plan_of, signer
from hologram_dagster_tests.supply_chain.statements import EVIDENCE, provenance, report, summary

pytestmark = pytest.mark.phase7_security


def test_provenance_names_commit_locks_and_evidence_as_materials() -> None:
    stated = provenance()
    assert (stated["_type"], stated["predicateType"]) == (STATEMENT, PROVENANCE)
    assert stated["subject"] == [{"name": "revision", "digest": {"gitTree": "b" * 40, "gitCommit": "a" * 40}}]
    materials = stated["predicate"]["buildDefinition"]["resolvedDependencies"]
    assert [each.get("uri", each.get("name")) for each in materials] == [
        "swh:1:rev:" + "a" * 40,
        *("requirements.lock", "pkg:pypi/one@1", "pkg:pypi/two@2"),
        *("evidence/perf_gql", "evidence/verdict"),
    ]
    assert materials[2]["digest"] == {"sha256": "3" * 64}
    # One of two artifacts: which, only the lock's own digest can say.
    assert "digest" not in materials[3]


def test_uncommitted_files_have_a_tree_and_no_commit() -> None:
    dirty = replace(REVISION, dirty=True)
    assert revision_digest(dirty) == {"gitTree": "b" * 40}
    assert revision_uri(dirty) == "swh:1:dir:" + "b" * 40


@pytest.mark.parametrize("word", Word)
def test_only_a_pass_is_passed_and_has_levels(word: Word) -> None:
    stated = summary(word)
    predicate = stated["predicate"]
    assert stated["predicateType"] == SUMMARY
    passed = word is Word.PASS
    assert predicate["verificationResult"] == ("PASSED" if passed else "FAILED")
    assert predicate["verifiedLevels"] == (["HOLOGRAM_MAIN", "SLSA_BUILD_LEVEL_1"] if passed else ["FAILED"])
    assert predicate["hologram_verdict"]["verdict"] == word
    assert {each["digest"]["sha256"] for each in predicate["inputAttestations"]} == {"1" * 64, "2" * 64}


def test_no_statement_names_a_path_or_host_of_this_machine() -> None:
    for stated in (summary(), provenance(), report()):
        assert "/tmp" not in json.dumps(stated)
        assert "file://" not in json.dumps(stated)


def test_provenance_without_some_evidence_is_seen_and_red() -> None:
    def keep(name: str, data: bytes) -> Artifact:
        return Artifact(f"memory:{name}", "8" * 64)

    def red(*required: str) -> list[str]:
        seen = observe_provenance(lambda: b"", keep, required=required, locks=[], evidence=EVIDENCE)
        record = Record.from_observation(seen, identity(), signer(), now=NOW)
        return [result.message for result in judge(record, plan_of(ProfileName.MAIN)) if result.red]

    assert red("perf_gql") == []
    assert red("perf_gql", "e2e_use") == ["without the evidence e2e_use"]


@pytest.mark.parametrize("level", ["SLSA_BUILD_LEVEL_2", "SLSA_BUILD_LEVEL_3", ""])
def test_a_level_that_a_local_key_does_not_make_is_red(level: str) -> None:
    def red(facts: dict[str, str]) -> list[str]:
        seen = replace(observation("provenance"), facts=facts)
        record = Record.from_observation(seen, identity(), signer(), now=NOW)
        judged = judge(record, plan_of(ProfileName.MAIN))
        return [result.check for result in judged if result.status is not Status.PASSED]

    assert red({"level": "SLSA_BUILD_LEVEL_1"}) == []
    assert red({"level": level}) == ["level_holds"]
    assert red({}) == ["level_holds"]
