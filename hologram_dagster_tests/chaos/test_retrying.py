"""At most three tries, waits that double, jitter within its bound: and a client that departs is seen."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hologram_dagster.chaos.retrying import RetryPolicy, Trace, breach, retrying
from hologram_dagster.errors import ServiceError

pytestmark = pytest.mark.phase9_chaos


class Clock:
    """Time that passes only while somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def traced(failures: int, policy: RetryPolicy, seed: int = 1) -> tuple[Trace, str]:
    left, clock = failures, Clock()

    def operation() -> None:
        nonlocal left
        clock.sleep(0.5)
        if left:
            left -= 1
            raise ServiceError(f"{left} more")

    trace, failure = retrying(operation, policy, Random(seed), sleep=clock.sleep, clock=clock)
    return trace, str(failure or "")


def test_three_tries_one_and_two_seconds_apart() -> None:
    policy = RetryPolicy(jitter=0)
    trace, failure = traced(5, policy)
    assert (trace.tries, failure) == (3, "2 more")
    assert trace.waited_s == pytest.approx([1, 2])
    assert traced(0, policy)[0].tries == 1
    trace, failure = traced(1, policy)
    assert (trace.tries, failure) == (2, "")
    assert trace.waited_s == pytest.approx([1])


@given(st.integers(1, 6), st.floats(0.01, 10), st.floats(0, 1), st.integers(), st.integers(0, 8))
def test_every_trace_keeps_the_policy(
    tries: int, first_s: float, jitter: float, seed: int, failures: int
) -> None:
    policy = RetryPolicy(tries, first_s, jitter)
    trace, failure = traced(failures, policy, seed)
    assert trace.tries == min(tries, failures + 1)
    assert bool(failure) == (failures >= tries)
    assert breach(trace, policy, late_s=1e-6) == ""
    assert traced(failures, policy, seed)[0] == trace


@pytest.mark.parametrize(
    ("began", "ended", "told"),
    [
        ([0, 1.5, 4, 9], [0.4, 1.9, 5, 9.5], "4 tries"),
        ([0, 0.9], [0.4, 1], "before retry 1"),
        ([0, 1.45, 2.5], [0.4, 1.5, 3], "before retry 2"),
        ([0, 3], [0.4, 4], "before retry 1"),
    ],
)
def test_a_client_that_departs_from_the_policy_is_seen(
    began: list[float], ended: list[float], told: str
) -> None:
    assert told in breach(Trace(began, ended), RetryPolicy(), late_s=0.2)


def test_what_the_host_delays_is_no_breach() -> None:
    assert breach(Trace([0, 1.6], [0.4, 2]), RetryPolicy(), late_s=0.2) == ""
