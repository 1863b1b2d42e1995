"""The reference worker with a defect: slower by real extra work, in all calls or in some.

`python -m hologram_dagster_tests.perf_paired.slow_worker [OPTION…]`; without options it
is the reference worker. Amounts are in percent of a call: how much work that takes is
found in `prepare`, by running the operation with it as it will be run.
"""

import argparse
import functools
import importlib
import random
import sys
import time
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np

from hologram_dagster.protocol import atlas
from hologram_dagster.target import reference_worker

_ROUNDS = 12
_MANY_PIECES = 200


class SlowWorker(reference_worker.ReferenceWorker):
    """See the module."""

    def __init__(self, options: argparse.Namespace) -> None:
        super().__init__()
        self._options = options
        self._draw = random.Random(options.seed)
        self._pieces: Callable[[], int] = lambda: 0

    def answer(self, request: Any) -> dict[str, Any]:
        answer = super().answer(request)
        if request["call"] == "prepare":
            self._slow_down(request["operation"])
        return answer

    def _slow_down(self, operation: str) -> None:
        prepared, options = self._prepared, self._options
        assert prepared is not None
        call, piece = prepared.call, _piece(operation, prepared.argument)
        self._pieces = lambda: 0

        def slow(given: Any) -> Any:
            answer = call(given)
            for _ in range(self._pieces()):
                piece()
            for _ in range(options.garbage):
                ring: list[Any] = []
                ring.append(ring)
            return answer

        prepared.call = slow
        if options.sleep:
            plain_ns, _ = self._compare(1)
            piece = functools.partial(time.sleep, plain_ns * options.sleep / 100 / 1e9)
        extras = {extra: 1 if options.sleep else self._solve(extra) for extra in self._extras()}
        self._pieces = lambda: extras[self._next_extra()]

    def _extras(self) -> set[float]:
        options = self._options
        tails = {0.0, options.tail_by} if options.tail else {0.0}
        jitters = {0.0, 2 * options.jitter}
        return {options.slower + tail + jitter for tail in tails for jitter in jitters}

    def _next_extra(self) -> float:
        options = self._options
        extra: float = options.slower
        if options.tail and self._draw.random() < options.tail / 100:
            extra += options.tail_by
        if options.jitter:
            extra += self._draw.choice((0.0, 2 * options.jitter))
        return extra

    def _solve(self, extra: float) -> int:
        """The pieces of work that make a call `extra` percent longer."""
        if not extra:
            return 0
        # So many that the noise of the host is little beside them.
        plain_ns, slow_ns = self._compare(_MANY_PIECES)
        of_one_ns = max(1.0, (slow_ns - plain_ns) / _MANY_PIECES)
        return max(1, round(plain_ns * extra / 100 / of_one_ns))

    def _compare(self, pieces: int) -> tuple[int, int]:
        """Lower quartiles, ns, of calls without and with `pieces`, taken in turn."""
        assert self._prepared is not None
        times: dict[int, list[int]] = {0: [], pieces: []}
        for _ in range(_ROUNDS):
            for number, taken in times.items():
                self._pieces = functools.partial(int, number)
                # The first calls of a run fetch memory that the run before gave back.
                taken.extend(self._prepared.run(10)["ns"][2:])
        plain, slow = (sorted(taken)[len(taken) // 4] for taken in times.values())
        return plain, slow


def _piece(operation: str, argument: Any) -> Callable[[], Any]:
    """A small piece of work of the operation's kind: laying a block of bytes, or reading some of the state.

    Without new memory: that would change how the allocator serves the operation itself.
    """
    if operation == "encode":
        block = np.ones((atlas.PAGES, atlas.CYCLES), np.uint8)
        return functools.partial(np.negative, block, out=block)
    return functools.partial(zlib.crc32, memoryview(argument).cast("B")[:64])


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--slower", type=float, default=0, help="percent more in every call")
    parser.add_argument("--tail", type=float, default=0, help="percent of the calls that are slow")
    parser.add_argument("--tail-by", type=float, default=100, help="percent more in a slow call")
    parser.add_argument("--jitter", type=float, default=0, help="each call takes nothing or twice this more")
    parser.add_argument("--sleep", type=float, default=0, help="percent of a call waited in every call")
    parser.add_argument("--garbage", type=int, default=0, help="cycles of garbage made a call")
    parser.add_argument("--other-layout", action="store_true", help="other modules and heap, same work")
    parser.add_argument("--seed", type=int, help="of what is drawn (default: another each time)")
    return parser.parse_args(arguments)


def other_layout() -> list[bytearray]:
    """Import what is not needed and leave holes in the heap."""
    for name in ("decimal", "email.message", "xml.dom.minidom"):
        importlib.import_module(name)
    kept = [bytearray(size) for size in range(64, 40_000, 97)]
    del kept[::2]
    return kept


def main() -> None:
    options = parse(sys.argv[1:])
    heap = other_layout() if options.other_layout else []
    worker = SlowWorker(options)
    vars(reference_worker)["ReferenceWorker"] = lambda: worker
    reference_worker.main()
    del heap


if __name__ == "__main__":
    main()
