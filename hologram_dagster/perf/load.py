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
from hologram_dagster.perf.measurement import ANSWERS_CORRECT, MOST_LAUNCHES
from hologram_dagster.perf.open_model import Arrivals, drive
from hologram_dagster.perf.resolving import Resolving

KIND = "perf_load"
METHOD = "1"
# Of the budget: a client later than this with its own requests (p95) measures itself.
LAG_SHARE = 0.1


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

    Timed from the moment each request was due; `send_lag_p95_ms` and `send_lag_max_ms` say
    how late our own client was with it. A p95 above `budget_ms`, or a lag above a tenth of it,
    has it done again, at most twice, since one breach may be the host's doing; the best figures
    count. A name that does not resolve is seeded once. `token` goes verbatim as `authorization`.
    One finding, `answers_correct`. Never raises for what it observes.
    """
    started_at = datetime.now(UTC)
    limits = {"budget_ms": budget_ms, "rate_per_s": rate_per_s, "duration_s": duration_s}
    launches: list[dict[str, float]] = []
    status, told = Status.PASSED, ""
    try:
        target = Resolving(url, token, name, timeout_s)
        encoding = target.make_sure_it_resolves()
        while len(launches) < MOST_LAUNCHES and all(_spoilt(seen, budget_ms) for seen in launches):
            arrivals = asyncio.run(_load(target, encoding, rate_per_s, duration_s))
            launches.append(_values(arrivals))
            told = f"all {arrivals.due} requests were answered right"
            if arrivals.failed:
                status = Status.FAILED
                told = (
                    f"{arrivals.failed} of {arrivals.due} requests were not answered right: {arrivals.cause}"
                )
                # Not a matter of chance, as a slow answer may be.
                break
    except HologramError as error:
        status, told, launches = Status.ERROR, str(error), []
    if status is Status.FAILED:
        figures = launches[-1]
    else:
        figures = min(
            launches, key=lambda seen: (_lagged(seen, budget_ms), seen["p95_ms"]), default=dict[str, float]()
        )
    return Observation(
        KIND,
        status,
        METHOD,
        started_at,
        datetime.now(UTC),
        {**limits, **figures, "launches": len(launches)},
        {"name": name},
        (Finding(ANSWERS_CORRECT, status, told),),
    )


def _lagged(seen: Mapping[str, float], budget_ms: float) -> bool:
    return seen["send_lag_p95_ms"] > LAG_SHARE * budget_ms


def _spoilt(seen: Mapping[str, float], budget_ms: float) -> bool:
    return seen["p95_ms"] > budget_ms or _lagged(seen, budget_ms)


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


async def _load(target: Resolving, encoding: str, rate_per_s: float, duration_s: float) -> Arrivals:
    # A pool limit would have requests wait for each other, and so close the model.
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
    async with httpx.AsyncClient(timeout=target.timeout_s, trust_env=False, limits=limits) as client:

        async def request() -> None:
            with target.failures_told():
                response = await client.send(target.request())
            target.check(response, encoding)

        return await drive(request, rate_per_s=rate_per_s, duration_s=duration_s, timeout_s=target.timeout_s)
