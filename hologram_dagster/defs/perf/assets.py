"""The perf evidence: one asset an operation (contract section 2.1), budgets judged elsewhere."""

from collections.abc import Callable
from functools import partial

import dagster as dg

from hologram_dagster.defs.evidence_assets import Scene, evidence_asset
from hologram_dagster.gate.disruption import unless_refused
from hologram_dagster.gate.measurements import record_cold_warm, record_measurement
from hologram_dagster.gate.pairs import observe_drift, observe_regression
from hologram_dagster.gate.run import GateRun
from hologram_dagster.gate.services import fresh_registries
from hologram_dagster.gate.sides import measured_worker, start_worker
from hologram_dagster.observation import Observation, with_facts
from hologram_dagster.perf.cold_warm import METHOD as COLD_WARM_METHOD
from hologram_dagster.perf.cold_warm import observe_cold_warm
from hologram_dagster.perf.core import measure_core
from hologram_dagster.perf.gql import measure_gql
from hologram_dagster.perf.load import METHOD as LOAD_METHOD
from hologram_dagster.perf.load import observe_load
from hologram_dagster.perf.paired.compare import METHOD as PAIRED_METHOD
from hologram_dagster.perf.paired.compare import Options
from hologram_dagster.perf.paired.rule import Limits
from hologram_dagster.perf.paired.self_test import self_test
from hologram_dagster.profiles import DRIFTS, OPERATIONS, REGRESSIONS

METHOD = "1"
_RULE = "p95 must not exceed the profile's budget; on a breach up to two more launches decide."


def _observe_core(name: str, scene: Scene) -> Observation:
    plan, worker = scene.run.plan, measured_worker(scene.run)
    with scene.measuring():
        measured = measure_core(
            OPERATIONS[name],
            start=partial(start_worker, worker.command),
            payload_bytes=plan.payload_bytes(name),
            samples=plan.samples(name),
            budget_ms=plan.budgets_ms[name],
        )
    return with_facts(record_measurement(scene.run, measured), code=worker.code)


def _observe_pair(observe: Callable[[GateRun, str], Observation], name: str, scene: Scene) -> Observation:
    with scene.measuring():
        return observe(scene.run, name)


def _observe_self_test(scene: Scene) -> Observation:
    with scene.measuring():
        return self_test(Options(limits=Limits(scene.run.plan.threshold_pct)))


def _observe_gql(scene: Scene) -> Observation:
    plan, settings, services = scene.run.plan, scene.run.settings, scene.stack.endpoints(scene.run)
    with scene.measuring():
        measured = measure_gql(
            OPERATIONS["gql"],
            url=services.graphql_url,
            token=services.graphql_token,
            name=settings.graphql_test_name,
            warmup=plan.gql_warmup,
            samples=plan.samples("gql"),
            budget_ms=plan.budgets_ms["gql"],
        )
    return record_measurement(scene.run, measured)


def _observe_load(scene: Scene) -> Observation:
    plan, settings = scene.run.plan, scene.run.settings

    def observe() -> Observation:
        services = scene.stack.endpoints(scene.run)
        with scene.measuring():
            return observe_load(
                services.graphql_url,
                services.graphql_token,
                settings.graphql_test_name,
                rate_per_s=plan.load.rate_per_s,
                duration_s=plan.load.duration_s,
                budget_ms=plan.budgets_ms["gql"],
            )

    return unless_refused(settings, "perf_load", LOAD_METHOD, observe)


def _observe_cold_warm(scene: Scene) -> Observation:
    services, worker = scene.stack.endpoints(scene.run), measured_worker(scene.run)
    with scene.measuring(), fresh_registries(scene.run, services) as serve:
        done = observe_cold_warm(
            partial(start_worker, worker.command),
            serve=serve,
            token=services.graphql_token,
            name=scene.run.settings.graphql_test_name,
            payload_mb=scene.run.plan.enc_mb,
        )
    return with_facts(record_cold_warm(scene.run, done), code=worker.code)


perf_verify = evidence_asset(
    kind="perf_verify",
    group="perf",
    deps=[],
    kinds={"python"},
    method=METHOD,
    description=f"60 timed calls (nightly 1,000) of the candidate's `verify` of 65 536 bytes. {_RULE}",
    observe=lambda scene: _observe_core("verify", scene),
)

perf_encode = evidence_asset(
    kind="perf_encode",
    group="perf",
    deps=[],
    kinds={"python"},
    method=METHOD,
    description=f"30 timed calls (nightly 1,000) of `encode` on ENC_MB MiB, in one process. {_RULE}",
    observe=lambda scene: _observe_core("encode", scene),
)

perf_gql = evidence_asset(
    kind="perf_gql",
    group="perf",
    deps=[],
    kinds={"graphql"},
    method=METHOD,
    description=f"GQL_SAMPLES timed `resolve` requests against the registry, each answer checked. {_RULE}",
    observe=_observe_gql,
)


_PAIRED = (
    "fresh launches on one core, in random order, wall and CPU time and the tail of each, first to 3 of at "
    "most 5 launches. Red when slower by more than half of REGRESSION_THRESHOLD_PCT."
)


def _paired(
    kind: str, name: str, against: str, observe: Callable[[GateRun, str], Observation]
) -> dg.AssetsDefinition:
    return evidence_asset(
        kind=kind,
        group="perf",
        # Held against a stored number where the baseline cannot be run.
        deps=[OPERATIONS[name].kind],
        kinds={"python"},
        method=PAIRED_METHOD,
        description=f"`{name}` of the candidate beside that of {against}: {_PAIRED}",
        observe=lambda scene: _observe_pair(observe, name, scene),
    )


perf_self_test = evidence_asset(
    kind="perf_self_test",
    group="perf",
    deps=[],
    kinds={"python"},
    method=PAIRED_METHOD,
    description=(
        "The comparison judged by itself: a worker beside itself must pass, one that is 20 % slower must "
        "fail. Otherwise the night is inconclusive."
    ),
    observe=_observe_self_test,
)

perf_load = evidence_asset(
    kind="perf_load",
    group="perf",
    deps=[],
    kinds={"graphql"},
    method=LOAD_METHOD,
    description=(
        "`resolve` requests that arrive at a fixed rate, timed from when each was due, so that a stall "
        f"counts for all that fell due in it. {_RULE} Only where the services may be disturbed."
    ),
    observe=_observe_load,
)

perf_cold_warm = evidence_asset(
    kind="perf_cold_warm",
    group="perf",
    deps=[],
    kinds={"python", "graphql"},
    method=COLD_WARM_METHOD,
    description=(
        "The first call of a fresh process beside the calls after it, of each operation, with their ratio. "
        "Red when an answer is wrong or a figure missing; the ratio is shown."
    ),
    observe=_observe_cold_warm,
    shown=tuple(f"{operation}_ratio" for operation in OPERATIONS),
)

assets = [
    perf_self_test,
    *(perf_verify, perf_encode, perf_gql, perf_load, perf_cold_warm),
    *(_paired(kind, name, "the baseline", observe_regression) for name, kind in REGRESSIONS.items()),
    *(_paired(kind, name, "the rolled-forward baseline", observe_drift) for name, kind in DRIFTS.items()),
]
