"""The core operations, `verify` and `encode`, measured in the target's worker (contract 2.1).

The answers are checked against our own `protocol.atlas`, so that a worker that skips the
work, or says always yes, is caught. Whoever calls holds the measuring lock (`lock`).
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from hologram_dagster.perf.measurement import Launch, Measurement, WrongAnswerError, measure
from hologram_dagster.profiles import Operation
from hologram_dagster.protocol import atlas
from hologram_dagster.target.reference_worker import digest_of_encode, digest_of_verify, payload
from hologram_dagster.target.worker import Run, Worker

MIB = 1024 * 1024
_NS_PER_MS = 1e6
_VERIFY_PAYLOAD = 256 * 256
_FLIPPED_STATES = 3


@dataclass(frozen=True, slots=True)
class _Plan:
    """Payload (bytes), calls, and CSV names of one operation."""

    payload_bytes: int
    warmup: int
    samples: int
    metric: str
    note: str


def _plan(name: str, payload_mb: int) -> _Plan:
    if name == "verify":
        return _Plan(_VERIFY_PAYLOAD, 10, 60, "verify_ms", "atlas.verify")
    return _Plan(payload_mb * MIB, 5, 30, f"encode_{payload_mb}MB_ms", f"atlas.encode {payload_mb}MB")


def measure_core(
    operation: Operation,
    *,
    command: Sequence[str],
    budget_ms: float,
    payload_mb: int = 1,
    warmup: int | None = None,
    samples: int | None = None,
) -> Measurement:
    """Measure `operation` (`verify` or `encode`) in the worker that `command` starts.

    `payload_mb` (MiB) is the payload of `encode`; that of `verify` is fixed. `warmup` and
    `samples` are calls a launch, by default those of contract section 2.1. A p95 above
    `budget_ms` has it launched anew, at most twice. Never raises for what it observes.
    """
    plan = _plan(operation.name, payload_mb)
    state = atlas.encode(payload(plan.payload_bytes))
    expected = digest_of_verify(True) if operation.name == "verify" else digest_of_encode(state)

    warmup_calls = plan.warmup if warmup is None else warmup
    timed_calls = plan.samples if samples is None else samples

    def checked(worker: Worker, calls: int) -> Run:
        run = worker.run(calls)
        if run.digest != expected.hex():
            raise WrongAnswerError(
                f"{worker.name} {worker.version} answered {operation.name} of {plan.payload_bytes} bytes "
                f"wrongly: its digest is {run.digest[:12]}, the right one {expected.hex()[:12]}"
            )
        return run

    def launch() -> Launch:
        with Worker(command) as worker:
            worker.prepare(operation.name, plan.payload_bytes)
            if operation.name == "verify":
                _challenge(worker, state)
            if warmup_calls:
                checked(worker, warmup_calls)
            run = checked(worker, timed_calls)
            return Launch(
                samples_ms=[ns / _NS_PER_MS for ns in run.ns],
                right=f"all {len(run.ns)} answers of {worker.name} {worker.version} are right",
                facts={"worker": f"{worker.name} {worker.version}", "answer_sha256": run.digest},
            )

    return measure(
        operation,
        launch,
        metric=plan.metric,
        note=plan.note,
        budget_ms=budget_ms,
        values={"payload_bytes": plan.payload_bytes},
    )


def _challenge(worker: Worker, state: atlas.State) -> None:
    """Have the worker judge an intact state and some with a flipped bit, without telling which is which."""
    intact = state.tobytes()
    flipped = [_flip(intact, random.randrange(8 * len(intact))) for _ in range(_FLIPPED_STATES)]
    challenges = [intact, *flipped]
    random.shuffle(challenges)
    for challenge in challenges:
        if worker.check(challenge) is not (challenge == intact):
            what = "refuses an intact state" if challenge == intact else "accepts a state with a flipped bit"
            raise WrongAnswerError(f"verify of {worker.name} {worker.version} {what}")


def _flip(data: bytes, bit: int) -> bytes:
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)
