"""`perf_cold_warm`: the first call of a freshly started process, and the calls after it.

*Cold* is a process's first call: nothing is compiled, loaded or connected yet; the
machine's own file cache is not emptied. *Warm* is a call after it, in the same process.
The timings are in the terms of `reports/perf/cache_profiles.json` (contract section 2.9),
which whoever calls merges them into (`history.cold_warm`), and who holds the measuring lock.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from statistics import median
from typing import Literal

import httpx

from hologram_dagster.errors import HologramError
from hologram_dagster.observation import Finding, Observation, Status
from hologram_dagster.perf.measurement import WrongAnswerError
from hologram_dagster.perf.resolving import Resolving
from hologram_dagster.profiles import MIB, VERIFY_PAYLOAD_BYTES
from hologram_dagster.protocol import atlas
from hologram_dagster.target.reference_worker import digest_of_encode, digest_of_verify, payload
from hologram_dagster.target.worker import Worker

KIND = "perf_cold_warm"
METHOD = "1"
ROUNDS = 3
WARM_CALLS = 5
_NS_PER_MS = 1e6

# Makes one call, holds its answer to be right, and returns its time, ms.
Call = Callable[[], float]
# Starts what serves the calls anew, and ends it.
Start = Callable[[], AbstractContextManager[Call]]
# Starts a registry that keeps its data, and ends it; its GraphQL URL.
Serve = Callable[[], AbstractContextManager[str]]


@dataclass(frozen=True, slots=True)
class Timing:
    """One operation with one state of the caches: the median over the rounds, ms.

    `metrics` of a cold one hold `start_ms`, the time until the process was ready for its
    first call. `error` says why there is no time; `duration_ms` is then until the failure.
    """

    operation: str
    cache: Literal["cold", "warm"]
    duration_ms: float
    at: datetime
    metrics: Mapping[str, float] = field(default_factory=dict)
    error: str | None = None


@dataclass(frozen=True, slots=True)
class ColdWarm:
    """The observation, and its timings for the profiles' file."""

    observation: Observation
    timings: tuple[Timing, ...]


def observe_cold_warm(
    start_worker: Callable[[], Worker],
    *,
    serve: Serve,
    token: str | None,
    name: str,
    payload_mb: int = 1,
    rounds: int = ROUNDS,
    warm_calls: int = WARM_CALLS,
    timeout_s: float = 10.0,
) -> ColdWarm:
    """Start each operation `rounds` times; of each start one cold and `warm_calls` warm calls.

    `verify` and `encode` (`payload_mb` MiB) run in the worker that `start_worker` starts;
    `gql` resolves `name` at the registry of `serve`, seeded there once. For a registry that
    is not ours to restart, `serve` gives its URL: its cold call is then the first of a
    connection only. One finding an operation, named as it; values `<operation>_cold_ms`,
    `_warm_ms`, `_ratio` and `_start_ms`. Never raises for what it observes.
    """
    started_at = datetime.now(UTC)
    sizes = {"verify": VERIFY_PAYLOAD_BYTES, "encode": payload_mb * MIB}
    operations: dict[str, Callable[[], Start]] = {
        operation: partial(_worker_starts, start_worker, operation, size) for operation, size in sizes.items()
    }
    operations["gql"] = partial(_registry_starts, serve, token, name, timeout_s)
    values: dict[str, float] = {"rounds": rounds, "warm_calls": warm_calls}
    findings: list[Finding] = []
    timings: list[Timing] = []
    for operation, prepare in operations.items():
        finding, of_operation, figures = _observe(operation, prepare, rounds, warm_calls)
        findings.append(finding)
        timings += of_operation
        values |= {f"{operation}_{key}": value for key, value in figures.items()}
    seen = {finding.status for finding in findings}
    status = next((s for s in (Status.FAILED, Status.ERROR) if s in seen), Status.PASSED)
    observation = Observation(
        KIND, status, METHOD, started_at, datetime.now(UTC), values, {"name": name}, tuple(findings)
    )
    return ColdWarm(observation, tuple(timings))


def _observe(
    operation: str, prepare: Callable[[], Start], rounds: int, warm_calls: int
) -> tuple[Finding, tuple[Timing, ...], Mapping[str, float]]:
    starts_ms: list[float] = []
    cold_ms: list[float] = []
    warm_ms: list[float] = []
    cache: Literal["cold", "warm"] = "cold"
    began = time.perf_counter_ns()
    try:
        start = prepare()
        for _ in range(rounds):
            cache, began = "cold", time.perf_counter_ns()
            with start() as call:
                starts_ms.append(_since_ms(began))
                cold_ms.append(call())
                cache = "warm"
                warm_ms += [call() for _ in range(warm_calls)]
    except (WrongAnswerError, HologramError) as error:
        status = Status.FAILED if isinstance(error, WrongAnswerError) else Status.ERROR
        broken = Timing(operation, cache, _since_ms(began), datetime.now(UTC), error=str(error))
        return Finding(operation, status, f"{cache}: {error}"), (broken,), {}
    at, cold, warm = datetime.now(UTC), median(cold_ms), median(warm_ms)
    figures = {
        "cold_ms": cold,
        "warm_ms": warm,
        "ratio": cold / warm,
        "start_ms": median(starts_ms),
    }
    timings = (
        Timing(operation, "cold", cold, at, {"start_ms": figures["start_ms"]}),
        Timing(operation, "warm", warm, at),
    )
    told = f"first call {cold:.3f} ms, later ones {warm:.3f} ms: {cold / warm:.1f} times"
    return Finding(operation, Status.PASSED, told), timings, figures


def _worker_starts(start_worker: Callable[[], Worker], operation: str, payload_bytes: int) -> Start:
    if operation == "verify":
        expected = digest_of_verify(True).hex()
    else:
        expected = digest_of_encode(atlas.encode(payload(payload_bytes))).hex()

    @contextmanager
    def start() -> Iterator[Call]:
        with start_worker() as worker:
            worker.prepare(operation, payload_bytes)

            def call() -> float:
                run = worker.run(1)
                if run.digest != expected:
                    raise WrongAnswerError(f"{worker.name} {worker.version} answered {operation} wrongly")
                # A clock too coarse for the call still gives a ratio.
                return max(run.ns[0], 1) / _NS_PER_MS

            yield call

    return start


def _registry_starts(serve: Serve, token: str | None, name: str, timeout_s: float) -> Start:
    with serve() as url:
        encoding = Resolving(url, token, name, timeout_s).make_sure_it_resolves()

    @contextmanager
    def start() -> Iterator[Call]:
        with serve() as url, httpx.Client(timeout=timeout_s, trust_env=False) as client:
            target = Resolving(url, token, name, timeout_s)
            request = target.request()

            def call() -> float:
                began = time.perf_counter_ns()
                with target.failures_told():
                    response = client.send(request)
                took = _since_ms(began)
                target.check(response, encoding)
                return took

            yield call

    return start


def _since_ms(began: int) -> float:
    return (time.perf_counter_ns() - began) / _NS_PER_MS
