"""Runs, observations and archives for the evidence tests; real keys, real files."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hologram_dagster.evidence.archive import Evidence, Stored
from hologram_dagster.evidence.chaos_rules import STEPS
from hologram_dagster.evidence.earlier import with_earlier
from hologram_dagster.evidence.judge import CHECKS
from hologram_dagster.evidence.record import RunIdentity
from hologram_dagster.evidence.run import RecordedRun, record_run
from hologram_dagster.evidence.verdict import Verdict, conclude
from hologram_dagster.machine import Machine
from hologram_dagster.observation import Finding, Observation, Status
from hologram_dagster.profiles import DRIFTS, OPERATIONS, PROFILES, REGRESSIONS, Plan, ProfileName
from hologram_dagster.protocol.signing import Signer
from hologram_dagster.target.revision import Revision

NOW = datetime(2026, 3, 4, 12, 0, 0, tzinfo=UTC)
REVISION = Revision("a" * 40, "b" * 40, dirty=False, ref="refs/heads/main")
OTHER_REVISION = Revision("c" * 40, "d" * 40, dirty=False, ref="refs/heads/main")
MACHINE = Machine(cpu="Test CPU", cores=2, memory_class_gib=4, kernel="6.1", python="3.11")
OTHER_MACHINE = Machine(cpu="Other CPU", cores=8, memory_class_gib=16, kernel="6.1", python="3.11")
PAYLOADS = {"perf_verify": 65_536, "perf_encode": 1024 * 1024}
SAMPLES = {"perf_verify": 60, "perf_encode": 30, "perf_gql": 5}

# Checks of figures, not of what was done.
NOT_STEPS = {
    *("observed", "p95_within_budget", "evidence_complete", "send_lag", "p95_under_load"),
    *("delivery", "throughput", "p99_within_limit", "errors"),
    *("attempts_recorded", "no_new_flake", "flake_rate_within_limit", "nothing_broken"),
    *("nothing_expired", "quarantine_within_limits", "no_broken_entry"),
    *("target_hashed", "gate_hashed", "level_holds", "faults_took_hold"),
}
# Checks of what was done that only warn.
WARNINGS = {"gate_not_vulnerable"}
_LATENCIES = {"p50_latency_ms": 40.0, "p99_latency_ms": 90.0, "avg_latency_ms": 45.0}


def _traffic_values(sent: int, workers: int, payload_bytes: int, ops_per_s: float) -> dict[str, float]:
    figures = {"sent": sent, "delivered": sent, "rejected": 0, "error_count": 0, "wrong": 0}
    planned = {"workers": workers, "payload_bytes": payload_bytes, "planned_ops_per_sec": ops_per_s}
    rates = {"duration_sec": 5.0, "ops_per_sec": ops_per_s, "throughput_mbps": 0.16}
    return {**figures, **planned, **rates, **_LATENCIES}


# Evidence of load, and of cold and warm calls, when all is well: contract section 2.8's defaults.
LOADS: dict[str, dict[str, float]] = {
    "perf_load": {
        "p50_ms": 1.0,
        "p95_ms": 2.0,
        "p99_ms": 3.0,
        "avg_ms": 1.1,
        "n": 1000,
        "failed": 0,
        "rate_per_s": 50,
        "duration_s": 20,
        "send_lag_p95_ms": 0.5,
    },
    "perf_cold_warm": {
        f"{operation}_{figure}": value
        for operation in OPERATIONS
        for figure, value in (("cold_ms", 20.0), ("warm_ms", 2.0), ("ratio", 10.0))
    },
    "e2e_load": _traffic_values(50, 4, 1024, 10),
    "e2e_stress": _traffic_values(200, 8, 4096, 20),
}

# Evidence of flaky tests when all is well.
FLAKES: dict[str, dict[str, float]] = {
    "test_attempts": {"attempts": 300, "failed": 0, "tests": 100, "runs": 3, "planned_runs": 3},
    "flake_detection": {
        "tests": 100,
        "runs": 300,
        "flakes": 1,
        "new_flakes": 0,
        "broken": 0,
        "flake_rate_pct": 1 / 3,
        "flake_rate_low_pct": 0.1,
        "flake_rate_high_pct": 1.8,
    },
    "quarantine": {"quarantined": 1, "in_force": 1, "expired": 0, "broken": 0, "tests": 100},
}

# Evidence of an experiment when all is well, with more faults than any needs.
EXPERIMENT = {"chaos_events": 99, "recovery_time_ms": 2000.0, "success_rate": 1.0, "failure_rate": 0.0}

# Supply-chain evidence when all is well.
SUPPLY_VALUES: dict[str, dict[str, float]] = {
    "sbom": {
        "target_components": 200,
        "target_hashed_pct": 100.0,
        "gate_components": 180,
        "gate_hashed_pct": 98.9,
    }
}
SUPPLY_FACTS = {"vulnerabilities": {"source": "osv"}, "provenance": {"level": "SLSA_BUILD_LEVEL_1"}}


def signer(seed: int = 1, *, self_made: bool = False) -> Signer:
    return Signer(Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32), self_made=self_made)


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        self.now += timedelta(milliseconds=1)
        return self.now


def plan_of(profile: ProfileName = ProfileName.DEV, **changes: object) -> Plan:
    own = PROFILES[profile]
    plan = Plan(own, own.budgets_ms, own.gql_samples, own.gql_warmup, own.enc_mb, ())
    return replace(plan, **changes)  # type: ignore[arg-type]


def identity(run_id: str = "run-1", **changes: object) -> RunIdentity:
    made = RunIdentity(
        run_id=run_id,
        profile=ProfileName.DEV,
        environment="local",
        revision=REVISION,
        machine=MACHINE,
        started_at=NOW,
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def run_of(run_id: str = "run-1", plan: Plan | None = None, **changes: object) -> RecordedRun:
    plan = plan or plan_of()
    return record_run(identity(run_id, profile=plan.profile.name, **changes), plan)


def observation(
    kind: str, status: Status = Status.PASSED, *, at: datetime = NOW, **changes: object
) -> Observation:
    """What a domain sees of `kind` when all is well (profile dev)."""
    made = Observation(kind=kind, status=status, method="1", started_at=at, finished_at=at)
    if kind in SAMPLES:
        figures = {"p50_ms": 1.0, "p95_ms": 2.0, "p99_ms": 3.0, "avg_ms": 1.1, "n": SAMPLES[kind]}
        if kind in PAYLOADS:
            figures["payload_bytes"] = PAYLOADS[kind]
        made = replace(made, values=figures)
    if kind in {*REGRESSIONS.values(), *DRIFTS.values()}:
        made = replace(made, values={"ratio": 1.0, "threshold_pct": 10.0})
    if kind in LOADS:
        made = replace(made, values=LOADS[kind])
    if kind in STEPS:
        made = replace(made, values=EXPERIMENT)
    if kind in FLAKES:
        made = replace(made, values=FLAKES[kind])
    made = replace(
        made, values={**made.values, **SUPPLY_VALUES.get(kind, {})}, facts=SUPPLY_FACTS.get(kind, {})
    )
    steps = [check.name for check in CHECKS.get(kind, ())]
    findings = tuple(Finding(name, Status.PASSED, "done") for name in steps if name not in NOT_STEPS)
    return replace(made, findings=findings, **changes)  # type: ignore[arg-type]


def with_finding(seen: Observation, name: str, status: Status, message: str = "") -> Observation:
    """`seen` with the finding `name` changed or added, and the status that goes with it."""
    others = tuple(finding for finding in seen.findings if finding.name != name)
    return replace(seen, status=status, findings=(*others, Finding(name, status, message)))


def archive(folder: Path, key: Signer | None = None, **options: object) -> Evidence:
    options.setdefault("clock", Clock())
    return Evidence(folder, signer=key or signer(), **options)  # type: ignore[arg-type]


def green_run(
    evidence: Evidence, run: RecordedRun | None = None
) -> tuple[RecordedRun, Verdict, dict[str, Stored]]:
    """A whole run whose verdict is pass, with its records by kind."""
    run = run or run_of()
    evidence.start_run(run)
    stored = {kind: evidence.add(observation(kind), run.identity) for kind in run.required}
    return run, conclude_run(evidence, run), stored


def conclude_run(evidence: Evidence, run: RecordedRun, *, interrupted: str | None = None) -> Verdict:
    now = run.identity.started_at + timedelta(minutes=1)
    gathered = evidence.gather(run.identity, run.required, now=now)
    verdict = conclude(run, gathered, finished_at=now, key_id=signer().key_id, interrupted=interrupted)
    verdict = with_earlier(evidence.ledger.path, verdict)
    return evidence.add_verdict(verdict, run)[1]


def path_of(evidence: Evidence, stored: Stored) -> Path:
    return evidence.ledger.path.parent / "records" / stored.path
