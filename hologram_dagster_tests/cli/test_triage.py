"""`hologram triage`, `hologram badge`: what the installed commands say after a run, and without one."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from hologram_dagster.evidence.archive import Evidence
from hologram_dagster.files import write_whole
from hologram_dagster.observation import Status
from hologram_dagster.profiles import PROFILES, ProfileName, apply_overrides
from hologram_dagster.protocol.signing import load_or_create_signer
from hologram_dagster.settings import load_settings
from hologram_dagster.target.revision import read_revision
from hologram_dagster_tests.evidence.helpers import conclude_run, observation, run_of, with_finding
from hologram_dagster_tests.gate.bench import Bench

pytestmark = pytest.mark.phase0_ready


def ran(bench: Bench, *, red: str = "") -> None:
    """A run with all evidence, of which `red` failed its first step, published as a run publishes it."""
    key = load_or_create_signer(bench.folder / ".hologram" / "keys" / "ed25519.pem", None)
    evidence = Evidence(bench.evidence, signer=key)
    now = datetime.now(UTC)
    run = run_of(revision=read_revision(bench.folder), started_at=now)
    evidence.start_run(run)
    for kind in run.required:
        seen = observation(kind, at=now)
        if kind == red:
            seen = with_finding(seen, "resolve", Status.FAILED, "the registry knows another CID")
        evidence.add(seen, run.identity)
    verdict = conclude_run(evidence, run)
    write_whole(bench.reports / "verdict.json", json.dumps(verdict.to_json()))


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench.make(tmp_path / "repository")


def test_a_red_run_is_told_with_cause_last_good_step_runbook_and_command(bench: Bench) -> None:
    ran(bench, red="e2e_use")
    told = bench.hologram("triage")
    assert told.returncode == 1, told.stderr
    for words in (
        "FAIL: run run-1",
        "last good step: e2e_install",
        "the registry knows another CID",
        "docs/red_build_runbook.md#end-to-end",
        "hologram gate --profile dev",
    ):
        assert words in told.stdout
    document = json.loads(bench.hologram("triage", "run-1", "--json").stdout)
    assert document["last_good_step"] == "e2e_install"
    assert {trouble["kind"] for trouble in document["troubles"]} == {"e2e_use"}
    assert bench.hologram("triage", "run-2").returncode == 4


def test_a_green_run_and_none_at_all(bench: Bench) -> None:
    none = bench.hologram("triage")
    assert (none.returncode, "Run hologram gate" in none.stderr) == (4, True)
    ran(bench)
    green = bench.hologram("triage")
    assert (green.returncode, "nothing is red" in green.stdout) == (0, True)


def test_the_badge_has_five_forms_of_one_word(bench: Bench) -> None:
    assert json.loads(bench.hologram("badge", "json").stdout)["status"] == "unknown"
    ran(bench)
    assert json.loads(bench.hologram("badge", "json").stdout)["status"] == "pass"
    assert "Hologram Pipeline: PASS" in bench.hologram("badge", "html").stdout
    assert bench.hologram("badge", "markdown").stdout.startswith("![Hologram Pipeline]")
    endpoint = json.loads(bench.hologram("badge", "endpoint").stdout)
    assert (endpoint["schemaVersion"], endpoint["message"], endpoint["color"]) == (1, "PASS", "green")
    assert "<title>Hologram Pipeline: PASS." in bench.hologram("badge", "svg").stdout
    ran(bench, red="e2e_use")
    assert json.loads(bench.hologram("badge", "endpoint").stdout)["color"] == "red"
    write_whole(bench.reports / "verdict.json", "{")
    broken = bench.hologram("badge", "json")
    assert (broken.returncode, "verdict.json" in broken.stderr) == (2, True)


def test_a_budget_that_was_overridden_is_the_cause_and_part_of_the_command(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = load_or_create_signer(bench.folder / ".hologram" / "keys" / "ed25519.pem", None)
    evidence = Evidence(bench.evidence, signer=key)
    now = datetime.now(UTC)
    monkeypatch.setenv("SLO_ENCODE_P95_MS", "0.0001")
    plan = apply_overrides(PROFILES[ProfileName.DEV], load_settings())
    run = run_of(revision=read_revision(bench.folder), started_at=now, plan=plan)
    evidence.start_run(run)
    for kind in run.required:
        evidence.add(observation(kind, at=now), run.identity)
    write_whole(bench.reports / "verdict.json", json.dumps(conclude_run(evidence, run).to_json()))
    (trouble,) = json.loads(bench.hologram("triage", "--json").stdout)["troubles"]
    assert trouble["likely_cause"].startswith("the budget of this run: SLO_ENCODE_P95_MS=0.0001")
    assert trouble["reproduce"] == "SLO_ENCODE_P95_MS=0.0001 hologram gate --profile dev"
    assert trouble["limit"] == "0.0001 ms"
