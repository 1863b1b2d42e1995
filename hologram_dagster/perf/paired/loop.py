"""The measuring loop: blocks of A and B in the drawn order, answers compared between them.

What belongs here: calibration, warm-up, the order, the comparison of answers outside the
timed part. What does not: how a block is timed (`worker_caller`, `http_caller`), what the
times mean (`samples`). Imported by the measuring process only.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, cycle
from typing import cast

from hologram_dagster.errors import HologramError
from hologram_dagster.perf.paired.caller import Block, Caller, WrongAnswerError
from hologram_dagster.perf.paired.job import LaunchSamples, Rows, SideSamples
from hologram_dagster.perf.paired.process_tree import LostProcessError, has_cpu_clock
from hologram_dagster.perf.paired.schedule import Order, Side, Size, choose_size

NAMES: Mapping[Side, str] = {"A": "baseline", "B": "candidate"}
NO_CLOCK = "no CPU clock of other processes here: wall time alone decides"
CAME_AND_WENT = "processes of a target came or went while measured: wall time alone decides"
NO_ACCOUNT = "a worker does not tell the CPU time of each call: its tail is judged by wall time alone"

_SIDES: tuple[Side, Side] = ("A", "B")
_WARM_UP_CALLS = 60
_WARM_UP_NS = 150_000_000
_CALIBRATIONS = 3
_CALIBRATING_CALLS = 8
_SLOW_CALL_NS = 5_000_000


class SideError(HologramError):
    """A side broke: `side` says which."""

    def __init__(self, side: Side, cause: Exception) -> None:
        super().__init__(f"{NAMES[side]}: {cause}")
        self.side: Side = side


class Loop:
    """A launch of ready callers, all already on one core; a side's blocks go to its callers in turn."""

    def __init__(self, callers: Mapping[Side, Sequence[Caller]]) -> None:
        self._callers = callers
        self._turn: dict[Side, Iterator[Caller]] = {side: cycle(each) for side, each in callers.items()}
        self._first: object = None
        self._fallbacks: list[str] = []
        self._counts_cpu = all(
            has_cpu_clock(pid) for each in callers.values() for caller in each for pid in caller.tree.pids
        )
        if not self._counts_cpu:
            self._fallbacks.append(NO_CLOCK)

    def run(self, orders: Sequence[Order], *, worker: bool) -> LaunchSamples:
        """Calibrate, warm up, measure; `worker`: the callers are workers.

        Raises:
            SideError: a side broke, or answered wrongly.
        """
        size = choose_size(max(self._call_ns(side) for side in _SIDES), worker=worker)
        self._warm_up(orders[0], size)
        before = self._processes()
        blocks: dict[Side, list[Block]] = {"A": [], "B": []}
        started = time.perf_counter_ns()
        for order in orders[: size.cycles]:
            for side in _sides(order):
                blocks[side].append(self._block(side, size.block))
        loop_ns = time.perf_counter_ns() - started
        if self._counts_cpu and self._processes() != before:
            self._stop_counting_cpu()
        if self._counts_cpu and any(block.cpu is None for side in _SIDES for block in blocks[side]):
            self._fallbacks.append(NO_ACCOUNT)
        return LaunchSamples(
            size=size,
            processes=len(self._callers["A"]),
            a=self._samples(blocks["A"], size.dropped),
            b=self._samples(blocks["B"], size.dropped),
            loop_ns=loop_ns,
            fallbacks=tuple(self._fallbacks),
        )

    def _call_ns(self, side: Side) -> int:
        """The time of a usual call with what the protocol adds, ns: the least of some tries."""
        tries = _CALIBRATIONS * len(self._callers[side])
        single = min(_of_a_call(self._block(side, 1)) for _ in range(tries))
        if single >= _SLOW_CALL_NS:
            return single
        return min(_of_a_call(self._block(side, _CALIBRATING_CALLS)) for _ in range(tries))

    def _warm_up(self, order: Order, size: Size) -> None:
        for side in _sides(order):
            calls, until = 0, time.perf_counter_ns() + _WARM_UP_NS // len(order)
            while calls < _WARM_UP_CALLS / 2 and time.perf_counter_ns() < until:
                self._block(side, size.block)
                calls += size.block

    def _block(self, side: Side, calls: int) -> Block:
        return self._block_of(next(self._turn[side]), side, calls)

    def _block_of(self, caller: Caller, side: Side, calls: int) -> Block:
        try:
            block = caller.block(calls, cpu=self._counts_cpu)
            for answer in block.answers:
                self._check(answer)
        except LostProcessError:
            self._stop_counting_cpu()
            return self._block_of(caller, side, calls)
        except HologramError as error:
            raise SideError(side, error) from error
        return block

    def _check(self, answer: object) -> None:
        if self._first is None:
            self._first = answer
        elif answer != self._first:
            raise WrongAnswerError(
                "it gave another answer than the first one of this launch; "
                "times of unequal answers are not compared"
            )

    def _processes(self) -> tuple[tuple[int, ...], int]:
        """All processes of both sides, and a count that changes when one of theirs has ended."""
        pids: list[int] = []
        ended = 0
        for caller in chain.from_iterable(self._callers.values()):
            caller.tree.refresh()
            pids.extend(caller.tree.pids)
            ended += caller.tree.faults_of_ended_children()
        return tuple(pids), ended

    def _stop_counting_cpu(self) -> None:
        self._counts_cpu = False
        self._fallbacks.append(CAME_AND_WENT)

    def _samples(self, blocks: Sequence[Block], dropped: int) -> SideSamples:
        # The first calls of a block pay for the other side's traces in the caches.
        wall = _by_cycle([block.wall[dropped:] for block in blocks])
        told = [block.cpu for block in blocks if block.cpu is not None] if self._counts_cpu else []
        cpu = _by_cycle([times[dropped:] for times in told]) if len(told) == len(blocks) else None
        if blocks[0].outside is None:
            return SideSamples(wall=wall, cpu=cpu)
        read = [block.outside_cpu for block in blocks if block.outside_cpu is not None]
        return SideSamples(
            wall=wall,
            cpu=cpu,
            block_cpu=_by_cycle([[ns] for ns in read]) if self._counts_cpu else None,
            beside_wall=_by_cycle([[_took(block) - sum(block.wall)] for block in blocks]),
            beside_cpu=_by_cycle([[ns - sum(times)] for ns, times in zip(read, told, strict=True)])
            if cpu
            else None,
        )


def _took(block: Block) -> int:
    return sum(block.wall) if block.outside is None else block.outside


def _of_a_call(block: Block) -> int:
    beside = _took(block) - sum(block.wall)
    return sorted(block.wall)[len(block.wall) // 2] + beside // len(block.wall)


def _sides(order: Order) -> tuple[Side, ...]:
    return cast(tuple[Side, ...], tuple(order))


def _by_cycle(blocks: Sequence[Sequence[int]]) -> Rows:
    """The two blocks that a side has in each cycle, one row a cycle."""
    return tuple((*first, *second) for first, second in zip(blocks[::2], blocks[1::2], strict=True))
