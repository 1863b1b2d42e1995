"""What was read becomes what is judged: without the protocol's share, and not at a liar's word."""

import math
from collections.abc import Sequence

import pytest

from hologram_dagster.errors import HologramError
from hologram_dagster.perf.paired.job import LaunchSamples, Rows, SideSamples
from hologram_dagster.perf.paired.rule import Check, Limits, Verdict, decide
from hologram_dagster.perf.paired.samples import evaluate
from hologram_dagster.perf.paired.schedule import Size

pytestmark = pytest.mark.phase6_perf

_CYCLES, _BLOCK, _DROPPED = 20, 9, 2
_KEPT = _BLOCK - _DROPPED


def worker(call: float, *, beside: float = 0, told: float | None = None, cpu: float = 1) -> SideSamples:
    """Blocks of calls of `call` ns with `beside` ns of protocol.

    `told` is what the worker claims of a call; of every ns `cpu` is CPU time.
    """
    claim = call if told is None else told
    block = _BLOCK * call + beside

    def grid(ns: float, width: int) -> Rows:
        return ((round(ns),) * width,) * _CYCLES

    return SideSamples(
        wall=grid(claim, 2 * _KEPT),
        cpu=grid(cpu * claim, 2 * _KEPT),
        block_cpu=grid(cpu * block, 2),
        beside_wall=grid(block - _BLOCK * claim, 2),
        beside_cpu=grid(cpu * (block - _BLOCK * claim), 2),
    )


def server(call: float) -> SideSamples:
    return SideSamples(wall=((round(call),) * 10,) * _CYCLES, cpu=((round(call),) * 10,) * _CYCLES)


def launch(a: SideSamples, b: SideSamples) -> LaunchSamples:
    return LaunchSamples(size=Size(block=_BLOCK, dropped=_DROPPED, cycles=_CYCLES), a=a, b=b)


def test_the_protocol_does_not_dilute() -> None:
    a, b = worker(200_000, beside=6_000_000), worker(240_000, beside=6_000_000)
    result = evaluate(launch(a, b), Limits())
    assert math.exp(result.values[Check.WALL]) == pytest.approx(1.2)
    assert math.exp(result.values[Check.CPU]) == pytest.approx(1.2)


def test_much_slower_calls_are_no_lie() -> None:
    result = evaluate(launch(worker(1_000_000), worker(9_000_000)), Limits())
    assert math.exp(result.values[Check.WALL]) == pytest.approx(9)


def test_values_negate_under_swap() -> None:
    a, b = server(600_000), server(700_000)
    one, other = evaluate(launch(a, b), Limits()), evaluate(launch(b, a), Limits())
    for check in (Check.WALL, Check.CPU, Check.SPREAD):
        assert one.values[check] == pytest.approx(-other.values[check])


@pytest.mark.parametrize("liar", ["candidate", "baseline"])
def test_a_worker_that_hides_half_its_time_is_not_believed(liar: str) -> None:
    honest, lying = worker(1_000_000), worker(2_000_000, told=1_000_000)
    pair = (honest, lying) if liar == "candidate" else (lying, honest)
    with pytest.raises(HologramError, match=f"{liar}: its own account"):
        evaluate(launch(*pair), Limits())


def test_a_worker_that_hides_a_little_work_is_seen_by_its_cpu_time() -> None:
    result = evaluate(launch(worker(1_000_000), worker(1_150_000, told=1_000_000)), Limits())
    assert result.values[Check.WALL] == pytest.approx(0)
    assert math.exp(result.values[Check.CPU]) == pytest.approx(1.15)


def test_a_baseline_that_claims_much_beside_its_calls_hides_nothing_of_the_candidate() -> None:
    baseline, candidate = worker(1_000_000, told=950_000), worker(1_150_000, told=1_000_000)
    assert evaluate(launch(baseline, candidate), Limits()).values[Check.CPU] > Limits().limit(Check.CPU)


def test_a_clock_that_stands_still_is_no_time() -> None:
    for still in (worker(1_000_000, cpu=0), worker(1_000_000, cpu=0).model_copy(update={"cpu": None})):
        with pytest.raises(HologramError, match="stands still"):
            evaluate(launch(still, still), Limits())


def test_without_the_workers_own_account_its_blocks_are_compared() -> None:
    a, b = (worker(ns).model_copy(update={"cpu": None, "beside_cpu": None}) for ns in (1e6, 1.1e6))
    result = evaluate(launch(a, b), Limits())
    assert math.exp(result.values[Check.CPU]) == pytest.approx(1.1)
    assert Check.TAIL_CPU not in result.values


def test_without_cpu_times_there_is_no_cpu_check() -> None:
    a, b = (
        worker(1_000_000).model_copy(update={"cpu": None, "block_cpu": None, "beside_cpu": None})
        for _ in range(2)
    )
    assert set(evaluate(launch(a, b), Limits()).values) == {Check.WALL, Check.TAIL_WALL, Check.SPREAD}


def test_servers_are_timed_from_outside_alone() -> None:
    result = evaluate(launch(server(1_000_000), server(1_100_000)), Limits())
    assert math.exp(result.values[Check.WALL]) == pytest.approx(1.1)
    assert math.exp(result.values[Check.CPU]) == pytest.approx(1.1)


def test_a_wide_margin_does_not_take_a_shift_for_a_tail() -> None:
    shifted = launch(server(1_000_000), server(1_550_000))
    assert evaluate(shifted, Limits(10)).values[Check.TAIL_WALL] == 1
    assert evaluate(shifted, Limits(120)).values[Check.TAIL_WALL] == 0


def scattered(calls: Sequence[float]) -> SideSamples:
    """A server whose calls of a cycle all take so long, ns."""
    grid = tuple((round(call),) * 10 for call in calls)
    return SideSamples(wall=grid, cpu=grid)


@pytest.mark.parametrize(
    ("scatter", "counts"), [(0.01, True), (0.05, True), (0.8, False)], ids=["quiet", "busy", "wild"]
)
def test_a_launch_counts_only_where_its_own_scatter_allows_for_a_slowdown(
    scatter: float, counts: bool
) -> None:
    baseline = server(600_000)
    swings = [scatter * (2 * cycle / (_CYCLES - 1) - 1) for cycle in range(_CYCLES)]
    candidate = scattered([600_000 * math.exp(0.1 + swing) for swing in swings])
    launches = [evaluate(launch(baseline, candidate), Limits())] * 3
    assert launches[0].values[Check.WALL] == pytest.approx(0.1, abs=1e-3)
    assert (decide(launches, Limits()).checks[Check.WALL].verdict is Verdict.FAIL) is counts


def test_too_few_cycles_for_bounds_excuse_nothing() -> None:
    slow = LaunchSamples(
        size=Size(block=_BLOCK, dropped=_DROPPED, cycles=3),
        a=scattered([600_000] * 3),
        b=scattered([700_000] * 3),
    )
    assert decide([evaluate(slow, Limits())] * 3, Limits()).verdict is Verdict.FAIL
