"""`hologram health` and `hologram summarize-e2e`: the installed commands, with and without a run."""

import json
from pathlib import Path

import pytest

from hologram_dagster.e2e.events import EventLog
from hologram_dagster_tests.cli.test_triage import ran
from hologram_dagster_tests.gate.bench import Bench

pytestmark = pytest.mark.phase0_ready


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench.make(tmp_path / "repository")


def _answers(bench: Bench, question: str, code: int) -> list[dict[str, object]]:
    done = bench.hologram("health", question, "--json")
    assert done.returncode == code, done.stderr + done.stdout
    answers: list[dict[str, object]] = json.loads(done.stdout)["answers"]
    return answers


def test_without_a_run_nothing_is_well(bench: Bench) -> None:
    answers = _answers(bench, "all", 4)
    assert {answer["health"] for answer in answers} == {"absent"}
    assert {answer["question"] for answer in answers} == {
        *("status", "dashboard", "performance", "e2e-summary", "baseline", "flake-report")
    }
    assert bench.hologram("summarize-e2e").returncode == 4


def test_status_is_that_of_the_last_verdict(bench: Bench) -> None:
    ran(bench)
    assert _answers(bench, "status", 0)[0]["health"] == "ok"
    ran(bench, red="e2e_use")
    told = bench.hologram("health", "status")
    assert (told.returncode, "RED     status: fail" in told.stdout) == (1, True)


def test_events_are_counted_and_the_newest_shown(bench: Bench) -> None:
    log = EventLog(bench.reports / "e2e" / "events.jsonl", "e2e")
    for number in range(3):
        log.write("resolve", name=f"app/{number}", cid="Qm" + "a" * 44)
    log.write("search")
    with log.path.open("a") as stream:
        stream.write("no event\n")
    done = bench.hologram("summarize-e2e")
    assert done.returncode == 0
    assert "resolve                           3" in done.stdout
    assert "name app/2" in done.stdout
    assert "line 5" in done.stderr
    summary = json.loads(bench.hologram("summarize-e2e", "--json").stdout)
    assert summary["total"] == 4
    # A line that is no event may have been one that failed.
    (told,) = _answers(bench, "e2e-summary", 3)
    assert (told["health"], told["told"]) == ("unsure", "4 events")


def test_the_gate_is_seen_to_fail_and_to_pass_and_leaves_the_reports_alone(bench: Bench) -> None:
    ran(bench)
    before = (bench.reports / "verdict.json").read_bytes()
    assert _answers(bench, "perf-fail", 0)[0]["told"] == "a dev gate ended with 1, expected 1"
    assert _answers(bench, "smoke-test", 0)[0]["told"] == "a dev gate ended with 0, expected 0"
    # With a budget that nothing keeps, the smoke test is what it should be: red.
    done = bench.hologram("health", "smoke-test", SLO_VERIFY_P95_MS="0.0001")
    assert (done.returncode, "ended with 1, expected 0" in done.stdout) == (1, True)
    assert (bench.reports / "verdict.json").read_bytes() == before


def test_the_report_is_named_and_missing_is_no_answer(bench: Bench) -> None:
    missing = bench.hologram("report")
    assert (missing.returncode, "run hologram gate" in missing.stderr) == (2, True)
    ran(bench)
    (bench.reports / "index.html").write_text("<title>Hologram Reports</title>")
    (dashboard,) = _answers(bench, "dashboard", 0)
    assert str(bench.reports / "index.html") in str(dashboard["told"])
    assert bench.hologram("report").stdout.strip() == str((bench.reports / "index.html").resolve())
    facts = json.loads(bench.hologram("report", "--json").stdout)
    assert (facts["run_id"], facts["verdict"], facts["bytes"]) == ("run-1", "pass", 31)


def test_an_unknown_profile_is_refused_with_the_variables_name(bench: Bench) -> None:
    done = bench.hologram("gate", HOLOGRAM_PROFILE="weekly")
    assert (done.returncode, "HOLOGRAM_PROFILE: unknown profile 'weekly'" in done.stderr) == (2, True)


def test_what_only_reads_answers_in_json(bench: Bench) -> None:
    assert json.loads(bench.hologram("baseline", "list", "--json").stdout) == []
    assert json.loads(bench.hologram("stack", "status", "--json").stdout) == {"running": False, "parts": {}}


@pytest.mark.parametrize(("script", "verb"), [("reports", "report"), ("perf-gate", "gate")])
def test_the_powershell_scripts_are_one_line_around_a_verb(script: str, verb: str) -> None:
    (line,) = (Path(__file__).parents[2] / "tools" / f"{script}.ps1").read_text().splitlines()
    assert line.startswith(f"& hologram {verb}")
