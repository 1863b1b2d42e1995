"""Real workers, really compared: what is slower fails, what breaks is never a time."""

import os
import re
from pathlib import Path

import pytest

from hologram_dagster.perf.paired.compare import Comparison, Options, compare_workers
from hologram_dagster.perf.paired.job import WorkerCommand
from hologram_dagster.perf.paired.launch import Patience
from hologram_dagster.perf.paired.rule import Check, Verdict
from hologram_dagster_tests.perf_paired.commands import broken_worker, slow_worker

pytestmark = pytest.mark.phase6_perf

_ENCODE_BYTES = 256 * 1024
_VERIFY_BYTES = 65_536


def compare(
    candidate: WorkerCommand, *, operation: str = "verify", patience: Patience | None = None
) -> Comparison:
    return compare_workers(
        operation,
        baseline=slow_worker(),
        candidate=candidate,
        payload_bytes=_ENCODE_BYTES if operation == "encode" else _VERIFY_BYTES,
        options=Options(patience=patience or Patience()),
    )


def failed(comparison: Comparison) -> set[Check]:
    assert comparison.error is None
    assert comparison.decision is not None
    return {check.check for check in comparison.decision.checks.values() if check.verdict is Verdict.FAIL}


def test_the_same_worker_passes_and_all_of_it_is_recorded() -> None:
    comparison = compare(slow_worker("--other-layout"))
    assert comparison.verdict == "pass", comparison
    assert comparison.core == max(os.sched_getaffinity(0))
    assert comparison.fallbacks == ()
    for launch in comparison.launches:
        assert set(launch.result.values) == set(Check)
        assert launch.samples.size.block > 10
        assert len(launch.schedule.orders) == 20


@pytest.mark.parametrize("operation", ["verify", "encode"])
def test_half_as_slow_again_fails_on_wall_and_cpu(operation: str) -> None:
    comparison = compare(slow_worker("--slower", "50"), operation=operation)
    assert comparison.verdict == "fail"
    assert {Check.WALL, Check.CPU} <= failed(comparison)
    assert comparison.decision is not None
    assert comparison.decision.ratio > 1.2


def test_waiting_fails_on_wall() -> None:
    assert Check.WALL in failed(compare(slow_worker("--sleep", "300"), operation="encode"))


def test_a_tail_fails_although_the_middle_is_the_same() -> None:
    checks = failed(compare(slow_worker("--tail", "15", "--tail-by", "200"), operation="encode"))
    assert Check.TAIL_WALL in checks
    assert Check.WALL not in checks


@pytest.mark.parametrize(
    ("how", "cause"),
    [
        ("dies", "ended with exit code 3"),
        ("lies", "another answer"),
        ("prints-rubbish", "no JSON object"),
        ("writes-to-stdout", "asked for|before it was asked|another answer"),
    ],
)
def test_a_broken_worker_is_an_error_with_its_last_lines(how: str, cause: str) -> None:
    comparison = compare(broken_worker(how, 12))
    assert comparison.verdict == "error"
    assert comparison.decision is None
    assert comparison.error is not None
    assert comparison.error.startswith("candidate: ")
    assert re.search(cause, comparison.error), comparison.error
    if how != "lies":
        assert "the disk is full" in comparison.error
        assert "hunter2" not in comparison.error


def test_a_hanging_worker_is_an_error() -> None:
    comparison = compare(broken_worker("hangs", 12), patience=Patience(answer_s=3))
    assert comparison.verdict == "error"
    assert comparison.error is not None
    assert "gave no answer to 'run' within 3 s" in comparison.error
    assert "the disk is full" in comparison.error


def test_a_launch_has_a_deadline_of_its_own() -> None:
    comparison = compare(broken_worker("hangs", 0), patience=Patience(answer_s=60, launch_s=3))
    assert comparison.error is not None
    assert "more than 3 s" in comparison.error


def test_an_operation_that_is_missing_is_an_error() -> None:
    comparison = compare_workers(
        "decode", baseline=slow_worker(), candidate=slow_worker(), payload_bytes=1024
    )
    assert comparison.verdict == "error"
    assert comparison.error is not None
    assert "offers no operation 'decode'" in comparison.error


def test_a_command_that_is_missing_is_an_error(tmp_path: Path) -> None:
    comparison = compare(WorkerCommand(command=(str(tmp_path / "absent"),)))
    assert comparison.verdict == "error"
    assert comparison.error is not None
    assert "absent" in comparison.error
