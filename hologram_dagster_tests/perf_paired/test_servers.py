"""Real servers, really compared: what is slower fails, what answers wrongly is never a time."""

import pytest

from hologram_dagster.perf.paired.compare import Comparison, Options, compare_servers
from hologram_dagster.perf.paired.job import ServerCommand
from hologram_dagster.perf.paired.launch import Patience
from hologram_dagster.perf.paired.rule import Check, Verdict
from hologram_dagster_tests.perf_paired.commands import REQUEST, slow_server

pytestmark = pytest.mark.phase6_perf


def compare(candidate: ServerCommand, *, answer_s: float = 20) -> Comparison:
    return compare_servers(
        "query",
        baseline=slow_server(),
        candidate=candidate,
        request=REQUEST,
        options=Options(patience=Patience(answer_s=answer_s)),
    )


def failed(comparison: Comparison) -> set[Check]:
    assert comparison.error is None
    assert comparison.decision is not None
    return {check.check for check in comparison.decision.checks.values() if check.verdict is Verdict.FAIL}


def test_the_same_server_passes() -> None:
    comparison = compare(slow_server())
    assert comparison.verdict == "pass", comparison
    assert set(comparison.launches[0].result.values) == set(Check)


def test_work_in_a_second_process_fails_on_cpu_too() -> None:
    checks = failed(compare(slow_server("--in-helper", "--slower", "400")))
    assert {Check.WALL, Check.CPU} <= checks


def test_waiting_fails_on_wall() -> None:
    assert Check.WALL in failed(compare(slow_server("--sleep", "--slower", "400")))


def test_processes_that_come_and_go_leave_wall_time_to_decide() -> None:
    comparison = compare(slow_server("--spawn"))
    assert comparison.verdict == "fail"
    assert comparison.fallbacks == (
        "processes of a target came or went while measured: wall time alone decides",
    )
    assert comparison.decision is not None
    assert Check.CPU not in comparison.decision.checks


@pytest.mark.parametrize(
    ("how", "cause"),
    [
        ("dies", "the connection"),
        ("lies", "another answer"),
        ("refuses", "status 503"),
        ("streams", "without Content-Length"),
    ],
)
def test_a_broken_server_is_an_error(how: str, cause: str) -> None:
    comparison = compare(slow_server("--breaks", how, "--after", "80"))
    assert comparison.verdict == "error"
    assert comparison.error is not None
    assert comparison.error.startswith("candidate: ")
    assert cause in comparison.error
    if how == "dies":
        assert "the disk is full" in comparison.error
        assert "hunter2" not in comparison.error


def test_a_hanging_server_is_an_error() -> None:
    comparison = compare(slow_server("--breaks", "hangs", "--after", "80"), answer_s=3)
    assert comparison.error is not None
    assert "gave no answer within 3 s" in comparison.error


def test_a_server_that_does_not_start_is_an_error() -> None:
    comparison = compare(slow_server("--no-such-option"))
    assert comparison.error is not None
    assert "ended with exit code 2 before it served" in comparison.error
    assert "unrecognized arguments" in comparison.error


def test_a_server_that_is_never_ready_is_an_error() -> None:
    command = slow_server().model_copy(update={"ready_path": "/absent"})
    comparison = compare(command, answer_s=4)
    assert comparison.error is not None
    assert "did not answer GET /absent with 200" in comparison.error
    assert "status 404" in comparison.error
