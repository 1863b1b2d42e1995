"""How near each fault comes to what was asked for, on real traffic: `python benchmarks/fault_fidelity.py`.

Latency within 10 % or 5 ms of a round trip, bandwidth within 5 %, reset, blackhole, refusal and
partition on every connection. Each is measured five times; the table shows the median, and the
nearest and furthest. Exit code 1 when a median is outside its limit. Link faults need root,
iproute2 and nftables; without them the table says so.
"""

import statistics
import sys
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from hologram_dagster.chaos.faults.link import Link
from hologram_dagster.chaos.faults.namespaces import lacking
from hologram_dagster.chaos.faults.proxy import Proxy
from hologram_dagster_tests.chaos.faults.asking import bytes_service
from hologram_dagster_tests.chaos.faults.fidelity import (
    BY_PROXY,
    DOWN,
    UP,
    Figure,
    by_link,
    by_proxy,
    cuts,
)

ROUNDS = 5


def row(figures: list[Figure]) -> bool:
    """Print one fault's figures; whether their median holds."""
    one = figures[0]
    seen = sorted(figure.measured for figure in figures)
    middle = statistics.median(seen)
    holds = abs(middle - one.asked) <= one.allowed
    cells = (
        one.fault,
        f"{one.asked:.1f} ± {one.allowed:.1f} {one.unit}",
        f"{middle:.1f} ({seen[0]:.1f} to {seen[-1]:.1f})",
        "yes" if holds else "NO",
    )
    print("| " + " | ".join(cells) + " |", flush=True)
    return holds


def main() -> int:
    print("| fault | asked for | measured | holds |\n|---|---|---|---|")
    good = True

    def measured(measure: Callable[[], Figure]) -> None:
        nonlocal good
        good &= row([measure() for _ in range(ROUNDS)])

    with bytes_service() as url:
        with Proxy.start(url, seed=1) as proxy:
            for name in BY_PROXY:
                measured(lambda name=name: by_proxy(name, proxy, int(url.rpartition(":")[2])))
        if why := lacking("ip", "tc", "nft"):
            print(f"link faults were not measured: {why}")
            return int(not good)
        with Link.start(url) as link:
            for rate in (1e5, 1e6, 1e7):
                for way in (UP, DOWN):
                    measured(lambda rate=rate, way=way: by_link(link, rate, way))
            for figure in cuts(link):
                good &= row([figure])
    return int(not good)


if __name__ == "__main__":
    sys.exit(main())
