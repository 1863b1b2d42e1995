"""What a launch does, in which order, and how often: drawn from a recorded seed.

What belongs here: the random order of procedure H and the size of a launch. What does
not: carrying it out (`loop`).
"""

import math
import random
from dataclasses import dataclass
from typing import Literal

Side = Literal["A", "B"]
Order = Literal["ABBA", "BAAB"]

MOST_CYCLES = 20
_FEWEST_CYCLES = 10
_BLOCKS_A_CYCLE = 4
# Procedure H: blocks of six requests. Its requests took 1.1 ms; of faster ones a block holds
# more, as the first after the other side's turn find cold caches and should stay few.
_REQUESTS = 6
_FAST_REQUEST_NS = 1_000_000
_FAST_REQUESTS_NS = 12_000_000
_FEWEST_REQUESTS = 2
_SERVER_LAUNCH_NS = 2_400_000_000
# A worker's block is one request to it, after which it may have given its memory back to
# the system: the first two calls fetch it again, and should be few, too.
_CALLS_NS = 15_000_000
_SLOW_CALL_NS = 5_000_000
_WORKER_LAUNCH_NS = 600_000_000


@dataclass(frozen=True, slots=True)
class Schedule:
    """The random part of a launch.

    `hash_seed` is the PYTHONHASHSEED of both sides, `first` the side started first,
    `orders` the order of the four blocks of each cycle.
    """

    hash_seed: int
    first: Side
    orders: tuple[Order, ...]


def draw_schedule(seed: int, launch: int) -> Schedule:
    """The schedule of launch number `launch` (from 1) of the comparison with `seed`."""
    draw = random.Random(f"{seed}/{launch}")
    return Schedule(
        hash_seed=draw.randrange(1, 2**32),
        first=draw.choice(("A", "B")),
        orders=tuple(draw.choice(("ABBA", "BAAB")) for _ in range(MOST_CYCLES)),
    )


@dataclass(frozen=True, slots=True)
class Size:
    """How much a launch measures, the same for both sides.

    `block`: calls a block, of which the first `dropped` do not count; `cycles`: of four blocks.
    """

    block: int
    dropped: int
    cycles: int

    @property
    def kept(self) -> int:
        """Calls a side and cycle that count."""
        return 2 * (self.block - self.dropped)


def choose_size(call_ns: int, *, worker: bool) -> Size:
    """The size of a launch for calls that take `call_ns` ns with what the protocol adds.

    Requests to a server: as procedure H has them up to 5 ms; slower ones get smaller blocks,
    then fewer cycles. Calls of a worker: blocks of 15 ms for some 0.6 s. Launches of calls
    that are slower still take longer.
    """
    call_ns = max(1, call_ns)
    dropped, launch_ns = 1, _SERVER_LAUNCH_NS
    if worker:
        dropped = 2 if call_ns < _SLOW_CALL_NS else 1
        launch_ns = _WORKER_LAUNCH_NS
        block = max(dropped + 1, math.ceil(_CALLS_NS / call_ns))
    elif call_ns < _FAST_REQUEST_NS:
        block = math.ceil(_FAST_REQUESTS_NS / call_ns)
    else:
        fitting = launch_ns // (_BLOCKS_A_CYCLE * MOST_CYCLES * call_ns)
        block = max(_FEWEST_REQUESTS, min(_REQUESTS, fitting))
    cycles = launch_ns // (_BLOCKS_A_CYCLE * block * call_ns)
    return Size(block=block, dropped=dropped, cycles=max(_FEWEST_CYCLES, min(MOST_CYCLES, cycles)))
