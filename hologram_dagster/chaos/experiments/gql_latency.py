"""`chaos_gql_latency`: delay on the way to the registry, and from the registry to its IPFS node.

An operation needs a number of round trips: a resolve one to the registry and none to the node, a
store one and two. Injected delay may cost each of them once and no more: the shift is at most 1.2
times the delay of the round trips it needs, and the p95 of a resolve stays within its budget plus
the injected delay.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from time import perf_counter

from hologram_dagster.chaos.experiments.trial import BETWEEN_S, Round, Trial
from hologram_dagster.chaos.faults.proxy import Proxy
from hologram_dagster.chaos.faults.toxics import Latency
from hologram_dagster.chaos.faults.witness import round_trips_ms
from hologram_dagster.chaos.load import Load
from hologram_dagster.errors import HologramError
from hologram_dagster.observation import Finding, Status
from hologram_dagster.perf.statistics import percentile

NAME = "chaos_gql_latency"
TITLE = "Delay on the way to the registry, and from it to its IPFS node"
MOST_SHIFT = 1.2
# What a busy host may add to a probe by itself, ms.
HOST_MS = 10.0
_PROBES = 5


class Leg(StrEnum):
    """Where the delay is."""

    REGISTRY = "registry"
    IPFS = "ipfs"


# Round trips that the reference registry needs for each operation, by leg.
ROUND_TRIPS: Mapping[str, Mapping[Leg, int]] = {
    "resolve": {Leg.REGISTRY: 1, Leg.IPFS: 0},
    # Adding the bytes, then pinning them under the lock of the name's row.
    "store": {Leg.REGISTRY: 1, Leg.IPFS: 2},
}


@dataclass(frozen=True, slots=True)
class Timed:
    """Quartile, median and p95 of one operation, ms, with delay on one leg or (None) on none."""

    operation: str
    leg: Leg | None
    p25_ms: float
    p50_ms: float
    p95_ms: float


@dataclass(slots=True)
class GqlLatency:
    """The experiment's state, and its steps.

    `proxies` are before each service, `probe_urls` a page of each that is answered without the
    other: by way of its proxy, and directly. `operations` do one operation, and raise
    `HologramError` where the answer is wrong. `delay_ms` is injected each way.
    """

    proxies: Mapping[Leg, Proxy]
    probe_urls: Mapping[Leg, tuple[str, str]]
    operations: Mapping[str, Callable[[], None]]
    budget_ms: float
    delay_ms: float = 50.0
    samples: int = 20
    round_trips: Mapping[str, Mapping[Leg, int]] = field(default_factory=lambda: ROUND_TRIPS)
    timed: list[Timed] = field(default_factory=list)
    witnessed_ms: dict[Leg, float] = field(default_factory=dict)

    @property
    def round_trip_ms(self) -> float:
        """What is injected into one round trip, ms."""
        return 2 * self.delay_ms

    def inject(self, leg: Leg) -> None:
        """Delay one leg, each way."""
        self.proxies[leg].impose(Latency(delay_ms=self.delay_ms))

    def lift(self) -> None:
        """Delay nothing."""
        for proxy in self.proxies.values():
            proxy.clear()

    def witness(self, leg: Leg) -> tuple[bool, str]:
        """Whether a request that is no operation is delayed by way of the proxy, and not directly."""
        held, shift, told = self._probe(leg)
        self.witnessed_ms[leg] = shift
        return held, told

    def delayed(self, leg: Leg) -> bool:
        """Whether the delay is there now."""
        return self._probe(leg)[0]

    def _probe(self, leg: Leg) -> tuple[bool, float, str]:
        through, direct = (
            percentile(round_trips_ms(url, times=_PROBES), 0.5) for url in self.probe_urls[leg]
        )
        shift = through - direct
        told = f"{leg}: {through:.1f} ms by way of the proxy, {direct:.1f} ms directly"
        held = abs(shift - self.round_trip_ms) <= max(HOST_MS, 0.1 * self.round_trip_ms)
        return held, shift, told

    def measure(self, leg: Leg | None) -> None:
        """Time every operation, one after the other; `leg` is what is delayed now.

        Raises:
            HologramError: an operation failed.
        """
        for name, operate in self.operations.items():
            operate()
            taken = []
            for _ in range(self.samples):
                began = perf_counter()
                operate()
                taken.append(1000 * (perf_counter() - began))
            quantiles = (percentile(taken, share) for share in (0.25, 0.5, 0.95))
            self.timed.append(Timed(name, leg, *quantiles))

    def steady(self) -> str:
        """Why the operations cannot be timed without delay; empty when they were."""
        try:
            self.measure(None)
        except HologramError as error:
            return str(error)
        return ""

    def trial(self, load: Load | None = None) -> Trial:
        """The experiment as a trial: a round for each leg."""

        def of(leg: Leg) -> Round:
            return Round(
                f"delay to the {leg}",
                inject=lambda: self.inject(leg),
                witness=lambda: self.witness(leg),
                mend=self.lift,
                recovered=lambda: not self.delayed(leg),
                meanwhile=lambda: self.measure(leg),
                # That the delay was there all the time, the shifts tell.
                sustained=False,
                after_s=BETWEEN_S if load is not None else 0.0,
            )

        return Trial(
            NAME,
            self.steady,
            [of(leg) for leg in Leg],
            self.findings,
            self.values,
            load,
            title=TITLE,
            budget_ms=self.budget_ms,
            chaos_type="network_latency",
        )

    def shift_ms(self, operation: str, leg: Leg) -> float:
        """By how much the delay on `leg` moved the fastest quarter of `operation`, ms.

        A round trip that an operation makes, all of them make; what a busy host adds, not all have.
        """
        return self._of(operation, leg).p25_ms - self._of(operation, None).p25_ms

    def findings(self) -> tuple[Finding, ...]:
        """What must hold of the figures, once every operation was timed without delay and with each."""
        untimed = [place for place in (None, *Leg) if place not in {timed.leg for timed in self.timed}]
        if untimed:
            told = ", ".join(
                "without delay" if leg is None else f"with delay to the {leg}" for leg in untimed
            )
            return (Finding("timed", Status.INCONCLUSIVE, f"no operation was timed {told}"),)
        return (*self._shifts(), *self._budgets())

    def values(self) -> Mapping[str, float]:
        """The figures."""
        figures = {
            "chaos_events": float(len(self.witnessed_ms)),
            "injected_round_trip_ms": self.round_trip_ms,
            "budget_ms": self.budget_ms,
            "samples": float(self.samples),
        }
        for leg, shift in self.witnessed_ms.items():
            figures[f"witnessed_{leg}_ms"] = shift
        for timed in self.timed:
            place = "steady" if timed.leg is None else f"{timed.leg}_delayed"
            figures[f"{timed.operation}_{place}_p25_ms"] = timed.p25_ms
            figures[f"{timed.operation}_{place}_p50_ms"] = timed.p50_ms
            figures[f"{timed.operation}_{place}_p95_ms"] = timed.p95_ms
        return figures

    def _shifts(self) -> list[Finding]:
        found = []
        for operation in self.operations:
            for leg in Leg:
                needed = self.round_trips[operation][leg]
                shift = self.shift_ms(operation, leg)
                most = (needed + (MOST_SHIFT - 1) * max(1, needed)) * self.round_trip_ms
                told = (
                    f"{operation} took {shift:.1f} ms longer with {self.round_trip_ms:g} ms a round trip to "
                    f"the {leg}; of the {needed} it needs, {most:.1f} ms are allowed"
                )
                held = shift <= most
                status = Status.PASSED if held else Status.FAILED
                if needed and shift < needed * self.round_trip_ms / 2:
                    # Faster than the delay allows: it did not go the delayed way.
                    status, told = Status.INCONCLUSIVE, f"{told}, less than half of what was injected"
                found.append(Finding(f"{operation}_{leg}_shift", status, told))
        return found

    def _budgets(self) -> list[Finding]:
        found = []
        for leg in Leg:
            p95 = self._of("resolve", leg).p95_ms
            most = self.budget_ms + self.round_trips["resolve"][leg] * self.round_trip_ms
            told = f"the p95 of a resolve is {p95:.1f} ms with delay to the {leg}, {most:g} ms are allowed"
            status = Status.PASSED if p95 <= most else Status.FAILED
            found.append(Finding(f"resolve_{leg}_budget", status, told))
        return found

    def _of(self, operation: str, leg: Leg | None) -> Timed:
        return next(each for each in self.timed if (each.operation, each.leg) == (operation, leg))
