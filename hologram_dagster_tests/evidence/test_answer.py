"""`hologram verdict`: the last word on a revision, verified, and never better than it was."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from hologram_dagster.errors import TamperedError
from hologram_dagster.evidence.answer import answer
from hologram_dagster.evidence.archive import Evidence, Stored
from hologram_dagster.evidence.document import ExitCode, Verdict, Word
from hologram_dagster.evidence.gathered import Gathered
from hologram_dagster.evidence.verdict import conclude
from hologram_dagster.observation import Finding, Observation, Status
from hologram_dagster.profiles import Override, ProfileName
from hologram_dagster.protocol.ledger import Ledger
from hologram_dagster_tests.evidence.helpers import (
    NOW,
    OTHER_REVISION,
    REVISION,
    Clock,
    archive,
    conclude_run,
    green_run,
    identity,
    observation,
    path_of,
    plan_of,
    run_of,
    signer,
)

pytestmark = [pytest.mark.phase9_chaos, pytest.mark.phase7_security]

LATER = NOW + timedelta(days=400)


def ask(evidence: Evidence, **options: object) -> tuple[Verdict | None, ExitCode]:
    options = {"now": LATER, **options}
    return answer(evidence, str(options.pop("commit", REVISION.commit)), **options)  # type: ignore[arg-type]


def asked(evidence: Evidence, expected: ExitCode, **options: object) -> Verdict:
    verdict, code = ask(evidence, **options)
    assert code is expected
    assert verdict is not None
    assert verdict.exit_code is expected
    return verdict


@pytest.fixture
def evidence(tmp_path: Path) -> Evidence:
    return archive(tmp_path)


def lines_of(evidence: Evidence) -> list[str]:
    return evidence.ledger.path.read_text().splitlines()


def write_lines(evidence: Evidence, lines: list[str]) -> None:
    evidence.ledger.path.write_text("".join(f"{line}\n" for line in lines))


def test_a_pass_is_repeated_as_it_was(evidence: Evidence) -> None:
    _, said, _ = green_run(evidence)
    again = asked(evidence, ExitCode.PASS)
    assert again == said
    assert again.ledger_head == evidence.ledger.head()


def test_it_is_repeated_by_a_reader_without_a_private_key(evidence: Evidence, tmp_path: Path) -> None:
    run = run_of(plan=plan_of(ProfileName.MAIN, gql_samples=5, enc_mb=1))
    green_run(evidence, run)
    reader = Evidence(tmp_path, signer=None, trusted_keys=[signer().public_hex])
    asked(reader, ExitCode.PASS)
    asked(Evidence(tmp_path, signer=None), ExitCode.FAIL)


def test_a_fail_is_repeated_with_its_reasons(evidence: Evidence) -> None:
    run = run_of()
    evidence.start_run(run)
    for kind in run.required[1:]:
        evidence.add(observation(kind), run.identity)
    said = conclude_run(evidence, run)
    again = asked(evidence, ExitCode.FAIL)
    assert again == said
    assert again.broken.startswith(run.required[0])


def test_an_interrupted_run_is_repeated_as_inconclusive(evidence: Evidence) -> None:
    run = run_of()
    evidence.start_run(run)
    said = conclude_run(evidence, run, interrupted="the deadline of 300 s has passed")
    assert asked(evidence, ExitCode.INCONCLUSIVE) == said


def test_the_plan_of_the_run_is_what_it_is_judged_by(evidence: Evidence) -> None:
    override = Override("SLO_GQL_P95_MS", 500.0, 1.5, looser=False)
    plan = plan_of(budgets_ms={"verify": 50.0, "encode": 500.0, "gql": 1.5}, overrides=(override,))
    _, said, _ = green_run(evidence, run_of(plan=plan))
    again = asked(evidence, ExitCode.FAIL)
    assert again == said
    assert again.reasons[0].message == "p95 2 ms, budget 1.5 ms: over by 33.3 %"


def test_no_run_of_the_revision_is_no_verdict(evidence: Evidence) -> None:
    assert ask(evidence) == (None, ExitCode.NO_VERDICT)
    green_run(evidence)
    assert ask(evidence, commit=OTHER_REVISION.commit) == (None, ExitCode.NO_VERDICT)
    assert ask(evidence, profile="main") == (None, ExitCode.NO_VERDICT)
    assert ask(evidence, tree="e" * 40) == (None, ExitCode.NO_VERDICT)


def test_a_dirty_tree_does_not_answer_for_its_commit(evidence: Evidence) -> None:
    dirty = replace(REVISION, tree="e" * 40, dirty=True)
    green_run(evidence, run_of(revision=dirty))
    assert ask(evidence) == (None, ExitCode.NO_VERDICT)
    asked(evidence, ExitCode.PASS, tree="e" * 40)


def test_the_newest_run_answers(evidence: Evidence) -> None:
    green_run(evidence)
    run = run_of("run-2")
    evidence.start_run(run)
    evidence.add(replace(observation("e2e_use"), status=Status.FAILED), run.identity)
    conclude_run(evidence, run)
    assert asked(evidence, ExitCode.FAIL).run_id == "run-2"
    green_run(evidence, run_of("run-3"))
    assert asked(evidence, ExitCode.PASS).run_id == "run-3"


def test_the_profile_asked_for_answers(evidence: Evidence) -> None:
    green_run(evidence)
    evidence.start_run(run_of("run-2", plan_of(ProfileName.MAIN)))
    assert asked(evidence, ExitCode.PASS, profile="dev").run_id == "run-1"
    assert asked(evidence, ExitCode.INCONCLUSIVE, profile="main").run_id == "run-2"
    assert asked(evidence, ExitCode.INCONCLUSIVE).run_id == "run-2"


def test_a_run_with_neither_start_nor_evidence_of_its_own_answers_from_fresh_evidence(
    evidence: Evidence,
) -> None:
    green_run(evidence)
    only_verdict = run_of("run-2")
    said = conclude_run(evidence, only_verdict)
    assert said.verdict is Word.PASS
    assert asked(evidence, ExitCode.PASS) == said


def test_what_it_rests_on_of_an_earlier_run_is_verified_too(evidence: Evidence) -> None:
    _, _, stored = green_run(evidence)
    conclude_run(evidence, run_of("run-2"))
    whole = lines_of(evidence)
    index = next(i for i, line in enumerate(whole) if stored["perf_verify"].sha256 in line)
    write_lines(evidence, [*whole[:index], whole[index].replace("local", "logal"), *whole[index + 1 :]])
    assert "ledger" in asked(evidence, ExitCode.FAIL).broken
    write_lines(evidence, whole)
    tampered(evidence, stored["perf_verify"], "edited")
    assert "perf_verify-0.json" in asked(evidence, ExitCode.FAIL).broken


@pytest.mark.parametrize(("after_s", "words"), [(10, "still runs, or was killed"), (301, "it was killed")])
def test_a_run_without_a_verdict_is_inconclusive(evidence: Evidence, after_s: int, words: str) -> None:
    green_run(evidence)
    run = run_of("run-2")
    evidence.start_run(run)
    for kind in run.required:
        evidence.add(observation(kind), run.identity)
    verdict = asked(evidence, ExitCode.INCONCLUSIVE, now=NOW + timedelta(seconds=after_s))
    assert words in verdict.broken


def test_a_run_without_a_verdict_but_with_a_red_is_a_fail(evidence: Evidence) -> None:
    run = run_of()
    evidence.start_run(run)
    evidence.add(replace(observation("e2e_use"), status=Status.FAILED), run.identity)
    assert asked(evidence, ExitCode.FAIL).broken.startswith("e2e_use")


def test_a_run_killed_by_the_kernel_is_known_and_inconclusive(tmp_path: Path) -> None:
    """The gate's first step in a process of its own, killed as the OOM killer would."""
    child = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import pathlib, sys, time\n"
            "from hologram_dagster_tests.evidence.helpers import archive, observation, run_of\n"
            "evidence, run = archive(pathlib.Path(sys.argv[1])), run_of()\n"
            "evidence.start_run(run)\n"
            "evidence.add(observation('perf_verify'), run.identity)\n"
            "print('ready', flush=True)\n"
            "time.sleep(600)\n",
            str(tmp_path),
        ],
        stdout=subprocess.PIPE,
    )
    try:
        assert child.stdout is not None
        assert child.stdout.readline() == b"ready\n"
        os.kill(child.pid, signal.SIGKILL)
        assert child.wait() == -signal.SIGKILL
    finally:
        child.kill()
        child.wait()
        if child.stdout is not None:
            child.stdout.close()
    verdict = asked(archive(tmp_path), ExitCode.INCONCLUSIVE)
    assert "killed" in {r.check: r.message for r in verdict.reasons}["completed"]
    assert {item.kind for item in verdict.evidence} == {"perf_verify"}


# Tampering afterwards.


def tampered(evidence: Evidence, stored: Stored, how: str) -> None:
    path = path_of(evidence, stored)
    data = path.read_bytes()
    if how == "removed":
        path.unlink()
    elif how == "edited":
        path.write_bytes(data.replace(b'"status": "passed"', b'"status": "failed"'))
    elif how == "truncated":
        path.write_bytes(data[:-20])
    else:
        other = archive(path.parents[4] / "other", signer(2))
        made = other.add(observation(stored.record.kind), identity())
        path.write_bytes(path_of(other, made).read_bytes())


@pytest.mark.parametrize("how", ["removed", "edited", "truncated", "signed again"])
@pytest.mark.parametrize("kind", ["perf_verify", "e2e_use"])
def test_a_record_tampered_with_afterwards_is_a_fail_that_names_it(
    evidence: Evidence, kind: str, how: str
) -> None:
    _, _, stored = green_run(evidence)
    tampered(evidence, stored[kind], how)
    verdict = asked(evidence, ExitCode.FAIL)
    assert f"{kind}-0.json" in verdict.broken


@pytest.mark.parametrize("how", ["removed", "edited", "truncated", "signed again"])
def test_a_verdict_tampered_with_afterwards_is_a_fail_that_names_it(evidence: Evidence, how: str) -> None:
    green_run(evidence)
    path = next(evidence.ledger.path.parent.glob("records/*/*/*/run-1/verdict-0.json"))
    entry = evidence.ledger.last()
    assert entry is not None
    _, said, stored = green_run(evidence, run_of("run-2"))
    write_lines(evidence, lines_of(evidence)[: entry.seq + 1])
    assert said.verdict is Word.PASS
    if how == "signed again":
        path.write_bytes(path_of(evidence, stored["e2e_use"]).read_bytes())
    else:
        record = replace(stored["e2e_use"], path=str(path.relative_to(path.parents[4])))
        tampered(evidence, record, how)
    assert "verdict-0.json" in asked(evidence, ExitCode.FAIL).broken


def test_any_edited_ledger_line_of_the_run_is_a_fail(evidence: Evidence) -> None:
    green_run(evidence)
    lines = lines_of(evidence)
    for position in range(len(lines)):
        changed = lines[position].replace('"local"', '"production"').replace('"passed"', '"failed"')
        assert changed != lines[position]
        write_lines(evidence, [*lines[:position], changed, *lines[position + 1 :]])
        assert "ledger.jsonl" in asked(evidence, ExitCode.FAIL).broken


def test_an_edited_ledger_line_after_the_run_is_a_fail(evidence: Evidence) -> None:
    green_run(evidence)
    green_run(evidence, run_of("run-2", revision=OTHER_REVISION))
    lines = lines_of(evidence)
    write_lines(evidence, [*lines[:-2], lines[-2].replace('"passed"', '"failed"'), lines[-1]])
    assert "ledger.jsonl" in asked(evidence, ExitCode.FAIL).broken


def test_a_later_red_run_cannot_be_renamed_away(evidence: Evidence) -> None:
    green_run(evidence)
    red = run_of("run-2")
    evidence.start_run(red)
    lines = lines_of(evidence)
    write_lines(evidence, [*lines[:-1], lines[-1].replace(REVISION.commit, OTHER_REVISION.commit)])
    verdict = asked(evidence, ExitCode.FAIL)
    assert "bad_data_hash" in verdict.broken


def test_dropped_and_swapped_ledger_lines_are_a_fail(evidence: Evidence) -> None:
    green_run(evidence)
    lines = lines_of(evidence)
    for position in range(1, len(lines) - 1):
        write_lines(evidence, [*lines[:position], *lines[position + 1 :]])
        assert "ledger.jsonl" in asked(evidence, ExitCode.FAIL).broken
        swapped = [*lines]
        swapped[position], swapped[position + 1] = lines[position + 1], lines[position]
        write_lines(evidence, swapped)
        assert "ledger.jsonl" in asked(evidence, ExitCode.FAIL).broken


def test_a_dropped_verdict_is_no_pass(evidence: Evidence) -> None:
    green_run(evidence)
    write_lines(evidence, lines_of(evidence)[:-1])
    asked(evidence, ExitCode.INCONCLUSIVE)


def test_a_run_whose_start_is_gone_is_named(evidence: Evidence) -> None:
    green_run(evidence)
    first, *others = lines_of(evidence)
    for start in ([], [first.replace(REVISION.commit, OTHER_REVISION.commit)], ["rubbish"]):
        write_lines(evidence, [*start, *others])
        with pytest.raises(TamperedError, match="run-1"):
            ask(evidence)


def test_a_malformed_start_is_refused_by_name(evidence: Evidence) -> None:
    green_run(evidence)
    first, *others = lines_of(evidence)
    write_lines(evidence, [first.replace('"required"', '"wanted"'), *others])
    with pytest.raises(TamperedError, match=r"ledger\.jsonl"):
        ask(evidence)


def test_a_start_dated_away_is_a_fail(evidence: Evidence) -> None:
    green_run(evidence)
    first, *others = lines_of(evidence)
    write_lines(evidence, [first.replace("2026-03-04", "2036-03-04"), *others])
    assert "ledger.jsonl" in asked(evidence, ExitCode.FAIL).broken


def test_a_run_entered_by_a_stranger_is_a_fail(evidence: Evidence, tmp_path: Path) -> None:
    green_run(evidence)
    green_run(archive(tmp_path, signer(2)), run_of("run-2"))
    assert signer(2).key_id in asked(evidence, ExitCode.FAIL).broken


def test_a_verdict_entered_by_a_stranger_is_a_fail(evidence: Evidence, tmp_path: Path) -> None:
    run = run_of()
    evidence.start_run(run)
    gathered = evidence.gather(run.identity, run.required, now=NOW)
    evidence.add_verdict(conclude(run, gathered, finished_at=NOW, key_id="k"), run)
    seen = Observation("verdict", Status.PASSED, "1", NOW, NOW)
    archive(tmp_path, signer(2)).add(seen, run.identity)
    assert signer(2).key_id in asked(evidence, ExitCode.FAIL).broken


def test_a_verdict_that_does_not_follow_from_its_evidence_is_a_fail(evidence: Evidence) -> None:
    run = run_of()
    evidence.start_run(run)
    evidence.add_verdict(
        replace(conclude(run, Gathered((), ()), finished_at=NOW, key_id="k"), verdict=Word.PASS, reasons=()),
        run,
    )
    assert "present" in asked(evidence, ExitCode.FAIL).broken


def test_a_verdict_resting_on_what_was_never_listed_is_a_fail(evidence: Evidence) -> None:
    run, said, _ = green_run(evidence)
    item = replace(said.evidence[0], sha256="0" * 64)
    evidence.add_verdict(replace(said, evidence=(item, *said.evidence[1:])), run)
    assert (
        "does not list" in {r.check: r.message for r in asked(evidence, ExitCode.FAIL).reasons}["authentic"]
    )


@pytest.mark.parametrize("word", [Word.FAIL, Word.INCONCLUSIVE])
def test_the_answer_is_never_better_than_what_the_run_said(evidence: Evidence, word: Word) -> None:
    run, said, _ = green_run(evidence)
    evidence.add_verdict(replace(said, verdict=word), run)
    assert asked(evidence, ExitCode.FAIL if word is Word.FAIL else ExitCode.INCONCLUSIVE).verdict is word


def test_what_was_red_then_stays_red_though_it_looks_well_now(evidence: Evidence) -> None:
    run = run_of()
    evidence.start_run(run)
    stored = {kind: evidence.add(observation(kind), run.identity) for kind in run.required}
    path = path_of(evidence, stored["perf_gql"])
    data = path.read_bytes()
    path.unlink()
    conclude_run(evidence, run)
    path.write_bytes(data)
    assert "gone" in {r.check: r.message for r in asked(evidence, ExitCode.FAIL).reasons}["authentic"]


def test_a_store_that_does_not_answer_is_inconclusive(evidence: Evidence) -> None:
    _, _, stored = green_run(evidence)
    path = path_of(evidence, stored["perf_gql"])
    path.unlink()
    path.mkdir()
    asked(evidence, ExitCode.INCONCLUSIVE)


def test_an_unreadable_verdict_record_is_inconclusive(evidence: Evidence) -> None:
    green_run(evidence)
    path = next(evidence.ledger.path.parent.glob("records/*/*/*/run-1/verdict-0.json"))
    path.unlink()
    path.mkdir()
    asked(evidence, ExitCode.INCONCLUSIVE)


def test_years_before_the_run_are_not_read(tmp_path: Path) -> None:
    clock = Clock()
    evidence = archive(tmp_path, clock=clock)
    green_run(evidence)
    first, *others = lines_of(evidence)
    write_lines(evidence, ["rubbish", *others])
    clock.now += timedelta(days=300)
    run = run_of("run-2", started_at=clock.now, revision=OTHER_REVISION)
    evidence.start_run(run)
    for kind in run.required:
        evidence.add(observation(kind, at=clock.now), run.identity)
    conclude_run(evidence, run)
    asked(evidence, ExitCode.PASS, commit=OTHER_REVISION.commit)
    with pytest.raises(TamperedError):
        list(Ledger(evidence.ledger.path, None).entries())
    assert json.loads(first)["data"]["run_id"] == "run-1"


def test_a_message_with_dots_reads_back(evidence: Evidence) -> None:
    run = run_of()
    evidence.start_run(run)
    seen = replace(
        observation("e2e_use"), status=Status.FAILED, findings=(Finding("a.b", Status.FAILED, "x. y"),)
    )
    evidence.add(seen, run.identity)
    said = conclude_run(evidence, run)
    assert asked(evidence, ExitCode.FAIL) == said
