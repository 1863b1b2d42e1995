"""Does the comparison still tell a slowdown from none, on this machine, tonight?

The same worker beside itself must pass, and one that is 20 % slower by real work must
fail. Where either errs, nothing that was compared today is to be believed: inconclusive.
"""

import sys
from datetime import UTC, datetime
from typing import Literal

from hologram_dagster.observation import Finding, Observation, Status
from hologram_dagster.perf.paired.compare import METHOD, Options, compare_workers
from hologram_dagster.perf.paired.job import WorkerCommand, without_gc
from hologram_dagster.perf.paired.slowed_worker import SLOWER_PCT
from hologram_dagster.perf.paired.wording import sentence

KIND = "perf_self_test"
NO_FALSE_ALARM = "no_false_alarm"
SLOWDOWN_FOUND = "slowdown_found"
_PAYLOAD_BYTES = 2**20


def _worker(module: str) -> WorkerCommand:
    return WorkerCommand(command=without_gc(sys.executable, module))


PLAIN = _worker("hologram_dagster.target.reference_worker")
SLOWED = _worker("hologram_dagster.perf.paired.slowed_worker")


def self_test(
    options: Options, *, plain: WorkerCommand = PLAIN, slowed: WorkerCommand = SLOWED
) -> Observation:
    """Both comparisons of `encode` at 1 MiB. Whoever calls holds the measuring lock."""
    started_at = datetime.now(UTC)
    expected: tuple[tuple[str, WorkerCommand, Literal["pass", "fail"]], ...] = (
        (NO_FALSE_ALARM, plain, "pass"),
        (SLOWDOWN_FOUND, slowed, "fail"),
    )
    findings = tuple(_finding(name, plain, candidate, right, options) for name, candidate, right in expected)
    wrong = any(finding.status is not Status.PASSED for finding in findings)
    return Observation(
        kind=KIND,
        status=Status.INCONCLUSIVE if wrong else Status.PASSED,
        method=METHOD,
        started_at=started_at,
        finished_at=datetime.now(UTC),
        values={"slower_pct": SLOWER_PCT},
        findings=findings,
    )


def _finding(
    name: str, baseline: WorkerCommand, candidate: WorkerCommand, right: str, options: Options
) -> Finding:
    compared = compare_workers(
        "encode", baseline=baseline, candidate=candidate, payload_bytes=_PAYLOAD_BYTES, options=options
    )
    said = f"expected {right}: {sentence(compared)}"
    return Finding(name, Status.PASSED if compared.verdict == right else Status.INCONCLUSIVE, said)
