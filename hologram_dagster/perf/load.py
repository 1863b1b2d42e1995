"""`perf_load`: the p95 of resolving a name while requests arrive at a fixed rate.

Load only services that may be disturbed: the caller decides which (`HOLOGRAM_ALLOW_DISRUPTION`
for any that the run did not start itself), and holds the measuring lock (`lock`).
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx
from gql.transport.exceptions import TransportQueryError

from hologram_dagster.errors import HologramError, ServiceError
from hologram_dagster.observation import Finding, Observation, Status
from hologram_dagster.perf.gql import QUERY, SEED, SEED_CONTENT
from hologram_dagster.perf.measurement import ANSWERS_CORRECT
from hologram_dagster.perf.open_model import Arrivals, drive
from hologram_dagster.registry.client import RegistryClient, RegistryError
from hologram_dagster.secrets.redactor import redact

KIND = "perf_load"
METHOD = "1"
P95_UNDER_LOAD = "p95_under_load"
SEND_LAG = "send_lag"
# Of the budget: a client that is later than this with its own sends measures itself.
_LAG_SHARE = 0.1
_QUOTED = 200


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
        target = _Target(url, token, name, timeout_s)
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


async def _load(target: "_Target", encoding: str, rate_per_s: float, duration_s: float) -> Arrivals:
    # A pool limit would have requests wait for each other, and so close the model.
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
    async with httpx.AsyncClient(timeout=target.timeout_s, trust_env=False, limits=limits) as client:

        async def request() -> None:
            try:
                response = await client.send(target.request())
            except httpx.TimeoutException:
                raise ServiceError(f"no answer within {target.timeout_s:g} s") from None
            except httpx.HTTPError as error:
                raise ServiceError(f"cannot reach the registry: {redact(str(error))}") from None
            target.check(response, encoding)

        return await drive(request, rate_per_s=rate_per_s, duration_s=duration_s, timeout_s=target.timeout_s)


@dataclass(frozen=True, slots=True)
class _Target:
    """The name to resolve, and where."""

    url: str
    token: str | None
    name: str
    timeout_s: float

    def request(self) -> httpx.Request:
        """The request that resolves the name.

        Raises:
            HologramError: the URL or the token cannot be sent.
        """
        headers = {"authorization": self.token} if self.token else {}
        if self.token and not self.token.isprintable():
            raise HologramError("GRAPHQL_TOKEN is no header text: set it without line feeds.")
        try:
            return httpx.Request(
                "POST", self.url, json={"query": QUERY, "variables": {"n": self.name}}, headers=headers
            )
        except (httpx.InvalidURL, ValueError):
            # The error's own text would repeat the token.
            raise HologramError(
                "cannot ask the registry: GRAPHQL_URL is no URL, or GRAPHQL_TOKEN no header text. "
                "Correct them."
            ) from None

    def make_sure_it_resolves(self) -> str:
        """The name's encoding; seeds it once where there is none.

        Raises:
            HologramError: the name does not resolve and cannot be seeded, or nobody answers.
        """
        self.request()
        with RegistryClient(self.url, token=self.token, timeout_s=self.timeout_s) as registry:
            try:
                found = _encoding(registry.execute(QUERY, {"n": self.name}))
            except RegistryError as error:
                # To many registries a name they do not know is an error (contract section 3.4).
                if not isinstance(error.__cause__, TransportQueryError):
                    raise
                found = None
            if found is None:
                registry.execute(SEED, {"n": self.name, "c": SEED_CONTENT})
                found = _encoding(registry.execute(QUERY, {"n": self.name}))
        if found is None:
            raise ServiceError(f"{self.name} does not resolve although it was published")
        return found

    def check(self, response: httpx.Response, encoding: str) -> None:
        """Hold `response` to resolve the name to `encoding`.

        Raises:
            ServiceError: it does not.
        """
        try:
            answer: Any = response.json()
        except ValueError:
            answer = None
        data = answer.get("data") if isinstance(answer, dict) and not answer.get("errors") else None
        if response.status_code != httpx.codes.OK or _encoding(data) != encoding:
            text = redact(response.text[: 10 * _QUOTED])[:_QUOTED]
            raise ServiceError(f"{self.name}: HTTP status {response.status_code} with {text!r}")


def _encoding(data: Any) -> str | None:
    resolved = data.get("resolve") if isinstance(data, dict) else None
    encoding = resolved.get("encoding") if isinstance(resolved, dict) else None
    return encoding if isinstance(encoding, str) and encoding else None
