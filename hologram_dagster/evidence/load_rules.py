"""The rules for evidence of load, and of cold and warm calls: figures against the plan's limits.

Each is computed from the record's figures; what the record says of its own limits counts
for nothing, except that they must be the planned ones. Beside `rules`, which has the rest.
"""

from collections.abc import Callable, Mapping

from hologram_dagster.evidence.check import NOTHING, Check, Outcome
from hologram_dagster.evidence.record import Record
from hologram_dagster.evidence.rules import CUT_SHORT, FIGURES, figure
from hologram_dagster.observation import Status
from hologram_dagster.perf.load import LAG_SHARE
from hologram_dagster.profiles import OPERATIONS, Plan, Traffic

_LOAD_FIGURES = (*FIGURES, "send_lag_p95_ms")
_TRAFFIC_FIGURES = (
    *("duration_sec", "sent", "delivered", "rejected", "error_count", "throughput_mbps", "ops_per_sec"),
    *("p50_latency_ms", "p99_latency_ms", "avg_latency_ms"),
)
_TIMED = tuple(
    f"{operation}_{figure}" for operation in OPERATIONS for figure in ("cold_ms", "warm_ms", "ratio")
)

_Rule = Callable[[Record, Plan], Outcome]


def send_lag() -> Check:
    """The check that our own requests went out on time; else nothing was learnt."""

    def rule(record: Record, plan: Plan) -> Outcome:
        lag = record.values.get("send_lag_p95_ms")
        if lag is None:
            return NOTHING
        most = LAG_SHARE * plan.budgets_ms["gql"]
        message = f"the p95 of our own lag is {figure(lag)} ms, at most {figure(most)} ms"
        if lag > most:
            message += ": run it on a less busy machine"
        return Outcome(Status.INCONCLUSIVE if lag > most else Status.PASSED, message, lag, most, "ms")

    return _check("send_lag", "Our own requests went out on time.", rule)


def p95_under_load() -> Check:
    """The check that the p95 under load does not exceed the plan's `gql` budget; equal passes."""

    lagged = send_lag()

    def rule(record: Record, plan: Plan) -> Outcome:
        p95, p99 = record.values.get("p95_ms"), record.values.get("p99_ms")
        if p95 is None or p99 is None:
            return NOTHING
        budget = plan.budgets_ms["gql"]
        message = (
            f"p95 {figure(p95)} ms, p99 {figure(p99)} ms under load, budget {figure(budget)} ms for the p95"
        )
        status = Status.FAILED if p95 > budget else Status.PASSED
        lag = lagged.rule(record, plan)
        if lag.red:
            status, message = lag.status, f"{message}, but {lag.message}"
        return Outcome(status, message, p95, budget, "ms")

    return _check(
        "p95_under_load", "The p95 under load, from when a request was due, keeps the budget.", rule
    )


def load_complete() -> Check:
    """The check that all figures of `perf_load` are there, of the planned requests."""

    def rule(record: Record, plan: Plan) -> Outcome:
        planned = {
            "n": plan.load.requests,
            "rate_per_s": plan.load.rate_per_s,
            "duration_s": plan.load.duration_s,
        }
        return _as_planned(record, _LOAD_FIGURES, planned)

    return _check("evidence_complete", "All figures are there, of the planned requests.", rule)


def delivery(kind: str) -> Check:
    """The check that a large enough share of the operations was delivered; equal passes."""

    def rule(record: Record, plan: Plan) -> Outcome:
        share = _share_of_sent(record, "delivered")
        if share is None:
            return NOTHING
        least = plan.traffic[kind].least_delivered
        message = f"{_counted(record, 'delivered', share)} delivered, at least {100 * least:g} %"
        return _outcome(record, share >= least, message, 100 * share, 100 * least, "%")

    return _check("delivery", "Enough of the operations brought their own bytes back.", rule)


def throughput(kind: str) -> Check:
    """The check that the payloads delivered, both ways, came to enough Mbit/s."""

    def rule(record: Record, plan: Plan) -> Outcome:
        mbps = record.values.get("throughput_mbps")
        if mbps is None:
            return NOTHING
        above = plan.traffic[kind].above_mbps
        message = f"{figure(mbps)} Mbit/s, more than {figure(above)} Mbit/s is required"
        return _outcome(record, mbps > above, message, mbps, above, "Mbit/s")

    return _check("throughput", "The payloads delivered came to enough Mbit/s.", rule)


def p99_within_limit(kind: str) -> Check:
    """The check that the p99 of the delivered operations is below the plan's limit."""

    def rule(record: Record, plan: Plan) -> Outcome:
        p99, below = record.values.get("p99_latency_ms"), plan.traffic[kind].below_p99_ms
        if p99 is None or below is None:
            return NOTHING
        message = f"p99 {figure(p99)} ms, below {figure(below)} ms is required"
        return Outcome(Status.PASSED if p99 < below else Status.FAILED, message, p99, below, "ms")

    return _check("p99_within_limit", "The p99 of the delivered operations is below its limit.", rule)


def errors(kind: str) -> Check:
    """The check that few enough operations ended in an error; refusals of a busy service are none."""

    def rule(record: Record, plan: Plan) -> Outcome:
        share, below = _share_of_sent(record, "error_count"), plan.traffic[kind].below_errors
        if share is None or below is None:
            return NOTHING
        message = f"{_counted(record, 'error_count', share)} in error, below {100 * below:g} % is required"
        return _outcome(record, share < below, message, 100 * share, 100 * below, "%")

    return _check("errors", "Few enough of the operations ended in an error.", rule)


def traffic_complete(kind: str) -> Check:
    """The check that all figures are there, of the planned operations, and that each of these ended."""

    def rule(record: Record, plan: Plan) -> Outcome:
        traffic: Traffic = plan.traffic[kind]
        values = record.values
        # Without a delivered operation there is no latency, and `delivery` is red.
        needed = [name for name in _TRAFFIC_FIGURES if "latency" not in name or values.get("delivered")]
        planned = {
            "sent": traffic.operations,
            "payload_bytes": traffic.payload_bytes,
            "workers": traffic.workers,
            "planned_ops_per_sec": traffic.ops_per_s,
        }
        outcome = _as_planned(record, needed, planned)
        if outcome.status is not Status.PASSED:
            return outcome
        ended = values["delivered"] + values["rejected"] + values["error_count"]
        if ended != values["sent"]:
            return Outcome(Status.FAILED, f"{ended:g} of {values['sent']:g} operations have an end")
        return outcome

    return _check("evidence_complete", "All figures are there, of the planned operations.", rule)


def all_timed() -> Check:
    """The check that every operation has a cold and a warm time, and their ratio, which is shown."""

    def rule(record: Record, plan: Plan) -> Outcome:
        missing = [name for name in _TIMED if not record.values.get(name, 0) > 0]
        if len(missing) == len(_TIMED):
            return NOTHING
        if missing:
            return Outcome(Status.FAILED, f"without {', '.join(missing)}")
        told = ", ".join(f"{name} {figure(record.values[f'{name}_ratio'])}" for name in OPERATIONS)
        return Outcome(Status.PASSED, f"cold to warm: {told}")

    return _check("evidence_complete", "Each operation has a cold and a warm time, and their ratio.", rule)


def _check(name: str, description: str, rule: _Rule) -> Check:
    def unless_cut_short(record: Record, plan: Plan) -> Outcome:
        return NOTHING if record.status in CUT_SHORT else rule(record, plan)

    return Check(name, description, unless_cut_short)


def _as_planned(record: Record, needed: tuple[str, ...] | list[str], planned: Mapping[str, float]) -> Outcome:
    values = record.values
    if not any(name in values for name in needed):
        return NOTHING
    missing = [name for name in (*needed, *planned) if name not in values]
    if missing:
        return Outcome(Status.FAILED, f"without {', '.join(dict.fromkeys(missing))}")
    for name, wanted in planned.items():
        if values[name] != wanted:
            return Outcome(
                Status.FAILED, f"{name} {values[name]:g}, planned {wanted:g}", values[name], wanted
            )
    return Outcome(Status.PASSED, ", ".join(f"{name} {wanted:g}" for name, wanted in planned.items()))


def _share_of_sent(record: Record, name: str) -> float | None:
    part, sent = record.values.get(name), record.values.get("sent")
    return None if part is None or not sent else part / sent


def _counted(record: Record, name: str, share: float) -> str:
    return f"{record.values[name]:g} of {record.values['sent']:g} operations ({100 * share:.1f} %)"


def _outcome(record: Record, held: bool, message: str, value: float, limit: float, unit: str) -> Outcome:
    """The outcome, which where it is red tells the first error of the load, too."""
    cause = record.facts.get("first_error")
    told = message if held or not cause else f"{message}; the first error: {cause}"
    return Outcome(Status.PASSED if held else Status.FAILED, told, value, limit, unit)
