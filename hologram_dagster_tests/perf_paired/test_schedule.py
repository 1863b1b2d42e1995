"""Orders are drawn from the seed alone, and a launch has a size that fits."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hologram_dagster.perf.paired.schedule import MOST_CYCLES, Size, choose_size, draw_schedule

pytestmark = pytest.mark.phase6_perf


@given(st.integers(0, 2**32), st.integers(1, 5))
def test_seed_and_number_determine_a_launch(seed: int, number: int) -> None:
    assert draw_schedule(seed, number) == draw_schedule(seed, number)
    assert len(draw_schedule(seed, number).orders) == MOST_CYCLES


def test_launches_differ_and_are_fair() -> None:
    drawn = [draw_schedule(seed, number) for seed in range(200) for number in range(1, 6)]
    orders = Counter(order for schedule in drawn for order in schedule.orders)
    assert set(orders) == {"ABBA", "BAAB"}
    assert abs(orders["ABBA"] / orders.total() - 0.5) < 0.02
    assert 400 < Counter(schedule.first for schedule in drawn)["A"] < 600
    assert len({schedule.hash_seed for schedule in drawn}) == len(drawn)


@pytest.mark.parametrize("call_ns", [1_000_000, 1_100_000, 5_000_000])
def test_requests_have_the_size_of_procedure_h(call_ns: int) -> None:
    size = choose_size(call_ns, worker=False)
    assert size == Size(block=6, dropped=1, cycles=20)
    assert size.kept * size.cycles == 200


def test_faster_requests_fill_their_block_and_slower_ones_are_fewer() -> None:
    assert choose_size(300_000, worker=False) == Size(block=40, dropped=1, cycles=20)
    assert choose_size(20_000_000, worker=False) == Size(block=2, dropped=1, cycles=15)


def test_a_workers_first_two_calls_are_dropped_unless_they_are_slow() -> None:
    assert choose_size(800_000, worker=True) == Size(block=19, dropped=2, cycles=10)
    assert choose_size(6_000_000, worker=True) == Size(block=3, dropped=1, cycles=10)


@given(st.integers(0, 10**10), st.booleans())
def test_a_launch_is_as_long_as_it_may_or_as_short_as_it_can(call_ns: int, worker: bool) -> None:
    size = choose_size(call_ns, worker=worker)
    calls = 4 * size.block * size.cycles
    assert size.kept >= 2
    assert 10 <= size.cycles <= 20
    assert calls * call_ns <= (600_000_000 if worker else 2_400_000_000) or size.cycles == 10
