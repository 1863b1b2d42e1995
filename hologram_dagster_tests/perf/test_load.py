"""Load arrives at a fixed rate, so that a stall counts; a client that lags says so."""

import asyncio
import itertools
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hologram_dagster.errors import ServiceError
from hologram_dagster.observation import Observation, Status
from hologram_dagster.perf import open_model
from hologram_dagster.perf.load import observe_load
from hologram_dagster.perf.open_model import Arrival, Delays, drive
from hologram_dagster.perf.statistics import percentile
from hologram_dagster.processes import free_port, start_child, stop_child
from hologram_dagster.registry.client import RegistryClient
from hologram_dagster.stack.stack import Stack

pytestmark = [pytest.mark.phase6_perf, pytest.mark.performance]

LOOSE = 1e6
Starter = Callable[..., str]


@pytest.fixture
def registry_that() -> Iterator[Starter]:
    """Starts a stalling registry with the given options; its URL."""
    with ExitStack() as started:

        def start(*options: object) -> str:
            command = [sys.executable, "-m", "hologram_dagster_tests.perf.stalling_registry"]
            process = start_child(
                [*command, *map(str, options)], cwd=Path(__file__).parents[2], stdout=subprocess.PIPE
            )
            started.callback(stop_child, process)
            assert process.stdout is not None
            return process.stdout.readline().decode().strip()

        yield start


def statuses(seen: Observation) -> dict[str, Status]:
    return {finding.name: finding.status for finding in seen.findings}


def test_a_stall_of_one_second_in_twelve_is_seen(registry_that: Starter) -> None:
    url = registry_that("--stall-after", 5, "--stall", 1)
    seen = observe_load(url, None, "any", rate_per_s=100, duration_s=12, budget_ms=LOOSE)
    assert seen.values["n"] == 1200
    assert seen.values["p95_ms"] >= 500
    assert seen.values["p99_ms"] >= seen.values["p95_ms"]
    # An observation never judges: that a budget is broken is for the check to say.
    assert seen.status is Status.PASSED


def test_a_real_registry_under_load(tmp_path: Path) -> None:
    with Stack.start(tmp_path) as stack:
        seen = observe_load(
            stack.graphql_url, None, "perf/load", rate_per_s=20, duration_s=1, budget_ms=LOOSE
        )
        assert seen.status is Status.PASSED, seen.why
        assert (seen.kind, seen.values["n"], seen.values["failed"]) == ("perf_load", 20, 0)
        assert list(statuses(seen)) == ["answers_correct"]
        with RegistryClient(stack.graphql_url) as registry:
            assert registry.execute('{ resolve(name: "perf/load") { encoding } }')["resolve"]["encoding"]


@pytest.mark.parametrize(("answer", "why"), [("wrong", "status 200"), ("refused", "status 503")])
def test_wrong_answers_and_refusals_fail_and_never_make_it_faster(
    registry_that: Starter, answer: str, why: str
) -> None:
    url = registry_that("--every", 5, "--answer", answer)
    seen = observe_load(url, None, "any", rate_per_s=50, duration_s=1, budget_ms=LOOSE, timeout_s=1.5)
    assert seen.status is Status.FAILED
    assert seen.values["failed"] == 10
    # A fifth failed, so the p95 is a failed one's: the timeout.
    assert seen.values["p95_ms"] >= 1490
    assert why in seen.why
    assert "abcdef0123456789" not in seen.why


def test_answers_that_do_not_come_fail(registry_that: Starter) -> None:
    url = registry_that("--stall-after", 0.5, "--stall", 60)
    seen = observe_load(url, None, "any", rate_per_s=20, duration_s=1, budget_ms=LOOSE, timeout_s=1.0)
    assert seen.status is Status.FAILED
    assert "no answer within 1 s" in seen.why


@pytest.mark.parametrize("url", ["http://127.0.0.1:{free}/graphql", "nonsense", "http://[broken"])
def test_no_registry_is_an_error_without_times(url: str) -> None:
    url = url.replace("{free}", str(free_port()))
    seen = observe_load(url, None, "any", rate_per_s=10, duration_s=1, budget_ms=LOOSE)
    assert seen.status is Status.ERROR
    assert seen.why
    assert "p95_ms" not in seen.values


@pytest.mark.parametrize("token", ["two\nlines-s3cret", "s3cret-ümlaut"])
def test_a_token_no_header_can_hold_is_not_repeated(registry_that: Starter, token: str) -> None:
    seen = observe_load(registry_that(), token, "any", rate_per_s=10, duration_s=1, budget_ms=LOOSE)
    assert seen.status is Status.ERROR
    assert "GRAPHQL_TOKEN" in seen.why
    assert "s3cret" not in seen.why


def test_a_breach_is_loaded_again_twice_and_the_best_counts(registry_that: Starter) -> None:
    slow = observe_load(registry_that(), None, "any", rate_per_s=20, duration_s=0.5, budget_ms=0.001)
    assert (slow.status, slow.values["launches"], slow.values["n"]) == (Status.PASSED, 3, 10)
    assert slow.values["p95_ms"] > 0.001


def test_a_wrong_answer_is_not_tried_again(registry_that: Starter) -> None:
    url = registry_that("--every", 3)
    seen = observe_load(url, None, "any", rate_per_s=20, duration_s=0.5, budget_ms=0.001, timeout_s=1)
    assert (seen.status, seen.values["launches"]) == (Status.FAILED, 1)
    assert seen.values["failed"] > 0


def test_a_held_up_client_is_seen_as_lag() -> None:
    async def holds_up() -> None:
        time.sleep(0.05)  # blocks the client itself

    seen = asyncio.run(drive(holds_up, rate_per_s=100, duration_s=0.3, timeout_s=5))
    assert seen.due == 30
    assert seen.lag.percentile_ms(95) >= 500


def test_no_more_requests_are_open_than_the_process_can_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(open_model, "MOST_UNANSWERED", 3)
    open_now, most = 0, 0

    async def slow() -> None:
        nonlocal open_now, most
        open_now += 1
        most = max(most, open_now)
        await asyncio.sleep(0.5)
        open_now -= 1

    seen = asyncio.run(drive(slow, rate_per_s=100, duration_s=0.1, timeout_s=5))
    assert (most, seen.due, seen.failed) == (3, 10, 7)
    assert "not sent" in seen.cause
    assert seen.latency.percentile_ms(50) >= 4990


def test_each_request_is_told_with_its_times() -> None:
    ended: list[Arrival] = []
    numbers = itertools.count()

    async def request() -> None:
        if next(numbers) == 1:
            raise ServiceError("the second")
        await asyncio.sleep(0.02)

    asyncio.run(drive(request, rate_per_s=100, duration_s=0.04, timeout_s=5, told=ended.append))
    ended.sort(key=lambda arrival: arrival.number)
    assert [arrival.due_ns - ended[0].due_ns for arrival in ended] == [0, 10**7, 2 * 10**7, 3 * 10**7]
    assert [str(arrival.error or "") for arrival in ended] == ["", "the second", "", ""]
    for arrival in ended:
        assert arrival.sent_ns is not None
        assert arrival.due_ns <= arrival.sent_ns <= arrival.ended_ns
    assert ended[0].ended_ns - ended[0].due_ns >= 2 * 10**7


def test_what_is_not_sent_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(open_model, "MOST_UNANSWERED", 1)
    ended: list[Arrival] = []
    asyncio.run(
        drive(lambda: asyncio.sleep(0.1), rate_per_s=100, duration_s=0.02, timeout_s=5, told=ended.append)
    )
    assert [arrival.sent_ns is None for arrival in ended] == [True, False]


def test_load_ends_when_it_is_told_to() -> None:
    stop = threading.Event()

    async def request() -> None:
        stop.set()

    seen = asyncio.run(drive(request, rate_per_s=20, duration_s=3600, timeout_s=5, stop=stop))
    assert seen.due == 1


def test_the_first_cause_is_told() -> None:
    causes = iter(["first", "second"])

    async def fails() -> None:
        raise ServiceError(next(causes))

    seen = asyncio.run(drive(fails, rate_per_s=100, duration_s=0.02, timeout_s=1))
    assert (seen.failed, seen.cause) == (2, "first")


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(min_value=1, max_value=3_000_000_000), min_size=1))
def test_percentiles_are_those_of_the_samples_to_three_digits(samples: list[int]) -> None:
    delays = Delays()
    for sample in samples:
        delays.record_us(sample)
    for percent in (50, 95, 99):
        right = percentile(samples, percent / 100) / 1000
        assert delays.percentile_ms(percent) == pytest.approx(right, rel=0.002)
