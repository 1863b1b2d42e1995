"""What a registry counts about itself since it started: one source for every form it is told in.

The contract's `/metrics` and `resolutionStats`, and Prometheus text, all read the same counters.
Times are kept in seconds and told in milliseconds where the contract's fields are.
"""

from collections.abc import Callable
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from hologram_dagster.protocol.nonce import Meters
from hologram_dagster.protocol.nonces import Refusal
from hologram_dagster.registry.faults import Violation
from hologram_dagster.registry.nonce_store import SharedNonces

PROMETHEUS_MEDIA_TYPE = CONTENT_TYPE_PLAIN_0_0_4
_PREFIX = "hologram_registry"
# Ages of nonces, seconds; below 0 they are from the future.
_AGES_S = (-300, -30, -5, 0, 1, 5, 15, 30, 60, 120, 300)
_BUCKETS_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class Figures:
    """The counters of one process. Safe to use from several threads."""

    def __init__(self) -> None:
        self._all = CollectorRegistry()
        self._responses = Histogram(
            f"{_PREFIX}_response_seconds",
            "GraphQL requests answered, and the time from request to answer.",
            ["status"],
            buckets=_BUCKETS_S,
            registry=self._all,
        )
        self._resolutions = Histogram(
            f"{_PREFIX}_resolution_seconds",
            "Look-ups that found something, and the time each took.",
            ["method"],
            buckets=_BUCKETS_S,
            registry=self._all,
        )
        self._violations = Counter(
            f"{_PREFIX}_violations", "Altered rows that were read.", ["violation"], registry=self._all
        )

        self._nonce_ages = Histogram(
            f"{_PREFIX}_nonce_age_seconds",
            "How old the well-formed nonces were that came; negative: from the future.",
            buckets=_AGES_S,
            registry=self._all,
        )
        self._nonces_refused = Counter(
            f"{_PREFIX}_nonces_refused", "Nonces refused, by reason.", ["reason"], registry=self._all
        )
        for reason in Refusal:
            self._nonces_refused.labels(reason)
        self._nonce_rate = 0.0

    def nonces(self, table: SharedNonces) -> Meters:
        """The meters of nonces that are used up in `table`."""
        self._nonce_rate = table.safe_rate
        self.watch(
            "nonce_safe_rate", "Nonces a second that the table bears for ever.", lambda: table.safe_rate
        )
        return Meters(
            age=self._nonce_ages.observe, refused=lambda reason: self._nonces_refused.labels(reason).inc()
        )

    def of_nonces(self) -> dict[str, Any]:
        """The meters of nonces: `age` as a histogram (a count for each upper limit in seconds), what was
        refused as too old, in the future and replayed, and the rate a second that is safe for ever."""
        refused = {
            sample.labels["reason"]: int(sample.value)
            for metric in self._nonces_refused.collect()
            for sample in metric.samples
            if sample.name.endswith("_total")
        }
        ages = {
            sample.labels["le"]: int(sample.value)
            for metric in self._nonce_ages.collect()
            for sample in metric.samples
            if sample.name.endswith("_bucket")
        }
        return {
            "age": ages,
            "tooOld": refused[Refusal.TOO_OLD],
            "inFuture": refused[Refusal.IN_FUTURE],
            "replayed": refused[Refusal.REPLAYED],
            "refused": refused,
            "safeRate": self._nonce_rate,
        }

    def watch(self, name: str, description: str, read: Callable[[], float]) -> None:
        """Tell Prometheus a figure that is read when asked for."""
        Gauge(f"{_PREFIX}_{name}", description, registry=self._all).set_function(read)

    def answered(self, status: int, seconds: float) -> None:
        """Count a GraphQL request answered with an HTTP status."""
        self._responses.labels(str(status)).observe(seconds)

    def resolved(self, method: str, seconds: float) -> None:
        """Count a look-up that found something."""
        self._resolutions.labels(method).observe(seconds)

    def violated(self, violation: Violation) -> None:
        """Count an altered row that was read."""
        self._violations.labels(violation).inc()

    @property
    def requests(self) -> int:
        """GraphQL requests answered."""
        return int(self._sum(f"{_PREFIX}_response_seconds_count"))

    @property
    def average_response_ms(self) -> float:
        """Milliseconds from request to answer; 0 before the first."""
        return _average_ms(self._sum(f"{_PREFIX}_response_seconds_sum"), self.requests)

    @property
    def resolutions(self) -> int:
        """Look-ups that found something."""
        return int(self._sum(f"{_PREFIX}_resolution_seconds_count"))

    @property
    def average_resolution_ms(self) -> float:
        """Milliseconds a look-up took; 0 before the first."""
        return _average_ms(self._sum(f"{_PREFIX}_resolution_seconds_sum"), self.resolutions)

    @property
    def violations(self) -> int:
        """Altered rows that were read."""
        return int(self._sum(f"{_PREFIX}_violations_total"))

    @property
    def bijection_integrity(self) -> float:
        """max(0, 1 - violations / resolutions); 1 while there were neither (contract section 3.5)."""
        violations, resolutions = self.violations, self.resolutions
        return max(0.0, 1 - violations / max(1, resolutions))

    def prometheus(self) -> bytes:
        """All of it in Prometheus' text format."""
        return generate_latest(self._all)

    def _sum(self, sample_name: str) -> float:
        return sum(
            sample.value
            for metric in self._all.collect()
            for sample in metric.samples
            if sample.name == sample_name
        )


def _average_ms(seconds: float, count: int) -> float:
    return 1000 * seconds / count if count else 0.0
