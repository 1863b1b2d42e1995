"""Each threshold of load is one check of the record's figures against the plan, and sees its red."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hologram_dagster.evidence.check import CheckResult
from hologram_dagster.evidence.judge import judge
from hologram_dagster.evidence.record import Record
from hologram_dagster.evidence.run import record_run, run_from_json, run_json
from hologram_dagster.observation import Finding, Observation, Status
from hologram_dagster.profiles import LOAD, PROFILES, TRAFFIC, Plan, ProfileName, apply_overrides
from hologram_dagster.settings import load_settings
from hologram_dagster_tests.evidence.helpers import (
    LOADS,
    NOW,
    identity,
    observation,
    plan_of,
    run_of,
    signer,
    with_finding,
)

pytestmark = [pytest.mark.phase6_perf, pytest.mark.phase8_e2e]

NIGHTLY = plan_of(ProfileName.NIGHTLY)


def results(seen: Observation, plan: Plan = NIGHTLY) -> dict[str, CheckResult]:
    record = Record.from_observation(seen, identity(), signer(), now=NOW)
    return {result.check: result for result in judge(record, plan)}


def red(seen: Observation, plan: Plan = NIGHTLY) -> dict[str, CheckResult]:
    return {name: result for name, result in results(seen, plan).items() if result.red}


def with_values(kind: str, **values: float) -> Observation:
    return replace(observation(kind), values={**LOADS[kind], **values})


@pytest.mark.parametrize(
    ("kind", "check", "good", "bad"),
    [
        ("e2e_load", "delivery", {"delivered": 40, "rejected": 10}, {"delivered": 39, "rejected": 11}),
        ("e2e_stress", "delivery", {"delivered": 120, "rejected": 80}, {"delivered": 119, "rejected": 81}),
        ("e2e_load", "throughput", {"throughput_mbps": 0.101}, {"throughput_mbps": 0.1}),
        ("e2e_stress", "throughput", {"throughput_mbps": 0.051}, {"throughput_mbps": 0.05}),
        ("e2e_load", "p99_within_limit", {"p99_latency_ms": 4999}, {"p99_latency_ms": 5000}),
        ("e2e_load", "errors", {"delivered": 46, "error_count": 4}, {"delivered": 45, "error_count": 5}),
    ],
)
def test_thresholds_are_those_of_contract_3_7(
    kind: str, check: str, good: dict[str, float], bad: dict[str, float]
) -> None:
    assert red(with_values(kind, **good)) == {}
    assert set(red(with_values(kind, **bad))) == {check}


def test_a_red_threshold_tells_the_first_error() -> None:
    seen = replace(with_values("e2e_load", delivered=20, error_count=30), facts={"first_error": "no disk"})
    told = red(seen)
    assert set(told) == {"delivery", "errors"}
    assert told["delivery"].message == (
        "20 of 50 operations (40.0 %) delivered, at least 80 %; the first error: no disk"
    )
    assert (told["delivery"].value, told["delivery"].limit) == (40, 80)


def test_stress_has_no_limit_of_errors_or_p99() -> None:
    assert not red(with_values("e2e_stress", delivered=120, error_count=80, p99_latency_ms=60_000))


@pytest.mark.parametrize("kind", TRAFFIC)
def test_nothing_delivered_is_red_by_delivery_and_not_for_want_of_latencies(kind: str) -> None:
    values = {name: value for name, value in LOADS[kind].items() if "latency" not in name}
    values |= {"delivered": 0, "error_count": values["sent"], "throughput_mbps": 0}
    told = red(replace(observation(kind), values=values))
    assert {"delivery", "throughput"} <= set(told) <= {"delivery", "throughput", "errors"}


@pytest.mark.parametrize("kind", TRAFFIC)
@pytest.mark.parametrize(
    "other",
    [{"sent": 10, "delivered": 10}, {"payload_bytes": 32}, {"workers": 1}, {"planned_ops_per_sec": 1}],
)
def test_other_traffic_than_planned_is_red(kind: str, other: dict[str, float]) -> None:
    assert "planned" in red(with_values(kind, **other))["evidence_complete"].message


@pytest.mark.parametrize("kind", TRAFFIC)
@pytest.mark.parametrize("lost", ["delivered", "throughput_mbps", "p99_latency_ms", "error_count", "workers"])
def test_a_missing_figure_is_red(kind: str, lost: str) -> None:
    values = {name: value for name, value in LOADS[kind].items() if name != lost}
    assert lost in red(replace(observation(kind), values=values))["evidence_complete"].message


@pytest.mark.parametrize("kind", TRAFFIC)
def test_operations_that_have_no_end_are_red(kind: str) -> None:
    sent = LOADS[kind]["sent"]
    assert red(with_values(kind, delivered=sent - 1))["evidence_complete"].message.startswith(
        f"{sent - 1:g} of"
    )


@pytest.mark.parametrize("kind", [*TRAFFIC, "perf_load"])
def test_one_wrong_answer_is_red_whatever_the_figures(kind: str) -> None:
    wrong = with_finding(observation(kind), "answers_correct", Status.FAILED, "1 of 50 wrong")
    assert set(red(wrong)) == {"answers_correct"}
    removal = with_finding(observation(kind), "removal", Status.FAILED, "2 names are left")
    assert red(removal)["observed"].message == "removal: 2 names are left"


@pytest.mark.parametrize("kind", TRAFFIC)
@given(data=st.data())
def test_the_thresholds_bind_exactly(kind: str, data: st.DataObject) -> None:
    sent = data.draw(st.integers(1, 10_000))
    delivered = data.draw(st.integers(0, sent))
    rejected = data.draw(st.integers(0, sent - delivered))
    failed = sent - delivered - rejected
    mbps = data.draw(st.floats(0, 1))
    traffic = replace(TRAFFIC[kind], duration_s=sent, ops_per_s=1)
    seen = with_values(
        kind, sent=sent, delivered=delivered, rejected=rejected, error_count=failed, throughput_mbps=mbps
    )
    seen = replace(seen, values={**seen.values, "planned_ops_per_sec": 1})
    told = set(red(seen, replace(NIGHTLY, traffic={kind: traffic})))
    assert ("delivery" in told) == (delivered / sent < traffic.least_delivered)
    assert ("throughput" in told) == (mbps <= traffic.above_mbps)
    if traffic.below_errors is not None:
        assert ("errors" in told) == (failed / sent >= traffic.below_errors)
    assert "evidence_complete" not in told


@pytest.mark.parametrize(
    ("p95", "lag", "expected"),
    [
        (100.0, 10.0, {}),
        (100.1, 10.0, {"p95_under_load": Status.FAILED}),
        (50.0, 10.1, {"send_lag": Status.INCONCLUSIVE, "p95_under_load": Status.INCONCLUSIVE}),
        (101.0, 10.1, {"send_lag": Status.INCONCLUSIVE, "p95_under_load": Status.INCONCLUSIVE}),
    ],
)
def test_the_p95_under_load_binds_to_the_plan_s_budget_unless_we_lagged(
    p95: float, lag: float, expected: dict[str, Status]
) -> None:
    seen = with_values("perf_load", p95_ms=p95, send_lag_p95_ms=lag, budget_ms=1e6)
    assert {name: result.status for name, result in red(seen).items()} == expected
    assert "p99 3 ms" in results(seen)["p95_under_load"].message


def test_a_wrong_answer_fails_even_if_we_lagged() -> None:
    seen = with_finding(observation("perf_load"), "answers_correct", Status.FAILED, "3 wrong")
    seen = replace(seen, values={**seen.values, "send_lag_p95_ms": 1000.0})
    assert red(seen)["answers_correct"].status is Status.FAILED


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"rate_per_s": 5}, "rate_per_s 5, planned 50"),
        ({"duration_s": 1}, "duration_s 1, planned 20"),
        ({"n": 7}, "n 7, planned 1000"),
    ],
)
def test_another_load_than_planned_is_red(changed: dict[str, float], why: str) -> None:
    assert red(with_values("perf_load", **changed))["evidence_complete"].message == why


@pytest.mark.parametrize("lost", ["p95_ms", "p99_ms", "send_lag_p95_ms", "rate_per_s"])
def test_a_missing_figure_of_load_is_red(lost: str) -> None:
    values = {name: value for name, value in LOADS["perf_load"].items() if name != lost}
    assert lost in red(replace(observation("perf_load"), values=values))["evidence_complete"].message


def test_the_ratio_is_shown_and_never_red() -> None:
    seen = with_values("perf_cold_warm", verify_ratio=5000)
    assert red(seen) == {}
    assert results(seen)["evidence_complete"].message == "cold to warm: verify 5000, encode 10, gql 10"


@pytest.mark.parametrize("lost", sorted(LOADS["perf_cold_warm"]))
def test_a_call_without_a_time_is_red(lost: str) -> None:
    values = {name: value for name, value in LOADS["perf_cold_warm"].items() if name != lost}
    assert lost in red(replace(observation("perf_cold_warm"), values=values))["evidence_complete"].message


@pytest.mark.parametrize("kind", LOADS)
def test_without_figures_nothing_is_green_that_needs_one(kind: str) -> None:
    told = red(replace(observation(kind), values={}))
    steps = {finding.name for finding in observation(kind).findings}
    assert set(told) == set(results(observation(kind))) - steps - {"observed"}


@pytest.mark.parametrize("kind", LOADS)
def test_a_load_that_broke_off_is_no_figure(kind: str) -> None:
    seen = replace(observation(kind, Status.ERROR), findings=(Finding("bug", Status.ERROR, "broke off"),))
    assert {name for name, result in results(seen).items() if result.red} == {"observed"}


def test_the_planned_load_is_kept_with_the_run() -> None:
    settings = load_settings(e2e_load_duration=1, load_rate_per_s=5)
    run = record_run(run_of().identity, apply_overrides(PROFILES[ProfileName.DEV], settings))
    assert run_from_json(run_json(run)) == run
    assert run.plan.traffic["e2e_load"].operations == 10
    assert run.plan.load.rate_per_s == 5
    before = run_json(run)
    for later in ("load", "traffic", "verify_samples", "encode_samples", "threshold_pct"):
        del before["plan"][later]
    old = run_from_json(before).plan
    assert (old.load, old.traffic, old.verify_samples, old.threshold_pct) == (LOAD, TRAFFIC, 60, 10)
