"""`verdict.json` has the fields of the design, and reads back as it was written."""

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from hologram_dagster.errors import FormatError, TamperedError
from hologram_dagster.evidence.document import Earlier, Verdict, Waiver, Word, read_verdict, write_verdict
from hologram_dagster.evidence.gathered import Fault, FaultCode, Gathered
from hologram_dagster.evidence.run import run_from_json, run_json
from hologram_dagster.evidence.verdict import conclude, running
from hologram_dagster.profiles import Override, ProfileName
from hologram_dagster_tests.evidence.helpers import NOW, archive, green_run, plan_of, run_of

pytestmark = pytest.mark.phase2_integration

FIELDS = [
    *("schema_version", "verdict", "state", "revision", "baseline", "profile", "environment", "machine"),
    *("run_id", "started_at", "finished_at", "reasons", "overrides", "waivers", "evidence", "ledger_head"),
    *("key_id", "earlier"),
]


@pytest.fixture
def verdict(tmp_path: Path) -> Verdict:
    plan = plan_of(overrides=(Override("SLO_GQL_P95_MS", 500, 900, looser=True),))
    run = run_of(plan=plan, baseline_commit="e" * 40)
    made = green_run(archive(tmp_path), run)[1]
    return replace(
        made,
        waivers=(Waiver("perf_gql.p95_within_budget", "release manager", "known", NOW + timedelta(days=1)),),
    )


def test_the_document_has_exactly_the_fields_of_the_design(verdict: Verdict) -> None:
    content = verdict.to_json()
    assert list(content) == FIELDS
    assert list(content["revision"]) == ["commit", "tree", "dirty", "ref"]
    assert content["baseline"] == {"commit": "e" * 40, "rule": None}
    assert set(content["reasons"][0]) == {"kind", "check", "status", "message", "value", "limit", "unit"}
    assert set(content["evidence"][0]) == {"kind", "status", "uri", "sha256"}
    assert content["machine"]["fingerprint"] == verdict.machine.fingerprint
    assert content["ledger_head"]


def test_it_reads_back_as_it_was_written(verdict: Verdict, tmp_path: Path) -> None:
    path = tmp_path / "reports" / "verdict.json"
    failed = Earlier(Word.FAIL, "run-0", NOW)
    remembering = replace(verdict, earlier=(failed,), baseline_rule="the first parent")
    for each in (verdict, remembering, running(run_of(), key_id="k")):
        write_verdict(path, each)
        assert read_verdict(path) == each


def test_no_secret_of_a_message_is_written(tmp_path: Path) -> None:
    fault = Fault("perf_gql", FaultCode.UNAVAILABLE, "https://user:sesame-open-now@example.org: no answer")
    path = tmp_path / "verdict.json"
    write_verdict(path, conclude(run_of(), Gathered((), (fault,)), finished_at=NOW, key_id="k"))
    assert "sesame" not in path.read_text()
    assert "example.org" in path.read_text()


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"schema_version": 2}', '{"schema_version": 1}', "[" * 99_999]
)
def test_what_is_no_verdict_is_refused_by_name(text: str, tmp_path: Path) -> None:
    path = tmp_path / "verdict.json"
    path.write_text(text)
    with pytest.raises(FormatError, match=r"verdict\.json"):
        read_verdict(path)


@pytest.mark.parametrize("field", [field for field in FIELDS if field not in {"schema_version", "earlier"}])
def test_every_field_is_needed(verdict: Verdict, field: str) -> None:
    content = verdict.to_json()
    del content[field]
    with pytest.raises(FormatError):
        Verdict.from_json(content)


def test_a_document_from_before_verdicts_were_remembered_still_reads(verdict: Verdict) -> None:
    content = verdict.to_json()
    del content["earlier"], content["baseline"]["rule"]
    assert Verdict.from_json(content) == verdict


@pytest.mark.parametrize("earlier", [7, [{}], [{"verdict": "maybe", "run_id": "r", "finished_at": "x"}]])
def test_malformed_earlier_verdicts_are_refused(verdict: Verdict, earlier: object) -> None:
    with pytest.raises(FormatError):
        Verdict.from_json({**verdict.to_json(), "earlier": earlier})


def test_no_document_is_no_verdict(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_verdict(tmp_path / "verdict.json")


@pytest.mark.parametrize("profile", ProfileName)
def test_a_run_reads_back_from_its_ledger_entry(profile: ProfileName) -> None:
    override = Override("ENC_MB", 4, 1, looser=True)
    run = run_of(plan=plan_of(profile, overrides=(override,)), baseline_commit="e" * 40)
    assert run_from_json(json.loads(json.dumps(run_json(run)))) == run


@pytest.mark.parametrize("field", ["run_id", "profile", "revision", "plan", "required", "started_at"])
def test_a_malformed_run_entry_is_refused(field: str) -> None:
    content = run_json(run_of())
    with pytest.raises(TamperedError):
        run_from_json({name: value for name, value in content.items() if name != field})
