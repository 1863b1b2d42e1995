"""Load that runs beside an experiment: each operation recorded with its times and its end."""

import itertools
import threading
import time

import pytest

from hologram_dagster.chaos.load import Load, now_s, success_share
from hologram_dagster.errors import ServiceError
from hologram_dagster.processes import wait_until

pytestmark = [pytest.mark.phase9_chaos, pytest.mark.performance]


def test_operations_fall_due_at_their_rate_and_are_recorded() -> None:
    def operate(number: int) -> None:
        if number == 1:
            raise ServiceError("no")

    began = now_s()
    with Load("test", operate, rate_per_s=50, timeout_s=60) as load:
        assert wait_until(lambda: len(load.operations) >= 5, timeout_s=60)
    seen = sorted(load.operations, key=lambda each: each.number)
    assert [each.number for each in seen] == list(range(len(seen)))
    for one, next_one in itertools.pairwise(seen):
        assert next_one.due_s - one.due_s == pytest.approx(0.02, abs=1e-4)
    assert [str(each.error) for each in seen if not each.done] == ["no"]
    assert success_share(seen) == pytest.approx(1 - 1 / len(seen))
    assert all(each.sent_s is not None and began <= each.due_s <= each.sent_s for each in seen)
    assert seen[0].during(began, now_s())
    assert not seen[0].during(began - 2, began - 1)
    assert load.send_lag_p95_ms >= 0


def test_operations_that_hang_hold_up_no_others() -> None:
    gate = threading.Event()

    def operate(number: int) -> None:
        if number < 10:
            gate.wait(60)

    with Load("test", operate, rate_per_s=100, timeout_s=60) as load:
        try:
            assert wait_until(lambda: len(load.operations) >= 5, timeout_s=60)
            assert all(each.number >= 10 for each in load.operations)
        finally:
            gate.set()
    assert {each.number for each in load.operations} >= set(range(10))


def test_a_stall_counts_for_all_that_fell_due_in_it() -> None:
    stalled = threading.Lock()

    def operate(number: int) -> None:
        with stalled:
            time.sleep(0.5 if number == 3 else 0)

    with Load("test", operate, rate_per_s=100, timeout_s=60) as load:
        assert wait_until(lambda: len(load.operations) >= 60, timeout_s=60)
    assert sum(each.latency_ms >= 100 for each in load.operations) >= 30


def test_no_operations_have_no_success() -> None:
    assert success_share([]) == 0
