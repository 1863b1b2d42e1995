"""`perf_load`: the p95 of resolving a name while requests arrive at a fixed rate.

Load only services that may be disturbed: the caller decides which (`HOLOGRAM_ALLOW_DISRUPTION`
for any that the run did not start itself), and holds the measuring lock (`lock`).
"""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime

import httpx

from hologram_dagster.errors import HologramError
from hologram_dagster.observation import Finding, Observation, Status
from hologram_dagster.perf.measurement import ANSWERS_CORRECT
from hologram_dagster.perf.open_model import Arrivals, drive
from hologram_dagster.perf.resolving import Resolving

KIND = "perf_load"
METHOD = "1"
P95_UNDER_LOAD = "p95_under_load"
SEND_LAG = "send_lag"
# Of the budget: a client that is later than this with its own sends measures itself.
_LAG_SHARE = 0.1


def observe_load(
    url: str,
    token: str | None,
    name: str,
    *,
    rate_per_s: float,
    duration_s: float,
    budget_ms: float,
    timeout_s: float = 10.0,
) -> Observation:
    """Resolve `name` at the registry `url`, `rate_per_s` times a second for `duration_s` seconds.

    Timed from the moment each request was due. Findings: `answers_correct`, `send_lag`
    (inconclusive, and with it the whole, where the p95 of our own lag exceeds a tenth of
    `budget_ms`) and `p95_under_load`. A name that does not resolve is seeded once. `token`
    goes verbatim as `authorization`. Never raises for what it observes.
    """
    started_at = datetime.now(UTC)
    limits = {"budget_ms": budget_ms, "rate_per_s": rate_per_s, "duration_s": duration_s}
    facts = {"name": name}

    def seen(
        status: Status, findings: tuple[Finding, ...], values: Mapping[str, float] | None = None
    ) -> Observation:
        return Observation(
            KIND, status, METHOD, started_at, datetime.now(UTC), {**limits, **(values or {})}, facts, findings
        )

    try:
        target = Resolving(url, token, name, timeout_s)
        encoding = target.make_sure_it_resolves()
        arrivals = asyncio.run(_load(target, encoding, rate_per_s, duration_s))
    except HologramError as error:
        return seen(Status.ERROR, (Finding(ANSWERS_CORRECT, Status.ERROR, str(error)),))
    values = _values(arrivals)
    findings = _findings(arrivals, values, budget_ms)
    worst = {finding.status for finding in findings}
    status = next((s for s in (Status.INCONCLUSIVE, Status.FAILED) if s in worst), Status.PASSED)
    if findings[0].status is Status.FAILED:
        # Whatever our lag, a wrong answer is a wrong answer.
        status = Status.FAILED
    return seen(status, findings, values)


def _values(arrivals: Arrivals) -> dict[str, float]:
    latency, lag = arrivals.latency, arrivals.lag
    return {
        "p50_ms": latency.percentile_ms(50),
        "p95_ms": latency.percentile_ms(95),
        "p99_ms": latency.percentile_ms(99),
        "max_ms": latency.percentile_ms(100),
        "avg_ms": latency.mean_ms,
        "n": arrivals.due,
        "failed": arrivals.failed,
        "send_lag_p95_ms": lag.percentile_ms(95),
        "send_lag_max_ms": lag.percentile_ms(100),
    }


def _findings(arrivals: Arrivals, values: Mapping[str, float], budget_ms: float) -> tuple[Finding, ...]:
    p95, lag, most_lag = values["p95_ms"], values["send_lag_p95_ms"], _LAG_SHARE * budget_ms
    answered = (
        Finding(ANSWERS_CORRECT, Status.PASSED, f"all {arrivals.due} requests were answered right")
        if not arrivals.failed
        else Finding(
            ANSWERS_CORRECT,
            Status.FAILED,
            f"{arrivals.failed} of {arrivals.due} requests were not answered right: {arrivals.cause}",
        )
    )
    told = f"p95 {p95:.1f} ms, p99 {values['p99_ms']:.1f} ms under load, budget {budget_ms:g} ms for the p95"
    if lag > most_lag:
        why = f"our own requests went out late: the p95 of the lag is {lag:.1f} ms, at most {most_lag:.1f} ms"
        return (
            answered,
            Finding(SEND_LAG, Status.INCONCLUSIVE, f"{why}. Run it on a less busy machine."),
            Finding(P95_UNDER_LOAD, Status.INCONCLUSIVE, f"{told}, but {why}"),
        )
    return (
        answered,
        Finding(
            SEND_LAG, Status.PASSED, f"the p95 of our own lag is {lag:.1f} ms, at most {most_lag:.1f} ms"
        ),
        Finding(P95_UNDER_LOAD, Status.FAILED if p95 > budget_ms else Status.PASSED, told),
    )


async def _load(target: Resolving, encoding: str, rate_per_s: float, duration_s: float) -> Arrivals:
    # A pool limit would have requests wait for each other, and so close the model.
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
    async with httpx.AsyncClient(timeout=target.timeout_s, trust_env=False, limits=limits) as client:

        async def request() -> None:
            with target.failures_told():
                response = await client.send(target.request())
            target.check(response, encoding)

        return await drive(request, rate_per_s=rate_per_s, duration_s=duration_s, timeout_s=target.timeout_s)
