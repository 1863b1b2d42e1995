"""Same seed, same schedule; the draws are what the toxics say."""

from itertools import islice
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hologram_dagster.chaos.faults.effects import Corruptor
from hologram_dagster.chaos.faults.schedule import Schedule, delays_ms, flips, slice_sizes
from hologram_dagster.chaos.faults.toxics import (
    BOTH,
    Bandwidth,
    Blackhole,
    Corruption,
    Direction,
    Latency,
    Reset,
    Slicing,
    SlowClose,
    Toxic,
    as_json,
    from_json,
)
from hologram_dagster.errors import HologramError

pytestmark = pytest.mark.phase9_chaos

seeds = st.integers(min_value=-(2**63), max_value=2**63)
numbers = st.integers(min_value=0, max_value=10_000)
shares = st.floats(min_value=0, max_value=1)
times = st.floats(min_value=0, max_value=3_600_000)
ways = st.sampled_from([BOTH, (Direction.UP,), (Direction.DOWN,)])
common = {"share": shares, "directions": ways}
toxics: st.SearchStrategy[Toxic] = st.one_of(
    st.builds(Latency, delay_ms=times, jitter_ms=times, **common),
    st.builds(Bandwidth, bytes_per_s=st.floats(min_value=1, max_value=1e9), **common),
    st.builds(SlowClose, delay_ms=times, **common),
    st.builds(Reset, after_ms=times, **common),
    st.builds(Blackhole, **common),
    st.builds(Corruption, per_byte=st.floats(min_value=1e-9, max_value=1), **common),
    st.builds(Slicing, size_bytes=st.integers(1, 10**6), variation_bytes=st.integers(0, 10**6), **common),
)


@given(seeds, toxics, numbers, st.sampled_from(Direction))
def test_the_same_seed_makes_the_same_schedule(seed: int, toxic: Toxic, number: int, way: Direction) -> None:
    one, other = Schedule(seed), Schedule(seed)
    assert one.afflicts(toxic, number, way) == other.afflicts(toxic, number, way)
    # In whatever order connections are asked after.
    other.draws(toxic.kind, number + 1, way).random()
    assert one.draws(toxic.kind, number, way).random() == other.draws(toxic.kind, number, way).random()


@given(seeds, toxics, numbers)
def test_both_ways_are_afflicted_together_and_only_those_named(seed: int, toxic: Toxic, number: int) -> None:
    afflicted = {way for way in Direction if Schedule(seed).afflicts(toxic, number, way)}
    assert afflicted in (set(), set(toxic.directions))


@given(seeds, numbers, shares, shares)
def test_a_larger_share_keeps_those_it_had(seed: int, number: int, one: float, other: float) -> None:
    small, large = sorted((one, other))
    schedule = Schedule(seed)
    if schedule.afflicts(Blackhole(share=small), number, Direction.UP):
        assert schedule.afflicts(Blackhole(share=large), number, Direction.UP)


def test_shares_and_seeds_differ_as_they_should() -> None:
    def afflicted(seed: int, share: float) -> list[bool]:
        return [Schedule(seed).afflicts(Reset(share=share), number, Direction.UP) for number in range(2000)]

    assert sum(afflicted(1, 0)) == 0
    assert sum(afflicted(1, 1)) == 2000
    assert 500 <= sum(afflicted(1, 0.3)) <= 700
    assert afflicted(1, 0.5) != afflicted(2, 0.5)


@given(seeds, times, times)
def test_delays_lie_within_the_jitter_and_never_in_the_past(seed: int, delay: float, jitter: float) -> None:
    drawn = list(islice(delays_ms(Latency(delay_ms=delay, jitter_ms=jitter), Random(seed)), 20))
    assert all(max(0, delay - jitter) <= each <= delay + jitter for each in drawn)


@given(seeds, st.integers(1, 5000), st.integers(0, 5000))
def test_slices_lie_within_the_variation_and_are_never_empty(seed: int, size: int, variation: int) -> None:
    slicing = Slicing(size_bytes=size, variation_bytes=variation)
    drawn = list(islice(slice_sizes(slicing, Random(seed)), 20))
    assert all(max(1, size - variation) <= each <= size + variation for each in drawn)


@pytest.mark.parametrize("per_byte", [1.0, 0.5, 0.01, 1e-6])
def test_bits_are_flipped_as_often_as_said(per_byte: float) -> None:
    many = 2000
    places = list(islice(flips(per_byte, Random(3)), many))
    offsets = [offset for offset, _ in places]
    assert offsets == sorted(set(offsets))
    assert many / (offsets[-1] + 1) == pytest.approx(per_byte, rel=0.1)
    assert {mask for _, mask in places} == {1 << bit for bit in range(8)}


@given(seeds, st.binary(max_size=300), st.lists(st.integers(1, 40)))
def test_where_pieces_end_does_not_change_what_is_flipped(seed: int, data: bytes, cuts: list[int]) -> None:
    whole = Corruptor(Corruption(per_byte=0.05), Random(seed)).alter(data)
    corruptor, altered, flipped, rest = Corruptor(Corruption(per_byte=0.05), Random(seed)), b"", 0, data
    for cut in [*cuts, len(data)]:
        piece, rest = rest[:cut], rest[cut:]
        changed, count = corruptor.alter(piece)
        altered, flipped = altered + changed, flipped + count
    assert (altered, flipped) == whole
    assert sum(a != b for a, b in zip(altered, data, strict=True)) == flipped


@given(st.lists(toxics))
def test_toxics_survive_json(made: list[Toxic]) -> None:
    assert from_json(as_json(made)) == tuple(made)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("nonsense", "JSON"),
        ('[{"kind": "plague"}]', "plague"),
        ('[{"kind": "latency"}]', "0.latency.delay_ms"),
        ('[{"kind": "latency", "delay_ms": -1}]', "0.latency.delay_ms"),
        ('[{"kind": "latency", "delay_ms": NaN}]', "0.latency.delay_ms"),
        ('[{"kind": "bandwidth", "bytes_per_s": 0}]', "0.bandwidth.bytes_per_s"),
        ('[{"kind": "reset", "share": 2}]', "0.reset.share"),
        ('[{"kind": "reset", "way": "up"}]', "0.reset.way"),
    ],
)
def test_what_is_wrong_with_toxics_is_named(text: str, named: str) -> None:
    with pytest.raises(HologramError, match=named):
        from_json(text)
