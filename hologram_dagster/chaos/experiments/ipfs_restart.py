"""`chaos_ipfs_restart`: the IPFS node is killed while contents are published, and started again.

Clients try again as the contract has it (section 3.8). Nothing acknowledged may be lost, most
operations outside the outage must succeed, and the node must be back within 30 s.
"""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from hologram_dagster.chaos.experiment import Leftover
from hologram_dagster.chaos.experiments.publishing import Publisher
from hologram_dagster.chaos.experiments.trial import Round, Trial
from hologram_dagster.chaos.faults.services import Killable
from hologram_dagster.chaos.faults.witness import Reach, reach
from hologram_dagster.chaos.intervals import quantile
from hologram_dagster.chaos.load import Load, Operation, now_s, success_share
from hologram_dagster.observation import Finding, Status

NAME = "chaos_ipfs_restart"
TITLE = "The IPFS node is killed while contents are published, and started again"
RECOVERY_LIMIT_S = 30.0
LEAST_SUCCESS = 0.95
# A busy host may let a retry wait as much longer than it should.
RETRY_LATE_S = 1.0
# A load whose own sending is later than this (p95) measures the host.
MOST_LAG_MS = 500.0
_REFUSAL_TIMEOUT_S = 2.0


@dataclass(frozen=True, slots=True)
class Outage:
    """One kill: when, when the node was told to start again, and when a publication worked again, s."""

    killed_s: float
    started_s: float
    recovered_s: float

    @property
    def recovery_ms(self) -> float:
        """From the kill to the first publication that worked, ms."""
        return 1000 * (self.recovered_s - self.killed_s)


@dataclass(slots=True)
class IpfsRestart:
    """The experiment's state, and its steps.

    `lives` says whether the node's process runs; None where only its answers can be seen.
    """

    ipfs: Killable
    ipfs_api: str
    publisher: Publisher
    load: Load
    lives: Callable[[], bool] | None = None
    down_s: float = 1.0
    recovery_limit_s: float = RECOVERY_LIMIT_S
    outages: list[Outage] = field(default_factory=list)
    _killed_s: float = 0.0
    _started_s: float = 0.0

    def steady(self) -> str:
        """Why a content cannot be published and read back; empty when it can."""
        return self.publisher.probe()

    def kill(self) -> None:
        """Kill the node."""
        self._killed_s = now_s()
        self.ipfs.kill()

    def witness(self) -> tuple[bool, str]:
        """Whether the node is really gone: its process, and its port."""
        met = reach(f"{self.ipfs_api}/api/v0/version", timeout_s=_REFUSAL_TIMEOUT_S)
        running = self.lives is not None and self.lives()
        told = f"its RPC {met}, its process {'runs' if running else 'is gone'}"
        return met is Reach.REFUSED and not running, told

    def start(self, give_up: threading.Event | None = None) -> None:
        """Start the node again, after it has been down for a while."""
        (give_up or threading.Event()).wait(max(0.0, self._killed_s + self.down_s - now_s()))
        self._started_s = now_s()
        self.ipfs.restart()

    def recovered(self) -> bool:
        """Whether publishing works again; notes the outage when it first does."""
        if self.publisher.probe():
            return False
        self.outages.append(Outage(self._killed_s, self._started_s, now_s()))
        return True

    def trial(self, *, repeats: int = 1, between_s: float = 2.0, leftovers: Sequence[Leftover] = ()) -> Trial:
        """The experiment as a trial: `repeats` kills, `between_s` seconds of load before and after each.

        `leftovers` start the node again where this process is killed before it did.
        """

        kills = [
            Round(
                f"kill {number}",
                self.kill,
                self.witness,
                self.start,
                self.recovered,
                limit_s=self.recovery_limit_s,
                # What is judged outside the outages must be there.
                after_s=between_s,
                leftovers=leftovers,
            )
            for number in range(1, repeats + 1)
        ]

        def steady() -> str:
            time.sleep(between_s)
            return self.steady()

        return Trial(
            NAME,
            steady,
            kills,
            self.findings,
            self.values,
            self.load,
            title=TITLE,
            chaos_type="ipfs_kill_restart",
        )

    def outside(self) -> list[Operation]:
        """The operations that no outage touched."""
        return [
            each
            for each in self.load.operations
            if not any(each.during(outage.killed_s, outage.recovered_s) for outage in self.outages)
        ]

    def findings(self) -> tuple[Finding, ...]:
        """What must hold of all operations, once the load has ended and the node is back."""
        return (
            *(self._recovery(), self._success(), self._nothing_lost(), self._retries()),
            self._load_was_on_time(),
        )

    def values(self) -> Mapping[str, float]:
        """The figures: those of contract section 3.8, and the recovery's quantiles with their intervals."""
        operations = self.load.operations
        figures: dict[str, float] = {
            "chaos_events": len(self.outages),
            "operations": len(operations),
            "acknowledged": len(self.publisher.acknowledged),
            "success_rate": success_share(self.outside()),
            "failure_rate": 1 - success_share(self.outside()),
            "success_rate_overall": success_share(operations),
            "most_tries": max((trace.tries for trace in self.publisher.traces), default=0),
            "retried": sum(trace.tries > 1 for trace in self.publisher.traces),
            "send_lag_p95_ms": self.load.send_lag_p95_ms,
        }
        times = [outage.recovery_ms for outage in self.outages]
        if times:
            p50, p95 = quantile(times, 0.5), quantile(times, 0.95)
            figures |= {
                "recovery_time_ms": max(times),
                "recovery_p50_ms": p50.value,
                "recovery_p50_low_ms": p50.low,
                "recovery_p95_ms": p95.value,
                "recovery_p95_low_ms": p95.low,
            }
            # Evidence holds finite figures only: too few repeats bound nothing from above.
            highs = {"recovery_p50_high_ms": p50.high, "recovery_p95_high_ms": p95.high}
            figures |= {name: high for name, high in highs.items() if high != float("inf")}
        return figures

    def _recovery(self) -> Finding:
        worst = max((outage.recovery_ms for outage in self.outages), default=None)
        if worst is None:
            return Finding("recovery", Status.FAILED, "publishing never worked again after the kill")
        held = worst < 1000 * self.recovery_limit_s
        told = f"publishing worked again {worst:.0f} ms after the kill at the latest"
        return _finding("recovery", held, f"{told}, less than {self.recovery_limit_s:g} s is required")

    def _success(self) -> Finding:
        outside = self.outside()
        if not outside:
            return Finding("success", Status.INCONCLUSIVE, "no operation lay outside the outages")
        share = success_share(outside)
        why = next((f": {each.error}" for each in outside if not each.done), "")
        told = f"{100 * share:.1f} % of {len(outside)} operations outside the outages succeeded"
        return _finding("success", share > LEAST_SUCCESS, f"{told}, more than 95 % is required{why}")

    def _nothing_lost(self) -> Finding:
        acknowledged = len(self.publisher.acknowledged)
        if not acknowledged:
            return Finding("nothing_lost", Status.INCONCLUSIVE, "nothing was acknowledged at all")
        lost = self.publisher.lost()
        told = f"{len(lost)} of {acknowledged} acknowledged publications were lost"
        return _finding("nothing_lost", not lost, told + (f": {lost[0]}" if lost else ""))

    def _retries(self) -> Finding:
        traces = self.publisher.traces
        retried = sum(trace.tries > 1 for trace in traces)
        if not retried:
            return Finding("retries", Status.INCONCLUSIVE, "no operation met the outage, so none was retried")
        breaches = self.publisher.breaches(late_s=RETRY_LATE_S)
        policy = self.publisher.policy
        told = f"{retried} of {len(traces)} operations were tried again, at most {policy.tries} times in all"
        if breaches and self.load.send_lag_p95_ms > MOST_LAG_MS:
            # Where we are late with everything, so are retries: that says nothing of the client.
            return Finding("retries", Status.INCONCLUSIVE, f"{breaches[0]}, but our own load was late, too")
        return _finding("retries", not breaches, breaches[0] if breaches else f"{told}, as planned")

    def _load_was_on_time(self) -> Finding:
        lag = self.load.send_lag_p95_ms
        status = Status.INCONCLUSIVE if lag > MOST_LAG_MS else Status.PASSED
        return Finding(
            "send_lag", status, f"the p95 of our own lag is {lag:.1f} ms, at most {MOST_LAG_MS:g} ms"
        )


def _finding(name: str, held: bool, told: str) -> Finding:
    return Finding(name, Status.PASSED if held else Status.FAILED, told)
