"""Sections that not every profile fills: what they show is what the evidence holds, and gaps are told."""

from typing import Any

import pytest

from hologram_dagster.profiles import EVIDENCE, ProfileName
from hologram_dagster.reports import flaky, supply
from hologram_dagster.reports.experiment import experiment_of
from hologram_dagster.reports.html import MAX_BYTES
from hologram_dagster_tests.reports import real, samples
from hologram_dagster_tests.reports.test_html import Page, full

pytestmark = pytest.mark.phase7_security


def section(key: str, records: list[dict[str, Any]], **verdict: Any) -> str:
    """The text of the section `key` of a page of `records`."""
    html = full(samples.verdict(**verdict), records=records)
    return Page(
        html.partition(f'<section aria-labelledby="{key}-section">')[2].partition("</section>")[0]
    ).text


def test_a_kind_that_the_profile_does_not_require_is_named_once() -> None:
    text = Page(full(samples.verdict(profile="dev"), records=[])).text
    assert text.count("Not part of profile dev: chaos, security, flaky tests, supply chain.") == 1
    assert section("security", [], profile="dev") == section("chaos", [], profile="dev") == ""


def test_a_kind_that_is_required_and_missing_is_told() -> None:
    assert "No evidence of ctp96_replay, proof_chain, access_control, secrets_scan." in section(
        "security", []
    )
    assert "Not yet observed: secrets_scan." in section("security", [], profile="pr", state="running")
    assert "ctp96_replay" not in section("security", [], profile="pr")
    assert EVIDENCE["ctp96_replay"] == {ProfileName.MAIN, ProfileName.NIGHTLY}


def test_each_attack_is_a_row_and_a_wrong_one_is_first() -> None:
    record = real.record("ctp96_replay")
    text = section("security", [record])
    rows = text.partition("Expected Seen")[2]
    assert rows.startswith(" passed flood 4096 forged frames 4096 hash_mismatch 4096 hash_mismatch passed")
    assert "failed" not in text
    record["facts"]["replay: after a restart"] = "expected replay_detected, saw done"
    rows = section("security", [record]).partition("Expected Seen")[2]
    assert rows.startswith(" failed replay after a restart replay_detected done passed")


def test_a_fact_that_is_no_cell_is_no_attack() -> None:
    record = {"kind": "ctp96_replay", "facts": {"replay: one": "as it was", "note": "expected more"}}
    assert "Attack" not in section("security", [record])
    record = {"kind": "proof_chain", "facts": {"no group": "expected a, saw b, saw c"}}
    assert "failed no group a, saw b c" in section("security", [record])


def test_what_a_scan_looked_at_is_shown() -> None:
    scan = {
        "kind": "secrets_scan",
        "values": {"files": 312, "secrets": 1},
        "findings": [{"name": "tree_clean", "status": "failed", "message": "src/a.py line 3: a token"}],
    }
    text = section("security", [scan], profile="pr")
    assert "failed secrets_scan tree_clean src/a.py line 3: a token" in text
    assert "secrets_scan files 312 secrets_scan secrets 1" in text
    assert "Attack" not in text


def test_a_real_flake_is_named_with_its_rate_and_what_could_be_seen() -> None:
    records = [real.record(kind) for kind in flaky.KINDS]
    text = section("flakes", records, profile="nightly")
    named = "test_app.py::test_flaky (3 flakes in 7 days, 40 to 99 % of its runs)"
    assert f"flake_detection Flaked twice in 7 days, not in quarantine 1 {named}" in text
    assert "quarantine In quarantine 1 test_app.py::test_known" in text
    assert "Flake rate of 7 days 50.0 % all outside the quarantine; 95 % bounds 18.4 to 81.6 %" in text
    assert "with 3 runs we could not have seen a flake rarer than 63 %" in text
    assert "test_attempts attempts 9 test_attempts failed 3" in text


def test_a_target_without_tests_says_why_there_are_no_flakes() -> None:
    finding = {"name": "tests", "status": "not_applicable", "message": "the target names no test command"}
    records = [{"kind": kind, "findings": [finding]} for kind in flaky.KINDS[:3]]
    text = section("flakes", records, profile="nightly")
    assert "not applicable test_attempts tests the target names no test command" in text
    assert "No evidence of quarantine." in text


def test_the_supply_chain_of_a_real_run() -> None:
    text = section("supply", [real.record(kind) for kind in supply.KINDS], profile="nightly")
    assert "sbom Components of the target with their artifact's hash 50.0 % of 2" in text
    assert "sbom Components of the gate with their artifact's hash 99.6 % of 235" in text
    assert "not audited vulnerabilities No source is configured" in text
    assert "passed vulnerabilities" not in text
    level = "failed provenance SLSA_BUILD_LEVEL_1, signed by local key materials: 11 records, 2 lock files"
    assert level in text
    assert "failed provenance materials without the evidence perf_verify" in text


def test_known_vulnerabilities_are_red_and_an_empty_audit_is_green() -> None:
    audited = {
        "kind": "vulnerabilities",
        "status": "failed",
        "values": {
            "target_audited": 9,
            "target_vulnerabilities": 2,
            "gate_audited": 3,
            "gate_vulnerabilities": 0,
        },
        "facts": {"source": "https://example.com"},
        "findings": [
            {"name": "target_not_vulnerable", "status": "failed", "message": "six 1.0: CVE-1"},
            {"name": "gate_not_vulnerable", "status": "passed", "message": "nothing is known"},
        ],
    }
    text = section("supply", [audited])
    assert "failed vulnerabilities Known against packages of the target 2 of 9, asked at https" in text
    assert "passed vulnerabilities Known against packages of the gate 0 of 3" in text
    assert "failed vulnerabilities target_not_vulnerable six 1.0: CVE-1" in text


def test_cold_stands_beside_warm() -> None:
    record = real.record("perf_cold_warm")
    text = section("performance", [record], profile="nightly")
    assert "passed gql 8.008 1.458 x5.49 856.8 first call 8.008 ms, later ones 1.458 ms: 5.5 times" in text
    assert "gql_cold_ms" not in text
    assert "perf_cold_warm warm_calls 5" in text
    record["findings"][0] |= {"status": "error", "message": "cold: the worker ended"}
    del record["values"]["verify_cold_ms"], record["values"]["verify_ratio"]
    text = section("performance", [record], profile="nightly")
    assert "error verify 0.047 306.6 cold: the worker ended" in text
    assert "Cold against warm" not in section("performance", [])


def test_a_whole_night_with_ninety_runs_behind_it_stays_small() -> None:
    attacked = real.record("access_control")
    last = list(attacked["facts"])[-1]
    attacked["facts"][last] = "expected refused, saw done"
    kinds = (*real.JOURNALS, real.UNDECIDED)
    others = [each for each in real.records() if each["kind"] != "access_control"]
    html = full(
        samples.verdict("fail", profile="nightly"),
        records=[*samples.RECORDS, *samples.COMPARED, attacked, *others, *map(real.journal_record, kinds)],
        trends=[samples.ratios(90, kind=f"{of}_{name}") for of in ("drift", "regression") for name in "abc"],
        experiments=[experiment_of(real.journal(kind), of_run=True) for kind in kinds],
        events=real.events(),
    )
    assert len(html.encode()) < MAX_BYTES
    # What is left out is never what went wrong.
    table = html.partition('id="attacks-access_control"')[2].partition("<tbody>")[2]
    assert Page(table).text.startswith("failed")
    assert html.count('<path class="dots small"') == len(kinds) - 1
