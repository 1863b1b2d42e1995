"""Each check sees its red, and no record is green for want of something to judge."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hologram_dagster.evidence.check import GREEN, Check, Severity
from hologram_dagster.evidence.gathered import Fault, FaultCode, Gathered, Stored
from hologram_dagster.evidence.judge import CHECKS, CheckResult, judge, judge_gathered
from hologram_dagster.evidence.record import Record
from hologram_dagster.observation import Finding, Observation, Status
from hologram_dagster.profiles import EVIDENCE, PROFILES, Plan, ProfileName
from hologram_dagster_tests.evidence.helpers import (
    NOT_STEPS,
    NOW,
    WARNINGS,
    identity,
    observation,
    plan_of,
    signer,
    with_finding,
)

pytestmark = [pytest.mark.phase6_perf, pytest.mark.phase8_e2e]

STEPS = [
    (kind, check.name)
    for kind, checks in CHECKS.items()
    for check in checks
    if check.name not in {*NOT_STEPS, *WARNINGS}
]


def record_of(seen: Observation) -> Record:
    return Record.from_observation(seen, identity(), signer(), now=NOW)


def results(seen: Observation, plan: Plan | None = None) -> dict[str, CheckResult]:
    judged = judge(record_of(seen), plan or plan_of())
    assert [result.check for result in judged] == [check.name for check in CHECKS[seen.kind]]
    assert {result.kind for result in judged} == {seen.kind}
    return {result.check: result for result in judged}


def red(seen: Observation, plan: Plan | None = None) -> dict[str, CheckResult]:
    return {name: result for name, result in results(seen, plan).items() if result.red}


def test_every_required_kind_has_checks_with_names_of_their_own() -> None:
    assert set(CHECKS) == set(EVIDENCE)
    for checks in CHECKS.values():
        assert len({check.name for check in checks}) == len(checks)
        assert all(isinstance(check, Check) and check.description for check in checks)


@pytest.mark.parametrize("kind", CHECKS)
def test_all_is_green_when_all_is_well(kind: str) -> None:
    assert {result.status for result in results(observation(kind)).values()} == {Status.PASSED}


@pytest.mark.parametrize(("kind", "name"), STEPS)
def test_a_step_that_failed_was_skipped_or_is_missing_is_red(kind: str, name: str) -> None:
    strict = plan_of(ProfileName.MAIN, gql_samples=5, enc_mb=1)
    good = observation(kind)
    missing = replace(good, findings=tuple(finding for finding in good.findings if finding.name != name))
    assert red(missing, strict)[name].status is Status.FAILED
    skipped = with_finding(good, name, Status.NOT_APPLICABLE, "no such mutation")
    assert "no such mutation" in red(replace(skipped, status=Status.PASSED), strict)[name].message
    for status in (Status.FAILED, Status.ERROR, Status.INCONCLUSIVE):
        result = red(with_finding(good, name, status, "the cause"), strict)[name]
        assert (result.status, result.message) == (status, "the cause")


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"ratio": 1.0, "threshold_pct": 300.0}, "a threshold of 300 %, planned 10 %"),
        ({"ratio": 1.0}, "no threshold"),
        ({"threshold_pct": 10.0}, "without a ratio"),
    ],
)
def test_a_comparison_by_another_threshold_or_without_a_ratio_is_red(
    values: dict[str, float], why: str
) -> None:
    seen = replace(observation("regression_gql"), values=values)
    assert why in red(seen)["no_regression"].message


def test_a_figure_within_its_limit_is_not_given_as_the_cause_of_a_failure() -> None:
    failed = with_finding(observation("regression_gql"), "no_regression", Status.FAILED, "slow calls")
    slower, tail = (replace(failed, values={"ratio": ratio, "threshold_pct": 10.0}) for ratio in (1.2, 1.01))
    by_wall, by_tail = (red(seen)["no_regression"] for seen in (slower, tail))
    assert by_wall.value == pytest.approx(20)
    assert (by_wall.limit, by_wall.unit) == (5, "%")
    assert (by_tail.value, by_tail.limit, by_tail.message) == (None, None, "slow calls")


@pytest.mark.parametrize("profile", [ProfileName.DEV, ProfileName.PR])
@pytest.mark.parametrize("status", [Status.FAILED, Status.ERROR, Status.NOT_APPLICABLE, None])
def test_a_best_effort_step_is_shown_and_never_red(profile: ProfileName, status: Status | None) -> None:
    good = observation("e2e_use")
    if status is None:
        seen = replace(
            good, findings=tuple(finding for finding in good.findings if finding.name != "uninstall")
        )
    else:
        seen = with_finding(good, "uninstall", status, "refused")
        if status is Status.NOT_APPLICABLE:
            seen = replace(seen, status=Status.PASSED)
    judged = results(seen, plan_of(profile))
    assert not [result for result in judged.values() if result.red]
    shown = judged["uninstall"]
    assert (shown.status, shown.severity) == (Status.NOT_APPLICABLE, Severity.WARN)
    assert "best effort" in shown.message


def test_best_effort_excuses_no_other_step() -> None:
    seen = with_finding(observation("e2e_use"), "uninstall", Status.FAILED, "refused")
    assert set(red(with_finding(seen, "resolve", Status.FAILED, "other CID"))) == {"resolve"}


def test_a_step_done_twice_counts_by_its_worse_end() -> None:
    good = observation("e2e_install")
    again = replace(good, findings=(*good.findings, Finding("marketplace_install", Status.FAILED, "no")))
    assert red(again)["marketplace_install"].status is Status.FAILED


def test_a_p95_equal_to_the_budget_passes() -> None:
    seen = observation("perf_encode")
    result = results(replace(seen, values={**seen.values, "p95_ms": 500.0}))["p95_within_budget"]
    assert result.status is Status.PASSED
    assert (result.value, result.limit, result.unit) == (500.0, 500, "ms")


def test_a_p95_over_the_budget_says_figure_limit_and_by_how_much() -> None:
    seen = observation("perf_encode")
    plan = plan_of(budgets_ms={"verify": 15.0, "encode": 150.0, "gql": 150.0})
    result = results(replace(seen, values={**seen.values, "p95_ms": 181.5}), plan)["p95_within_budget"]
    assert result.status is Status.FAILED
    assert result.message == "p95 181.5 ms, budget 150 ms: over by 21 %"
    assert (result.value, result.limit, result.unit) == (181.5, 150.0, "ms")


@given(p95=st.floats(min_value=1e-6, max_value=1e9), budget=st.floats(min_value=1e-6, max_value=1e9))
def test_the_budget_binds_exactly(p95: float, budget: float) -> None:
    seen = observation("perf_verify")
    plan = plan_of(budgets_ms={"verify": budget, "encode": 1.0, "gql": 1.0})
    result = results(replace(seen, values={**seen.values, "p95_ms": p95}), plan)["p95_within_budget"]
    assert result.red == (p95 > budget)


def test_the_budget_is_the_plan_s_whatever_the_record_says() -> None:
    seen = observation("perf_verify")
    seen = replace(seen, values={**seen.values, "p95_ms": 60.0, "budget_ms": 1000.0})
    assert "p95_within_budget" in red(seen)


@pytest.mark.parametrize("kind", ["perf_verify", "perf_encode", "perf_gql"])
@pytest.mark.parametrize("figure", ["p50_ms", "p95_ms", "p99_ms", "avg_ms", "n"])
def test_a_missing_figure_is_red(kind: str, figure: str) -> None:
    seen = observation(kind)
    without = replace(seen, values={name: value for name, value in seen.values.items() if name != figure})
    assert figure in red(without)["evidence_complete"].message


@pytest.mark.parametrize("kind", ["perf_verify", "perf_encode", "perf_gql"])
def test_without_any_figure_nothing_is_green_that_needs_one(kind: str) -> None:
    assert set(red(replace(observation(kind), values={}))) == {"p95_within_budget", "evidence_complete"}


def test_wrong_answers_are_told_once() -> None:
    seen = with_finding(observation("perf_verify"), "answers_correct", Status.FAILED, "digest is wrong")
    judged = results(replace(seen, values={"payload_bytes": 65_536.0}))
    assert [result.check for result in judged.values() if result.red] == ["answers_correct"]
    assert judged["p95_within_budget"].message == "not judged: digest is wrong"


@pytest.mark.parametrize(("kind", "planned"), [("perf_verify", 60), ("perf_encode", 30), ("perf_gql", 5)])
def test_other_samples_than_planned_are_red(kind: str, planned: int) -> None:
    for n in (planned - 1, planned + 1):
        seen = observation(kind)
        result = red(replace(seen, values={**seen.values, "n": n}))["evidence_complete"]
        assert (result.value, result.limit) == (n, planned)


def test_another_payload_than_planned_is_red() -> None:
    seen = observation("perf_encode")
    assert "payload" in red(seen, plan_of(enc_mb=4))["evidence_complete"].message
    unknown = replace(seen, values={k: v for k, v in seen.values.items() if k != "payload_bytes"})
    assert "unknown payload" in red(unknown)["evidence_complete"].message


def test_gql_samples_follow_the_plan() -> None:
    assert "evidence_complete" in red(observation("perf_gql"), plan_of(gql_samples=20))


@pytest.mark.parametrize("kind", CHECKS)
@pytest.mark.parametrize("status", [Status.ERROR, Status.INCONCLUSIVE])
def test_what_could_not_be_observed_is_one_red_line_with_its_cause(kind: str, status: Status) -> None:
    seen = replace(
        observation(kind, status), values={}, findings=(Finding("registry", status, "connection refused"),)
    )
    judged = results(seen)
    assert judged.pop("observed").status is status
    assert {result.status for result in judged.values()} == {Status.NOT_APPLICABLE}
    assert all("connection refused" in result.message for result in judged.values())


def test_steps_skipped_because_a_service_died_are_not_failures() -> None:
    seen = observation("e2e_publish", Status.ERROR)
    first, *others = [finding.name for finding in seen.findings]
    skipped = [Finding(name, Status.NOT_APPLICABLE, f"{first} broke off") for name in others]
    died = replace(seen, findings=(Finding(first, Status.ERROR, "connection refused"), *skipped))
    assert {result.status for result in red(died).values()} == {Status.ERROR}


def test_wrong_answers_fail_even_if_the_worker_died_afterwards() -> None:
    seen = with_finding(observation("perf_gql"), "answers_correct", Status.FAILED, "3 of 5 wrong")
    died = replace(seen, status=Status.ERROR)
    assert red(died)["answers_correct"].status is Status.FAILED


def test_a_time_of_a_launch_that_erred_is_no_time() -> None:
    seen = replace(observation("perf_gql", Status.ERROR), findings=())
    assert results(seen)["p95_within_budget"].status is Status.NOT_APPLICABLE


def test_an_error_that_is_only_best_effort_leaves_no_step_unjudged() -> None:
    uninstall = Finding("uninstall", Status.ERROR, "timeout")
    seen = replace(observation("e2e_use", Status.ERROR), findings=(uninstall,))
    assert set(red(seen)) == {"resolve", "search"}


def test_a_failure_that_no_check_covers_is_red() -> None:
    seen = with_finding(observation("e2e_use"), "fetch", Status.FAILED, "other bytes")
    assert red(seen)["observed"].message == "fetch: other bytes"
    assert red(replace(seen, status=Status.PASSED))["observed"].status is Status.FAILED


def test_a_failure_without_a_cause_is_red() -> None:
    assert red(observation("e2e_use", Status.FAILED))["observed"].status is Status.FAILED


@pytest.mark.parametrize("kind", CHECKS)
def test_not_applicable_is_red_where_the_profile_requires_it(kind: str) -> None:
    seen = replace(
        observation(kind, Status.NOT_APPLICABLE),
        findings=(Finding("x", Status.NOT_APPLICABLE, "no registry here"),),
    )
    result = red(seen)["observed"]
    assert result.status is Status.FAILED
    assert "no registry here" in result.message


def test_not_applicable_is_shown_where_the_profile_allows_it() -> None:
    profile = replace(PROFILES[ProfileName.DEV], best_effort=frozenset({"e2e_install"}))
    seen = replace(
        observation("e2e_install", Status.NOT_APPLICABLE),
        findings=(Finding("x", Status.NOT_APPLICABLE, "read-only registry"),),
    )
    judged = results(seen, replace(plan_of(), profile=profile))
    assert not [result for result in judged.values() if result.red]
    assert judged["observed"].message == "not applicable: read-only registry"
    lying = with_finding(seen, "marketplace_install", Status.FAILED, "refused")
    assert red(replace(lying, status=Status.NOT_APPLICABLE), replace(plan_of(), profile=profile))


@given(
    kind=st.sampled_from(sorted(CHECKS)),
    status=st.sampled_from(Status),
    findings=st.lists(
        st.builds(
            Finding,
            st.sampled_from(["resolve", "answers_correct", "search", "uninstall", "publishApp", "other"]),
            st.sampled_from(Status),
        ),
        max_size=5,
    ),
)
def test_only_what_passed_or_is_best_effort_is_green(
    kind: str, status: Status, findings: list[Finding]
) -> None:
    seen = replace(observation(kind, status), findings=tuple(findings))
    strict = plan_of(
        ProfileName.MAIN, gql_samples=5, enc_mb=1, budgets_ms={"verify": 8, "encode": 80, "gql": 80}
    )
    judged = judge(record_of(seen), strict)
    bad = status is not Status.PASSED or any(f.status not in GREEN for f in findings)
    assert not bad or any(result.red for result in judged)
    failed = status is Status.FAILED or any(f.status is Status.FAILED for f in findings)
    if status in (Status.PASSED, Status.FAILED) and failed:
        assert any(result.status is Status.FAILED for result in judged)


def stored(seen: Observation) -> Stored:
    return Stored(record_of(seen), "file:///x", "x", "0" * 64)


def test_where_no_record_counts_every_check_is_red() -> None:
    nothing = judge_gathered("e2e_use", Gathered((), ()), plan_of())
    assert [result.check for result in nothing] == [check.name for check in CHECKS["e2e_use"]]
    assert {result.status for result in nothing} == {Status.FAILED}
    fault = Fault("e2e_use", FaultCode.EDITED, "file:///x: the record was changed")
    beside = Gathered((stored(observation("e2e_use")),), (fault,))
    assert {result.message for result in judge_gathered("e2e_use", beside, plan_of())} == {fault.message}
    down = Gathered((), (Fault("e2e_use", FaultCode.UNAVAILABLE, "no answer"),))
    assert {result.status for result in judge_gathered("e2e_use", down, plan_of())} == {Status.ERROR}
    ledger = Gathered((), (Fault("ledger", FaultCode.LEDGER, "bad_seq"),))
    assert {result.status for result in judge_gathered("e2e_use", ledger, plan_of())} == {Status.FAILED}


def test_a_record_that_counts_is_judged() -> None:
    seen = observation("e2e_use")
    assert judge_gathered("e2e_use", Gathered((stored(seen),), ()), plan_of()) == judge(
        record_of(seen), plan_of()
    )
