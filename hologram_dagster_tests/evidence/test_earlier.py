"""Every verdict of a revision is kept, and a pass after a fail is told as one."""

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from hologram_dagster.evidence.answer import answer
from hologram_dagster.evidence.archive import Evidence
from hologram_dagster.evidence.document import Earlier, Verdict, Word
from hologram_dagster.evidence.earlier import LOOK_BACK, with_earlier
from hologram_dagster.evidence.run import RecordedRun
from hologram_dagster.observation import Status
from hologram_dagster.profiles import ProfileName
from hologram_dagster_tests.evidence.helpers import (
    NOW,
    OTHER_MACHINE,
    OTHER_REVISION,
    REVISION,
    archive,
    conclude_run,
    green_run,
    observation,
    plan_of,
    run_of,
)

pytestmark = pytest.mark.phase2_integration


@pytest.fixture
def evidence(tmp_path: Path) -> Evidence:
    return archive(tmp_path)


def red_run(evidence: Evidence, run: RecordedRun) -> Verdict:
    evidence.start_run(run)
    for kind in run.required:
        evidence.add(replace(observation(kind), status=Status.FAILED), run.identity)
    return conclude_run(evidence, run)


def told(evidence: Evidence, verdict: Verdict) -> list[tuple[str, Word]]:
    seen = with_earlier(evidence.ledger.path, verdict)
    return [(earlier.run_id, earlier.verdict) for earlier in seen.earlier]


def test_a_pass_after_a_fail_is_a_pass_and_says_so(evidence: Evidence) -> None:
    red = red_run(evidence, run_of("run-1"))
    _, verdict, _ = green_run(evidence, run_of("run-2"))
    assert verdict.verdict is Word.PASS
    assert verdict.earlier == (Earlier(Word.FAIL, "run-1", red.finished_at or NOW),)
    assert "failed once before (dev, local), last in run run-1 at 2026-03-04 12:01 UTC" in verdict.after_fail
    assert json.loads(json.dumps(verdict.to_json()))["earlier"] == [
        {"verdict": "fail", "run_id": "run-1", "finished_at": "2026-03-04T12:01:00.000000Z"}
    ]
    again, _ = answer(evidence, REVISION.commit, now=NOW)
    assert again == verdict


def test_a_first_pass_and_a_pass_after_a_pass_say_nothing(evidence: Evidence) -> None:
    _, first, _ = green_run(evidence, run_of("run-1"))
    assert (first.earlier, first.after_fail) == ((), "")
    _, second, _ = green_run(evidence, run_of("run-2"))
    assert [(e.run_id, e.verdict) for e in second.earlier] == [("run-1", Word.PASS)]
    assert second.after_fail == ""


def test_a_fail_after_a_fail_keeps_them_all_and_is_no_pass(evidence: Evidence) -> None:
    for number in (1, 2):
        red_run(evidence, run_of(f"run-{number}"))
    third = red_run(evidence, run_of("run-3"))
    assert [e.run_id for e in third.earlier] == ["run-2", "run-1"]
    assert third.after_fail == ""
    _, fourth, _ = green_run(evidence, run_of("run-4"))
    assert "failed 3 times before" in fourth.after_fail
    assert "last in run run-3" in fourth.after_fail


def test_an_interrupted_run_is_kept_and_is_no_fail(evidence: Evidence) -> None:
    run = run_of("run-1")
    evidence.start_run(run)
    conclude_run(evidence, run, interrupted="stopped")
    _, verdict, _ = green_run(evidence, run_of("run-2"))
    assert [e.verdict for e in verdict.earlier] == [Word.INCONCLUSIVE]
    assert verdict.after_fail == ""


@pytest.mark.parametrize(
    "other",
    [
        run_of("run-1", revision=OTHER_REVISION),
        run_of("run-1", revision=replace(REVISION, tree="e" * 40, dirty=True)),
        run_of("run-1", environment="staging"),
        run_of("run-1", plan_of(ProfileName.MAIN)),
    ],
    ids=["revision", "files", "environment", "profile"],
)
def test_verdicts_on_something_else_are_not_of_this_revision(evidence: Evidence, other: RecordedRun) -> None:
    red_run(evidence, other)
    assert green_run(evidence, run_of("run-2"))[1].earlier == ()


def test_a_fail_on_another_machine_counts(evidence: Evidence) -> None:
    red_run(evidence, run_of("run-1", machine=OTHER_MACHINE))
    assert green_run(evidence, run_of("run-2"))[1].after_fail


def test_later_verdicts_are_not_earlier(evidence: Evidence) -> None:
    _, verdict, _ = green_run(evidence, run_of("run-1"))
    red_run(evidence, run_of("run-2"))
    assert told(evidence, verdict) == []
    # Of a run that has none yet, all are.
    assert told(evidence, replace(verdict, run_id="run-3")) == [("run-2", Word.FAIL), ("run-1", Word.PASS)]


def test_a_year_back_is_far_enough(evidence: Evidence) -> None:
    red = red_run(evidence, run_of("run-1"))
    for days, count in ((300, 1), (LOOK_BACK.days + 1, 0)):
        later = replace(red, run_id="run-2", started_at=NOW + timedelta(days=days))
        assert len(told(evidence, later)) == count


def test_entries_we_never_write_are_passed_over(evidence: Evidence) -> None:
    red = red_run(evidence, run_of("run-1"))
    line = evidence.ledger.path.read_text().splitlines()[-1]
    for was, becomes in (
        ('"status":"failed"', '"status":"not_applicable"'),
        ('"status":"failed"', '"status":[]'),
        ('"finished_at":"2026', '"finished_at":"x'),
        ('{"v"', '{{"v"'),
    ):
        assert was in line
        with evidence.ledger.path.open("a") as stream:
            stream.write(line.replace(was, becomes) + "\n")
    assert told(evidence, replace(red, run_id="run-2")) == [("run-1", Word.FAIL)]
