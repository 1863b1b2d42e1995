"""From what was read of a launch to the values that are judged. Pure.

A server's times are all read from outside. A worker's are its own account of each call,
since digesting an answer can take longer than the call; it is held to that account. What
it does beside its calls may not exceed the other side's by more than `_LARGEST_DISCORD`.
And its CPU time is at least what was read from outside says with 99 % confidence, less
what the protocol costs (parsing, digests): the smaller of both sides' accounts of that,
which a false one only makes smaller.
"""

import math

import numpy as np

from hologram_dagster.errors import HologramError
from hologram_dagster.perf.paired.job import LaunchSamples, Rows
from hologram_dagster.perf.paired.rule import Check, LaunchResult, Limits
from hologram_dagster.perf.paired.statistics import (
    Estimate,
    Floats,
    cycle_log_ratios,
    cycle_spread_log_ratios,
    estimate,
    quantile,
    tail,
)

# Below this share of what was read the calls are too short beside the rest to be compared.
_LEAST_SHARE = 0.05
# Share of the calls' time that one worker may spend beside its calls more than the other.
_LARGEST_DISCORD = 0.25

Sides = tuple[Floats, Floats]


def evaluate(samples: LaunchSamples, limits: Limits) -> LaunchResult:
    """The value of each check in one launch.

    Raises:
        HologramError: the times cannot be those of the calls.
    """
    wall, cpu, block_cpu = wall_of_calls(samples), cpu_of_calls(samples), cpu_of_blocks(samples)
    factor = limits.slow_factor
    cycles = {Check.WALL: cycle_log_ratios(*wall)}
    tails = {Check.TAIL_WALL: tail(*wall, factor=factor)}
    if cpu is not None:
        cycles[Check.CPU] = cycle_log_ratios(*cpu)
        tails[Check.TAIL_CPU] = tail(*cpu, factor=factor)
    elif block_cpu is not None:
        cycles[Check.CPU] = cycle_log_ratios(*block_cpu)
    middles = {check: estimate(ratios) for check, ratios in cycles.items()}
    values = {check: middle.middle for check, middle in middles.items()}
    if cpu is not None and block_cpu is not None:
        values[Check.CPU] = max(values[Check.CPU], estimate(cycle_log_ratios(*block_cpu)).lower)
    spread = estimate(cycle_spread_log_ratios(*wall, processes=samples.processes))
    return LaunchResult(
        values={
            **values,
            **{check: shares.difference for check, shares in tails.items()},
            Check.SPREAD: spread.middle,
        },
        cycles=cycles,
        # What scatters so much that its own lower bound allows for no change at all counts for nothing.
        chance={
            **{check: _chance(middle) for check, middle in middles.items()},
            **{check: shares.chance for check, shares in tails.items()},
            Check.SPREAD: spread.middle - spread.lower,
        },
    )


def _chance(middle: Estimate) -> float:
    # Too few cycles have no bounds; a slow call must not be excused by that.
    return middle.middle - middle.lower if math.isfinite(middle.lower) else 0.0


def wall_of_calls(samples: LaunchSamples) -> Sides:
    """Wall time of each call, ns; rows are cycles.

    Raises:
        HologramError: a worker's account of its calls does not fit what was read from outside.
    """
    wall = _array(samples.a.wall), _array(samples.b.wall)
    if samples.a.beside_wall and samples.b.beside_wall:
        _hold_to_account("wall", wall, (samples.a.beside_wall, samples.b.beside_wall), samples.size.block)
    return wall


def cpu_of_calls(samples: LaunchSamples) -> Sides | None:
    """CPU time of each call, ns; rows are cycles. None where it is not known.

    Raises:
        HologramError: as `wall_of_calls`; or the clock stands still.
    """
    if not (samples.a.cpu and samples.b.cpu):
        return None
    cpu = _array(samples.a.cpu), _array(samples.b.cpu)
    if samples.a.beside_cpu and samples.b.beside_cpu:
        _hold_to_account("CPU", cpu, (samples.a.beside_cpu, samples.b.beside_cpu), samples.size.block)
    return _running(cpu, cpu)


def cpu_of_blocks(samples: LaunchSamples) -> Sides | None:
    """CPU time of all calls of a worker's blocks, read from outside, ns; rows are cycles.

    None for servers, and where it is not known. Raises:
        HologramError: what was read is not the calls' time.
    """
    if not (samples.a.block_cpu and samples.b.block_cpu):
        return None
    read = _array(samples.a.block_cpu), _array(samples.b.block_cpu)
    if not (samples.a.beside_cpu and samples.b.beside_cpu):
        return _running(read, read)
    beside = _array(samples.a.beside_cpu), _array(samples.b.beside_cpu)
    least = max(0.0, min(float(quantile(side.ravel(), 0.25)) for side in beside))
    return _running((read[0] - least, read[1] - least), read)


def _running(net: Sides, read: Sides) -> Sides:
    for side, whole in zip(net, read, strict=True):
        if np.median(side) <= _LEAST_SHARE * np.median(whole):
            raise HologramError(
                f"the CPU time that was read ({np.median(whole) / 1e6:.3f} ms) is not that of the calls: "
                "the CPU clock stands still, or the calls are too short beside the protocol"
            )
    # A single reading may fall below what is usually taken off; no call takes no time.
    least = _LEAST_SHARE * float(np.median(net[0]))
    return np.maximum(net[0], least), np.maximum(net[1], least)


def _hold_to_account(what: str, told: Sides, beside: tuple[Rows, Rows], calls: int) -> None:
    for number, name in enumerate(("baseline", "candidate")):
        other = 1 - number
        # Its best block against the other's usual one: a busy host lengthens what is usual.
        more = float(_array(beside[number]).min() - np.median(_array(beside[other])))
        block = calls * float(np.median(told[other]))
        if more > _LARGEST_DISCORD * block:
            raise HologramError(
                f"{name}: its own account of the {what} time of {calls} calls leaves out at least "
                f"{more / 1e6:.3f} ms that the other side does not need beside its "
                f"{block / 1e6:.3f} ms: its times are not believed"
            )


def _array(rows: Rows) -> Floats:
    return np.asarray(rows, dtype=np.float64)
