"""The four rules from evidence to verdict, and that more red never turns a verdict greener."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hologram_dagster.evidence.gathered import Fault, FaultCode, Gathered, Stored
from hologram_dagster.evidence.record import Record
from hologram_dagster.evidence.run import RecordedRun
from hologram_dagster.evidence.verdict import (
    STRICTNESS,
    ExitCode,
    State,
    Verdict,
    Waiver,
    Word,
    conclude,
    running,
)
from hologram_dagster.observation import Finding, Observation, Status
from hologram_dagster.profiles import Override, ProfileName, required_kinds
from hologram_dagster.target.revision import Revision
from hologram_dagster_tests.evidence.helpers import (
    NOW,
    OTHER_REVISION,
    REVISION,
    identity,
    observation,
    plan_of,
    run_of,
    signer,
    with_finding,
)

pytestmark = pytest.mark.phase2_integration

KINDS = required_kinds(ProfileName.DEV)
KILLED = "the run was killed"


def stored(seen: Observation, revision: Revision = REVISION) -> Stored:
    record = Record.from_observation(seen, identity(revision=revision), signer(), now=NOW)
    return Stored(record, f"file:///{seen.kind}-{seen.status}", seen.kind, "0" * 64)


GREEN = {kind: stored(observation(kind)) for kind in KINDS}
ENDINGS: dict[tuple[str, Status], Stored] = {
    (kind, status): stored(replace(observation(kind, status), findings=(Finding("x", status, "the cause"),)))
    for kind in KINDS
    for status in Status
    if status is not Status.PASSED
}


def concluded(*evidence: Stored, faults: tuple[Fault, ...] = (), interrupted: str | None = None) -> Verdict:
    gathered = Gathered(tuple(evidence), faults)
    return conclude(run_of(), gathered, finished_at=NOW, key_id="k", interrupted=interrupted)


def with_one(kind: str, other: Stored) -> list[Stored]:
    return [other if name == kind else green for name, green in GREEN.items()]


def test_all_required_evidence_green_is_a_pass() -> None:
    verdict = concluded(*GREEN.values())
    assert (verdict.verdict, verdict.state, verdict.exit_code) == (Word.PASS, State.FINAL, ExitCode.PASS)
    assert verdict.broken == ""
    assert {item.kind for item in verdict.evidence} == set(KINDS)


def test_no_evidence_at_all_is_a_fail() -> None:
    verdict = concluded()
    assert verdict.verdict is Word.FAIL
    assert {(reason.kind, reason.check) for reason in verdict.reasons} == {
        (kind, "present") for kind in KINDS
    }


@pytest.mark.parametrize("kind", KINDS)
def test_rule_1_anything_failed_is_a_fail(kind: str) -> None:
    verdict = concluded(*with_one(kind, ENDINGS[kind, Status.FAILED]))
    assert (verdict.verdict, verdict.exit_code) == (Word.FAIL, ExitCode.FAIL)
    assert kind in verdict.broken


# What cannot be read now, was removed on purpose, or answers another question is no sign of tampering.
EXCUSED = (FaultCode.UNAVAILABLE, FaultCode.PRUNED, FaultCode.OTHER_PLAN)


@pytest.mark.parametrize("code", EXCUSED)
def test_evidence_that_cannot_be_read_any_more_is_inconclusive(code: FaultCode) -> None:
    evidence = [green for kind, green in GREEN.items() if kind != "perf_gql"]
    verdict = concluded(*evidence, faults=(Fault("perf_gql", code, "file:///perf_gql: gone"),))
    assert (verdict.verdict, verdict.exit_code) == (Word.INCONCLUSIVE, ExitCode.INCONCLUSIVE)
    assert "file:///perf_gql" in verdict.broken


@pytest.mark.parametrize("code", [code for code in FaultCode if code not in EXCUSED])
@pytest.mark.parametrize("interrupted", [None, KILLED])
def test_rule_1_evidence_that_is_not_to_be_trusted_is_a_fail(
    code: FaultCode, interrupted: str | None
) -> None:
    evidence = [green for kind, green in GREEN.items() if kind != "perf_gql"]
    fault = Fault("perf_gql", code, "file:///perf_gql: changed")
    verdict = concluded(*evidence, faults=(fault,), interrupted=interrupted)
    assert verdict.verdict is Word.FAIL
    assert "file:///perf_gql" in verdict.broken


@pytest.mark.parametrize("field", ["commit", "tree"])
def test_rule_1_evidence_of_another_revision_is_a_fail(field: str) -> None:
    revision = replace(REVISION, **{field: getattr(OTHER_REVISION, field)})
    stray = stored(observation("e2e_use"), revision=revision)
    verdict = concluded(*with_one("e2e_use", stray))
    assert verdict.verdict is Word.FAIL
    assert "commit" in verdict.broken


@pytest.mark.parametrize("kind", KINDS)
def test_rule_2_missing_although_completed_is_a_fail(kind: str) -> None:
    verdict = concluded(*(green for name, green in GREEN.items() if name != kind))
    assert verdict.verdict is Word.FAIL
    assert verdict.broken.startswith(f"{kind} present")


@pytest.mark.parametrize("kind", KINDS)
def test_rule_3_missing_as_the_run_was_interrupted_is_inconclusive(kind: str) -> None:
    verdict = concluded(*(green for name, green in GREEN.items() if name != kind), interrupted=KILLED)
    assert (verdict.verdict, verdict.exit_code) == (Word.INCONCLUSIVE, ExitCode.INCONCLUSIVE)
    assert KILLED in verdict.broken


def test_an_interrupted_run_is_never_a_pass() -> None:
    assert concluded(*GREEN.values(), interrupted=KILLED).verdict is Word.INCONCLUSIVE


def test_a_red_found_before_the_interruption_is_a_fail() -> None:
    assert concluded(ENDINGS["perf_gql", Status.FAILED], interrupted=KILLED).verdict is Word.FAIL


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("status", [Status.ERROR, Status.INCONCLUSIVE])
def test_rule_3_error_and_inconclusive_are_inconclusive(kind: str, status: Status) -> None:
    verdict = concluded(*with_one(kind, ENDINGS[kind, status]))
    assert verdict.verdict is Word.INCONCLUSIVE
    assert "the cause" in verdict.broken


def test_rule_3_a_store_that_does_not_answer_is_inconclusive() -> None:
    evidence = [green for kind, green in GREEN.items() if kind != "perf_gql"]
    verdict = concluded(*evidence, faults=(Fault("perf_gql", FaultCode.UNAVAILABLE, "no answer"),))
    assert verdict.verdict is Word.INCONCLUSIVE


@pytest.mark.parametrize("kind", KINDS)
def test_rule_4_not_applicable_is_no_pass_where_it_is_required(kind: str) -> None:
    assert concluded(*with_one(kind, ENDINGS[kind, Status.NOT_APPLICABLE])).verdict is Word.FAIL


def test_best_effort_is_shown_and_does_not_fail() -> None:
    seen = with_finding(observation("e2e_use"), "uninstall", Status.FAILED, "refused")
    verdict = concluded(*with_one("e2e_use", stored(seen)))
    assert verdict.verdict is Word.PASS
    assert verdict.reasons[0].check == "uninstall"
    assert "refused" in verdict.reasons[0].message


def test_reasons_are_sorted_worst_first() -> None:
    evidence = with_one("e2e_use", ENDINGS["e2e_use", Status.FAILED])
    evidence = [ENDINGS["perf_gql", Status.ERROR] if s.record.kind == "perf_gql" else s for s in evidence]
    statuses = [reason.status for reason in concluded(*evidence).reasons]
    order = [Status.FAILED, Status.ERROR, Status.INCONCLUSIVE, Status.NOT_APPLICABLE, Status.PASSED]
    assert statuses == sorted(statuses, key=order.index)
    assert {Status.FAILED, Status.ERROR, Status.PASSED} <= set(statuses)


def test_the_step_that_broke_is_told_before_those_it_made_skip() -> None:
    steps = [finding.name for finding in observation("e2e_strict").findings]
    findings = [
        *(Finding(name, Status.PASSED) for name in steps[:4]),
        Finding(steps[4], Status.FAILED, "same CID"),
        Finding(steps[5], Status.NOT_APPLICABLE, "tamper_manifest failed"),
    ]
    seen = replace(observation("e2e_strict", Status.FAILED), findings=tuple(findings))
    gathered = Gathered((stored(seen),), ())
    verdict = conclude(run_of(plan=plan_of(ProfileName.MAIN)), gathered, finished_at=NOW, key_id="k")
    told = [reason.check for reason in verdict.reasons if reason.kind == "e2e_strict" and reason.red]
    assert told == steps[4:]


def test_looser_overrides_come_first() -> None:
    stricter = Override("SLO_VERIFY_P95_MS", 50, 10, looser=False)
    looser = Override("SLO_GQL_P95_MS", 500, 900, looser=True)
    run = run_of(plan=plan_of(overrides=(stricter, looser)))
    verdict = conclude(run, Gathered((), ()), finished_at=NOW, key_id="k")
    assert verdict.overrides == (looser, stricter)
    assert running(run, key_id="k").overrides == (looser, stricter)


def test_waivers_of_all_that_is_red_change_the_exit_code_of_a_fail_and_nothing_else() -> None:
    def waived(*checks: str, missing: int = 0, interrupted: str | None = None) -> Verdict:
        made = conclude(
            run_of(),
            Gathered(tuple(GREEN.values())[missing:], ()),
            finished_at=NOW,
            key_id="k",
            interrupted=interrupted,
        )
        until = NOW + timedelta(days=1)
        waivers = tuple(Waiver(check, "release manager", "known, ticket 7", until) for check in checks)
        return replace(made, waivers=waivers)

    first, second = (f"{kind}.present" for kind in tuple(GREEN)[:2])
    failed = waived(first, second, missing=2)
    assert (failed.verdict, failed.exit_code, failed.waived) == (Word.FAIL, ExitCode.WAIVED, True)
    assert waived(first, missing=2).exit_code is ExitCode.FAIL
    assert waived(second, missing=1).exit_code is ExitCode.FAIL
    assert waived(missing=1).exit_code is ExitCode.FAIL
    assert waived(first).exit_code is ExitCode.PASS
    assert waived(first, missing=1, interrupted=KILLED).exit_code is ExitCode.INCONCLUSIVE


def test_a_run_that_has_only_started_is_inconclusive() -> None:
    verdict = running(run_of(), key_id="k")
    assert (verdict.verdict, verdict.state, verdict.finished_at) == (Word.INCONCLUSIVE, State.RUNNING, None)
    assert verdict.exit_code is ExitCode.INCONCLUSIVE
    assert verdict.broken


def test_exit_codes_are_those_of_the_design() -> None:
    assert {code.name: int(code) for code in ExitCode} == {
        "PASS": 0,
        "FAIL": 1,
        "USAGE": 2,
        "INCONCLUSIVE": 3,
        "NO_VERDICT": 4,
        "WAIVED": 5,
    }


_evidence = st.lists(st.sampled_from(sorted(ENDINGS)).map(ENDINGS.__getitem__), max_size=8)
_greens = st.lists(st.sampled_from(KINDS).map(GREEN.__getitem__), max_size=8)
_faults = st.lists(
    st.builds(Fault, st.sampled_from(KINDS), st.sampled_from(FaultCode), st.just("x")), max_size=3
)
_interrupted = st.sampled_from([None, KILLED])


@given(_evidence, _greens, _faults, _interrupted)
def test_the_rules_hold_for_any_evidence(
    ended: list[Stored], greens: list[Stored], faults: list[Fault], interrupted: str | None
) -> None:
    evidence = [*ended, *greens]
    verdict = concluded(*evidence, faults=tuple(faults), interrupted=interrupted)
    statuses = {s.record.status for s in evidence} | {fault.status for fault in faults}
    kinds = {s.record.kind for s in evidence} | {fault.kind for fault in faults}
    missing = not set(KINDS) <= kinds
    # Where the ledger itself is broken, nothing is missing: nothing could be looked for.
    if Status.FAILED in statuses or Status.NOT_APPLICABLE in statuses or (missing and interrupted is None):
        assert verdict.verdict is Word.FAIL
    elif statuses & {Status.ERROR, Status.INCONCLUSIVE} or interrupted:
        assert verdict.verdict is Word.INCONCLUSIVE
    else:
        assert verdict.verdict is Word.PASS
    assert (verdict.verdict is Word.PASS) == (verdict.broken == "")


@given(_evidence, _greens, _faults, _interrupted, st.data())
def test_more_red_never_turns_a_verdict_greener(
    ended: list[Stored],
    greens: list[Stored],
    faults: list[Fault],
    interrupted: str | None,
    data: st.DataObject,
) -> None:
    # Evidence of a kind that is there already, so that nothing missing is supplied.
    evidence = [*ended, *greens, *GREEN.values()]
    before = concluded(*evidence, faults=tuple(faults), interrupted=interrupted).verdict
    red = [ending for _, ending in sorted(ENDINGS.items(), key=lambda item: item[0])]
    worse = concluded(
        *evidence,
        data.draw(st.sampled_from(red)),
        faults=(*faults, *data.draw(_faults)),
        interrupted=interrupted or data.draw(_interrupted),
    ).verdict
    assert STRICTNESS.index(worse) >= STRICTNESS.index(before)


@given(_evidence, _greens, _faults, _interrupted, st.randoms())
def test_the_order_of_evidence_is_irrelevant(
    ended: list[Stored], greens: list[Stored], faults: list[Fault], interrupted: str | None, random: object
) -> None:
    evidence = [*ended, *greens]
    first = concluded(*evidence, faults=tuple(faults), interrupted=interrupted)
    random.shuffle(evidence)  # type: ignore[attr-defined]
    random.shuffle(faults)  # type: ignore[attr-defined]
    assert concluded(*evidence, faults=tuple(faults), interrupted=interrupted) == first


def test_nothing_required_is_never_a_silent_pass_of_red_evidence() -> None:
    run: RecordedRun = replace(run_of(), required=())
    gathered = Gathered((ENDINGS["perf_gql", Status.FAILED],), ())
    assert conclude(run, gathered, finished_at=NOW, key_id="k").verdict is Word.FAIL
