"""Refusals and fallbacks that a healthy machine does not show, and the words for a result."""

import dataclasses
import math
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from hologram_dagster.errors import HologramError
from hologram_dagster.perf.paired import compare, loop
from hologram_dagster.perf.paired.caller import Block
from hologram_dagster.perf.paired.compare import Comparison, LaunchRecord, Options, compare_workers
from hologram_dagster.perf.paired.job import LaunchSamples, SideSamples, without_gc
from hologram_dagster.perf.paired.loop import Loop, SideError
from hologram_dagster.perf.paired.process_tree import ProcessTree
from hologram_dagster.perf.paired.rule import Check, Limits
from hologram_dagster.perf.paired.samples import evaluate
from hologram_dagster.perf.paired.schedule import Order, Size
from hologram_dagster.perf.paired.wording import facts, launch_line, sentence, values
from hologram_dagster.processes import scrubbed_environment
from hologram_dagster_tests.perf_paired.commands import slow_worker

pytestmark = pytest.mark.phase6_perf


class InProcess:
    """A server in this very process, which counts its calls."""

    def __init__(
        self,
        answer: Callable[[int], object] = lambda call: "same",
        *,
        tells_cpu: bool = True,
        ns: int = 1_100_000,
    ) -> None:
        self.tree = ProcessTree(os.getpid())
        self.calls = 0
        self._answer = answer
        self._tells_cpu = tells_cpu
        self._ns = ns

    def block(self, calls: int, *, cpu: bool) -> Block:
        self.calls += calls
        return Block(
            wall=[self._ns] * calls,
            cpu=[1_000_000] * calls if cpu and self._tells_cpu else None,
            answers=[self._answer(number) for number in range(self.calls - calls + 1, self.calls + 1)],
        )


class Worker(InProcess):
    """The same as a worker, which needs 1 ms beside its calls."""

    def block(self, calls: int, *, cpu: bool) -> Block:
        block = super().block(calls, cpu=cpu)
        outside = sum(block.wall) + 1_000_000
        return dataclasses.replace(block, outside=outside, outside_cpu=outside if cpu else None)


_ORDERS: tuple[Order, ...] = ("ABBA", "BAAB") * 10


def test_loop_measures_both_sides_alike() -> None:
    a, b = InProcess(), InProcess()
    samples = Loop({"A": [a], "B": [b]}).run(_ORDERS, worker=False)
    assert a.calls == b.calls
    assert samples.size == Size(block=6, dropped=1, cycles=20)
    for side in (samples.a, samples.b):
        assert side.cpu is not None
        assert len(side.wall) == len(side.cpu) == 20
        assert {len(row) for row in (*side.wall, *side.cpu)} == {10}
        assert side.block_cpu is side.beside_wall is side.beside_cpu is None


def test_loop_reads_workers_from_outside_too() -> None:
    samples = Loop({"A": [Worker()], "B": [Worker()]}).run(_ORDERS, worker=True)
    size = samples.size
    outside_ns = size.block * 1_100_000 + 1_000_000
    for side in (samples.a, samples.b):
        assert {len(row) for row in side.wall} == {size.kept}
        assert side.block_cpu == ((outside_ns,) * 2,) * size.cycles
        assert side.beside_wall == ((1_000_000,) * 2,) * size.cycles
        assert side.beside_cpu == ((outside_ns - size.block * 1_000_000,) * 2,) * size.cycles


def test_the_blocks_of_a_side_go_to_its_processes_in_turn() -> None:
    slow, fast = InProcess(ns=1_300_000), InProcess()
    samples = Loop({"A": [InProcess(), InProcess()], "B": [slow, fast]}).run(_ORDERS, worker=False)
    assert samples.processes == 2
    assert slow.calls == fast.calls
    assert set(samples.b.wall) == {(1_300_000,) * 5 + (1_100_000,) * 5}
    # One unlucky process of two is no slowdown and no spread; both are one.
    seen = evaluate(samples, Limits()).values
    assert seen[Check.WALL] == seen[Check.SPREAD] == 0
    both = Loop({"A": [InProcess(), InProcess()], "B": [slow, slow]}).run(_ORDERS, worker=False)
    assert evaluate(both, Limits()).values[Check.WALL] == pytest.approx(math.log(1.3 / 1.1))


def test_a_worker_that_does_not_tell_its_cpu_time_is_named() -> None:
    samples = Loop({"A": [Worker()], "B": [Worker(tells_cpu=False)]}).run(_ORDERS, worker=True)
    assert samples.fallbacks == (loop.NO_ACCOUNT,)
    assert samples.b.cpu is None
    assert samples.b.block_cpu is not None


@pytest.mark.parametrize("call", [1, 2, 40, 300])
def test_one_wrong_answer_anywhere_is_an_error(call: int) -> None:
    wrong = InProcess(lambda number: "other" if number == call else "same")
    with pytest.raises(SideError, match="candidate: it gave another answer") as caught:
        Loop({"A": [InProcess()], "B": [wrong]}).run(_ORDERS, worker=False)
    assert caught.value.side == "B"


def test_without_a_cpu_clock_wall_time_decides_and_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "has_cpu_clock", lambda pid: False)
    samples = Loop({"A": [InProcess()], "B": [InProcess()]}).run(_ORDERS, worker=False)
    assert samples.a.cpu is samples.b.cpu is None
    assert samples.fallbacks == (loop.NO_CLOCK,)


def _measured(ratios: tuple[float, ...], *, cpu_only: bool = False) -> Callable[..., LaunchSamples]:
    remaining = iter(ratios)

    def run_launch(*_: object, **__: object) -> LaunchSamples:
        def side(ns: float) -> SideSamples:
            wall = 1_000_000 if cpu_only else round(ns)
            return SideSamples(wall=((wall,) * 10,) * 20, cpu=((round(ns),) * 10,) * 20)

        return LaunchSamples(
            size=Size(block=6, dropped=1, cycles=20), a=side(1_000_000), b=side(1_000_000 * next(remaining))
        )

    return run_launch


def compared(monkeypatch: pytest.MonkeyPatch, *ratios: float, options: Options | None = None) -> Comparison:
    """A comparison whose launches were measured at `ratios`."""
    monkeypatch.setattr(compare, "run_launch", _measured(ratios))
    return compare_workers(
        "encode",
        baseline=slow_worker(),
        candidate=slow_worker(),
        payload_bytes=1,
        options=options or Options(seed=7),
    )


def test_launches_go_on_until_the_rule_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(compared(monkeypatch, 1.0).launches) == 1
    assert len(compared(monkeypatch, 1.2, 1.2, 1.2).launches) == 3
    weak = compared(monkeypatch, 1.2, 1.0, 1.2, 1.0, 1.2)
    assert (weak.verdict, len(weak.launches)) == ("fail", 5)
    assert sentence(weak).splitlines()[0].endswith("slower, limit 5 % (weak, 3 : 2)")
    assert facts(weak)["weak"] == "yes"


def test_everything_that_was_asked_for_is_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[LaunchRecord] = []
    comparison = compared(monkeypatch, 1.2, 1.2, 1.2, options=Options(seed=7, progress=lines.append))
    text = sentence(comparison)
    for part in ("x1.200", "1.200 to 1.200", "3 launches", "margin 5 %", "threshold of 10 %"):
        assert part in text, text
    assert text.splitlines()[0] == "encode: 20.0 % slower, limit 5 %"
    assert "Wall time: x1.200, over the limit of x1.050 in 3 of 3 launches." in text
    assert launch_line(lines[0]).startswith("wall x1.200")
    assert len(lines) == 3
    numbers = values(comparison)
    assert numbers["ratio"] == pytest.approx(1.2)
    assert numbers["launch3_wall_ratio"] == pytest.approx(1.2)
    assert numbers["margin_pct"] == 5
    assert facts(comparison)["seed"] == "7"


def test_a_fail_by_cpu_time_alone_leads_with_that(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compare, "run_launch", _measured((1.2, 1.2, 1.2), cpu_only=True))
    comparison = compare_workers("encode", baseline=slow_worker(), candidate=slow_worker(), payload_bytes=1)
    lead, details = sentence(comparison).splitlines()[:2]
    assert lead == "encode: 20.0 % more CPU time, limit 5 %"
    assert details.startswith("Candidate takes x1.000")


def test_a_pass_above_half_the_margin_warns(monkeypatch: pytest.MonkeyPatch) -> None:
    comparison = compared(monkeypatch, 1.04, 1.04, 1.04)
    assert comparison.verdict == "pass"
    assert "Warning: wall time x1.040" in sentence(comparison)


def test_the_threshold_moves_the_margin(monkeypatch: pytest.MonkeyPatch) -> None:
    assert compared(monkeypatch, 1.08, 1.08, 1.08, options=Options(limits=Limits(20))).verdict == "pass"
    assert compared(monkeypatch, 1.08, 1.08, 1.08, options=Options(limits=Limits(10))).verdict == "fail"


def test_an_error_is_no_verdict_whatever_was_measured_before(monkeypatch: pytest.MonkeyPatch) -> None:
    good = _measured((1.2,))

    def breaks(*given: object, **named: object) -> LaunchSamples:
        try:
            return good(*given, **named)
        except StopIteration:
            raise HologramError("candidate: it died") from None

    monkeypatch.setattr(compare, "run_launch", breaks)
    comparison = compare_workers("encode", baseline=slow_worker(), candidate=slow_worker(), payload_bytes=1)
    assert comparison.verdict == "error"
    assert len(comparison.launches) == 1
    assert sentence(comparison) == "encode: no verdict: candidate: it died"
    assert facts(comparison)["verdict"] == "error"
    assert "ratio" not in values(comparison)


def test_a_machine_with_one_core_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compare, "usable_cores", lambda: (0,))
    comparison = compared(monkeypatch, 1.0)
    assert comparison.fallbacks == (
        "this machine has one core: measured beside everything else that runs on it",
    )
    assert "Fallback: this machine has one core" in sentence(comparison)


def test_a_machine_that_cannot_pin_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity")
    comparison = compared(monkeypatch, 1.0)
    assert comparison.verdict == "error"
    assert comparison.error is not None
    assert "cannot pin" in comparison.error


@pytest.mark.parametrize("way", [("-m", "hologram_dagster.perf.paired.gc_off"), ()])
def test_gc_off_runs_a_module_as_if_it_were_the_program(way: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "gc_state.py").write_text(
        "import gc, statistics, sys\n"
        "statistics.median([1])\n"
        "print(gc.isenabled(), gc.get_freeze_count() > 0, sys.argv[1:], __name__)\n"
    )
    command = (
        [sys.executable, *way, "gc_state", "one", "two"]
        if way
        else without_gc(sys.executable, "gc_state", "one", "two")
    )
    shown = subprocess.run(command, capture_output=True, check=True, cwd=tmp_path, env=scrubbed_environment())
    assert shown.stdout == b"False True ['one', 'two'] __main__\n"


def test_gc_off_wants_a_module() -> None:
    shown = subprocess.run(without_gc(sys.executable, "")[:-1], capture_output=True, check=False)
    assert shown.returncode == 1
    assert b"usage" in shown.stderr
