"""How near the faults come to what was asked for, on real traffic: figures, and their limits."""

import statistics
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from hologram_dagster.chaos.faults.link import Cut, Link
from hologram_dagster.chaos.faults.proxy import Proxy
from hologram_dagster.chaos.faults.toxics import BOTH, Bandwidth, Blackhole, Direction, Latency, Reset
from hologram_dagster_tests.chaos.faults.asking import Client, median_ms, meets, throughput

UP, DOWN = Direction.UP, Direction.DOWN
LATENCY_SHARE, LATENCY_MS = 0.10, 5.0
BANDWIDTH_SHARE = 0.05
# Long enough for a rate, short enough to wait for.
_TRANSFER_S = 1.0
_SILENCE_S = 0.15


@dataclass(frozen=True, slots=True)
class Figure:
    """What was asked for, what came of it, and how far apart they may be."""

    fault: str
    asked: float
    measured: float
    allowed: float
    unit: str

    @property
    def holds(self) -> bool:
        return abs(self.measured - self.asked) <= self.allowed


Measure = Callable[[Proxy, int], Figure]


def _latency(asked_ms: float, jitter_ms: float, ways: tuple[Direction, ...]) -> Measure:
    def measure(proxy: Proxy, direct: int) -> Figure:
        times = max(11, round(1500 / (asked_ms * len(ways) + 20)))
        plain = median_ms(direct, times)
        proxy.impose(Latency(delay_ms=asked_ms, jitter_ms=jitter_ms, directions=ways))
        shift = median_ms(proxy.port, times) - plain
        total = asked_ms * len(ways)
        named = f"latency {asked_ms:g}" + (f" ± {jitter_ms:g}" if jitter_ms else "") + " ms"
        return Figure(
            f"{named} {_told(ways)}", total, shift, max(LATENCY_SHARE * total, LATENCY_MS), "ms a round trip"
        )

    return measure


def _bandwidth(asked: float, way: Direction) -> Measure:
    def measure(proxy: Proxy, _: int) -> Figure:
        proxy.impose(Bandwidth(bytes_per_s=asked, directions=(way,)))
        size = round(asked * _TRANSFER_S)
        got = throughput(proxy.port, up=size) if way is UP else throughput(proxy.port, down=size)
        return _rate(f"bandwidth {asked / 1000:g} kB/s {way}", asked, got)

    return measure


def _rate(fault: str, asked: float, got: float) -> Figure:
    return Figure(fault, asked / 1000, got / 1000, BANDWIDTH_SHARE * asked / 1000, "kB/s")


def _every(fault: str, met: list[str], wanted: str) -> Figure:
    return Figure(fault, 100, 100 * met.count(wanted) / len(met), 0, "% of connections")


def _reset(proxy: Proxy, _: int) -> Figure:
    proxy.impose(Reset())
    return _every("reset", [meets(proxy.port, timeout_s=60) for _ in range(100)], "reset")


def _blackhole(way: Direction) -> Measure:
    def measure(proxy: Proxy, _: int) -> Figure:
        proxy.impose(Blackhole(directions=(way,)))
        met = [meets(proxy.port, timeout_s=_SILENCE_S) for _ in range(10)]
        return _every(f"blackhole {way}", met, "silent")

    return measure


def _refused(proxy: Proxy, _: int) -> Figure:
    proxy.refuse()
    try:
        return _every("refused", [meets(proxy.port, timeout_s=60) for _ in range(100)], "refused")
    finally:
        proxy.accept()


def _told(ways: tuple[Direction, ...]) -> str:
    return "each way" if ways == BOTH else ways[0]


# By the name that a test shows.
BY_PROXY: dict[str, Measure] = {
    "latency-5-each-way": _latency(5, 0, BOTH),
    "latency-50-up": _latency(50, 0, (UP,)),
    "latency-50-down": _latency(50, 0, (DOWN,)),
    "latency-50-jitter-10": _latency(50, 10, BOTH),
    "latency-200-each-way": _latency(200, 0, BOTH),
    "bandwidth-100k-down": _bandwidth(1e5, DOWN),
    "bandwidth-1M-up": _bandwidth(1e6, UP),
    "bandwidth-1M-down": _bandwidth(1e6, DOWN),
    "bandwidth-10M-down": _bandwidth(1e7, DOWN),
    "reset": _reset,
    "blackhole-up": _blackhole(UP),
    "blackhole-down": _blackhole(DOWN),
    "refused": _refused,
}


def by_proxy(name: str, proxy: Proxy, direct: int) -> Figure:
    """Measure one fault of the proxy; `direct` is the port of the service itself."""
    try:
        return BY_PROXY[name](proxy, direct)
    finally:
        proxy.clear()


def by_link(link: Link, asked: float, way: Direction) -> Figure:
    """Measure the link's bandwidth."""
    port = _port(link)
    link.narrow(asked)
    try:
        size = round(3 * asked * _TRANSFER_S)
        got = throughput(port, up=size) if way is UP else throughput(port, down=size)
    finally:
        link.widen()
    return _rate(f"link {asked / 1000:g} kB/s {way} (tbf)", asked, got)


def cuts(link: Link) -> Iterator[Figure]:
    """Measure each way to part the link."""
    for how, wanted in ((Cut.DOWN, "silent"), (Cut.DROP, "silent"), (Cut.REJECT, "reset")):
        link.cut(how)
        try:
            met = [meets(_port(link), timeout_s=_SILENCE_S) for _ in range(10)]
        finally:
            link.mend()
        yield _every(f"link {how}", met, wanted)


def jitter_spread_ms(proxy: Proxy, delay_ms: float, jitter_ms: float) -> tuple[float, float]:
    """Mean and standard deviation of the round trips' delay, ms."""
    proxy.impose(Latency(delay_ms=delay_ms, jitter_ms=jitter_ms, directions=(UP,)))
    with Client(proxy.port) as client:
        taken = client.round_trips_ms(40)
    proxy.clear()
    return statistics.fmean(taken), statistics.stdev(taken)


def _port(link: Link) -> int:
    return int(link.url.rpartition(":")[2])
