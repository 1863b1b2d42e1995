"""The embedded stack of main is strict, stands the attacks, and the gate's own operations pass it."""

import json
from datetime import UTC, datetime

import pytest

from hologram_dagster.attack.cases import Case
from hologram_dagster.attack.ctp96 import GROUPS
from hologram_dagster.evidence.judge import judge
from hologram_dagster.evidence.record import Record
from hologram_dagster.gate.attacking import observation_of
from hologram_dagster.observation import Status
from hologram_dagster.profiles import CTP96, PROFILES, ProfileName, apply_overrides
from hologram_dagster.settings import load_settings
from hologram_dagster_tests.evidence.helpers import NOW, identity, signer
from hologram_dagster_tests.gate.bench import Bench, MakeBench

pytestmark = pytest.mark.phase4_network


def test_a_run_of_main_publishes_to_a_strict_registry_and_attacks_it(make_bench: MakeBench) -> None:
    bench = make_bench()
    done = bench.materialize("revision,e2e_publish,e2e_install,e2e_use,ctp96_replay", HOLOGRAM_PROFILE="main")
    assert done.returncode == 0, done.stdout + done.stderr
    record = json.loads(bench.record(CTP96).read_text())
    assert (record["status"], record["values"]["wrong"]) == ("passed", 0), record["facts"]
    assert record["values"]["cases"] > 100
    assert record["facts"]["replay: after a restart"] == "expected replay_detected, saw replay_detected"


@pytest.mark.parametrize(("strict", "status"), [("", "not_applicable"), ("1", "failed")])
def test_a_registry_that_has_no_keys(bench: Bench, strict: str, status: str) -> None:
    bench.materialize("revision,ctp96_replay", HOLOGRAM_PROFILE="main", HOLOGRAM_REQUIRE_STRICT=strict)
    record = json.loads(bench.record(CTP96).read_text())
    assert record["status"] == status
    assert "operationSecurity" in record["findings"][0]["message"]


@pytest.mark.parametrize("group", GROUPS)
def test_one_wrong_cell_is_red(group: str) -> None:
    cases = [Case(each, "cell", "refused", "done" if each == group else "refused") for each in GROUPS]
    settings = load_settings()
    plan = apply_overrides(PROFILES[ProfileName.MAIN], settings)
    for table, expected in ((cases, {group}), ([case for case in cases if case.right], {group})):
        seen = observation_of(datetime.now(UTC), table, flooded=True)
        judged = judge(Record.from_observation(seen, identity(), signer(), now=NOW), plan)
        assert {result.check for result in judged if result.status is Status.FAILED} == expected
