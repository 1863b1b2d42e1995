"""The embedded stack of main is strict, stands the attacks, and the gate's own operations pass it."""

import json
from datetime import UTC, datetime

import pytest

from hologram_dagster.attack.cases import Case
from hologram_dagster.evidence.judge import judge
from hologram_dagster.evidence.record import Record
from hologram_dagster.gate.attacking import GROUPS, observation_of
from hologram_dagster.observation import Status
from hologram_dagster.profiles import ACCESS, CTP96, PROFILES, PROOFS, ProfileName, apply_overrides
from hologram_dagster.settings import load_settings
from hologram_dagster_tests.evidence.helpers import NOW, identity, signer
from hologram_dagster_tests.gate.bench import Bench, MakeBench

pytestmark = pytest.mark.phase4_network


def test_a_run_of_main_publishes_to_a_strict_registry_and_attacks_it(make_bench: MakeBench) -> None:
    bench = make_bench()
    kinds = "revision,e2e_publish,e2e_install,e2e_use,ctp96_replay,proof_chain,access_control"
    done = bench.materialize(kinds, HOLOGRAM_PROFILE="main")
    assert done.returncode == 0, done.stdout + done.stderr
    for kind, fact, seen in (
        (CTP96, "replay: after a restart", "replay_detected"),
        (PROOFS, "ledger: the newest taken out", "cut_off"),
        (ACCESS, "tokens: unpublishApp, an expired token", "UNAUTHENTICATED"),
    ):
        record = json.loads(bench.record(kind).read_text())
        assert (record["status"], record["values"]["wrong"]) == ("passed", 0), record["facts"]
        assert record["values"]["cases"] > 100
        assert record["facts"][fact] == f"expected {seen}, saw {seen}"


@pytest.mark.parametrize(("strict", "status"), [("", "not_applicable"), ("1", "failed")])
def test_a_registry_that_has_no_keys(bench: Bench, strict: str, status: str) -> None:
    kinds = ",".join(("revision", *GROUPS))
    bench.materialize(kinds, HOLOGRAM_PROFILE="main", HOLOGRAM_REQUIRE_STRICT=strict)
    for kind in GROUPS:
        record = json.loads(bench.record(kind).read_text())
        assert record["status"] == status
        assert "operationSecurity" in record["findings"][0]["message"]


@pytest.mark.parametrize(("kind", "group"), [(kind, group) for kind in GROUPS for group in GROUPS[kind]])
def test_one_wrong_cell_is_red(kind: str, group: str) -> None:
    cases = [Case(each, "cell", "refused", "done" if each == group else "refused") for each in GROUPS[kind]]
    settings = load_settings()
    plan = apply_overrides(PROFILES[ProfileName.MAIN], settings)
    for table, expected in ((cases, {group}), ([case for case in cases if case.right], {group})):
        seen = observation_of(kind, datetime.now(UTC), table)
        judged = judge(Record.from_observation(seen, identity(), signer(), now=NOW), plan)
        assert {result.check for result in judged if result.status is Status.FAILED} == expected


def test_what_could_not_be_tried_is_told_and_never_green() -> None:
    left = dict.fromkeys(GROUPS[ACCESS], "the registry may not be disturbed")
    none = observation_of(ACCESS, datetime.now(UTC), [], left)
    assert none.status is Status.NOT_APPLICABLE
    tried = Case("graphql", "cell", "BAD_REQUEST", "BAD_REQUEST")
    unknown = dict.fromkeys(("tokens", "protected"), "no tokens")
    some = observation_of(ACCESS, datetime.now(UTC), [tried], unknown)
    assert {finding.name: finding.status for finding in some.findings} == {
        "tokens": Status.NOT_APPLICABLE,
        "protected": Status.NOT_APPLICABLE,
        "graphql": Status.PASSED,
        "manifests": Status.FAILED,
        "names": Status.FAILED,
    }
