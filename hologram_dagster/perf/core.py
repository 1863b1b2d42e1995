"""The core operations, `verify` and `encode`, measured in the target's worker (contract 2.1).

The answers are checked against our own `protocol.atlas`, so that a worker that skips the
work, or says always yes, is caught. Whoever calls holds the measuring lock (`lock`).
"""

import random
from collections.abc import Callable

from hologram_dagster.perf.measurement import Launch, Measurement, WrongAnswerError, measure
from hologram_dagster.profiles import MIB, Operation
from hologram_dagster.protocol import atlas
from hologram_dagster.target.reference_worker import digest_of_encode, digest_of_verify, payload
from hologram_dagster.target.worker import Run, Worker

_NS_PER_MS = 1e6
_FLIPPED_STATES = 3
# Untimed calls before the timed ones (contract section 2.1).
WARMUP = {"verify": 10, "encode": 5}
# A worker has its deadline for each request, however many calls are planned.
_CALLS_A_REQUEST = 100


def measure_core(
    operation: Operation,
    *,
    start: Callable[[], Worker],
    budget_ms: float,
    payload_bytes: int,
    samples: int,
    warmup: int | None = None,
) -> Measurement:
    """Measure `operation` (`verify` or `encode`) in the worker that `start` starts.

    `samples` are the timed calls of a launch, `warmup` the untimed ones before them, by
    default those of contract section 2.1. A p95 above `budget_ms` has it launched anew, at
    most twice. Never raises for what it observes.
    """
    state = atlas.encode(payload(payload_bytes))
    expected = digest_of_verify(True) if operation.name == "verify" else digest_of_encode(state)

    warmup_calls = WARMUP[operation.name] if warmup is None else warmup

    def checked(worker: Worker, calls: int) -> Run:
        run = worker.run(calls)
        if run.digest != expected.hex():
            raise WrongAnswerError(
                f"{worker.name} {worker.version} answered {operation.name} of {payload_bytes} bytes "
                f"wrongly: its digest is {run.digest[:12]}, the right one {expected.hex()[:12]}"
            )
        return run

    def launch() -> Launch:
        with start() as worker:
            worker.prepare(operation.name, payload_bytes)
            if operation.name == "verify":
                _challenge(worker, state)
            if warmup_calls:
                checked(worker, warmup_calls)
            ns: list[int] = []
            while len(ns) < samples:
                ns += checked(worker, min(samples - len(ns), _CALLS_A_REQUEST)).ns
            return Launch(
                samples_ms=[each / _NS_PER_MS for each in ns],
                right=f"all {len(ns)} answers of {worker.name} {worker.version} are right",
                facts={"worker": f"{worker.name} {worker.version}", "answer_sha256": expected.hex()},
            )

    metric, note = _csv_names(operation.name, payload_bytes)
    return measure(
        operation,
        launch,
        metric=metric,
        note=note,
        budget_ms=budget_ms,
        values={"payload_bytes": payload_bytes},
    )


def _csv_names(operation: str, payload_bytes: int) -> tuple[str, str]:
    """Metric and note of the CSV row (contract section 2.1)."""
    if operation == "verify":
        return "verify_ms", "atlas.verify"
    size = f"{payload_bytes // MIB}MB"
    return f"encode_{size}_ms", f"atlas.encode {size}"


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
