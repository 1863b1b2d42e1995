"""The core operations are timed in a real worker, and a worker that cheats, errs or dies is never a time."""

import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from hologram_dagster.observation import Status
from hologram_dagster.perf import core
from hologram_dagster.perf.measurement import Measurement
from hologram_dagster.profiles import OPERATIONS, Operation
from hologram_dagster.target.worker import Worker

pytestmark = pytest.mark.phase6_perf

REFERENCE = (sys.executable, "-m", "hologram_dagster.target.reference_worker")
VERIFY, ENCODE = OPERATIONS["verify"], OPERATIONS["encode"]
# A budget no launch breaks, and one that every launch does.
LOOSE, IMPOSSIBLE = 1e6, 1e-6


def measure_core(
    operation: Operation,
    *,
    command: Sequence[str],
    budget_ms: float,
    payload_mb: int = 1,
    samples: int = 60,
    warmup: int | None = None,
) -> Measurement:
    size = 65_536 if operation is VERIFY else payload_mb * 2**20
    return core.measure_core(
        operation,
        start=lambda: Worker(command),
        budget_ms=budget_ms,
        payload_bytes=size,
        samples=samples,
        warmup=warmup,
    )


def patched(tmp_path: Path, patch: str) -> list[str]:
    """The command of a reference worker with `patch` applied to its `worker` module and `atlas`."""
    script = tmp_path / "patched.py"
    script.write_text(
        "import os, sys\n"
        "from pathlib import Path\n"
        "from hologram_dagster.protocol import atlas\n"
        "from hologram_dagster.target import reference_worker as worker\n"
        f"{patch}\n"
        "worker.main()\n"
    )
    return [sys.executable, str(script)]


def test_verify_is_measured_as_the_contract_says() -> None:
    measured = measure_core(VERIFY, command=REFERENCE, budget_ms=LOOSE)
    seen = measured.observation
    assert (seen.kind, seen.status) == ("perf_verify", Status.PASSED)
    assert seen.values["n"] == 60
    assert seen.values["launches"] == 1
    assert seen.values["payload_bytes"] == 65_536
    assert seen.values["budget_ms"] == LOOSE
    assert 0 < seen.values["p50_ms"] <= seen.values["p95_ms"] <= seen.values["p99_ms"]
    assert {"load_1m", "steal_pct"} <= seen.values.keys()
    assert seen.facts["metric"] == "core.verify_ms"
    assert [finding.name for finding in seen.findings] == ["answers_correct"]
    assert (measured.suite, measured.metric, measured.note) == ("core", "verify_ms", "atlas.verify")
    assert len(measured.launches) == 1


def test_more_samples_than_one_request_to_the_worker_are_all_counted() -> None:
    seen = measure_core(VERIFY, command=REFERENCE, budget_ms=LOOSE, samples=250).observation
    assert seen.status is Status.PASSED
    assert seen.values["n"] == 250


@pytest.mark.parametrize("size", [1, 4])
def test_the_budget_of_encode_binds_whatever_the_payload(size: int) -> None:
    measured = measure_core(ENCODE, command=REFERENCE, budget_ms=IMPOSSIBLE, payload_mb=size, samples=2)
    seen = measured.observation
    assert (measured.metric, measured.note) == (f"encode_{size}MB_ms", f"atlas.encode {size}MB")
    assert seen.values["payload_bytes"] == size * 2**20
    assert seen.values["p95_ms"] > seen.values["budget_ms"] == IMPOSSIBLE


def test_a_breach_is_launched_anew_twice_and_the_best_launch_counts() -> None:
    measured = measure_core(VERIFY, command=REFERENCE, budget_ms=IMPOSSIBLE, samples=5)
    seen = measured.observation
    # An observation never judges: that the budget is broken is for the check to say.
    assert seen.status is Status.PASSED
    assert seen.values["launches"] == len(measured.launches) == 3
    assert seen.values["p95_ms"] == min(launch.p95_ms for launch in measured.launches)


def test_a_slow_first_launch_alone_breaks_no_budget(tmp_path: Path) -> None:
    command = patched(
        tmp_path,
        f"flag = Path({str(tmp_path / 'launched')!r})\n"
        "if not flag.exists():\n"
        "    flag.touch()\n"
        "    import time\n"
        "    real = atlas.verify\n"
        "    atlas.verify = lambda state: (time.sleep(0.4), real(state))[1]\n",
    )
    seen = measure_core(VERIFY, command=command, budget_ms=300.0, warmup=0, samples=3).observation
    assert seen.values["launches"] == 2
    assert seen.values["p95_ms"] <= 300.0


def test_equal_to_the_budget_is_no_breach(tmp_path: Path) -> None:
    command = patched(
        tmp_path,
        "right = worker.digest_of_verify(True).hex()\n"
        "worker._Prepared.run = lambda self, n: {'ns': [0] * n, 'digest': right}",
    )
    seen = measure_core(VERIFY, command=command, budget_ms=0.0, samples=3).observation
    assert (seen.values["launches"], seen.values["p95_ms"]) == (1, 0.0)


@pytest.mark.parametrize(
    ("patch", "why"),
    [
        ("atlas.verify = lambda state: True", "accepts a state with a flipped bit"),
        ("atlas.verify = lambda state: False", "refuses an intact state"),
        (
            "from itertools import count\n"
            "calls, real = count(), atlas.verify\n"
            # Right when challenged and at first, wrong at the seventh timed call.
            "atlas.verify = lambda state: real(state) if next(calls) != 20 else False",
            "answered verify of 65536 bytes wrongly",
        ),
    ],
)
def test_a_verify_that_errs_is_failed_and_has_no_time(tmp_path: Path, patch: str, why: str) -> None:
    assert_no_times(
        measure_core(VERIFY, command=patched(tmp_path, patch), budget_ms=LOOSE), Status.FAILED, why
    )


@pytest.mark.parametrize(
    "patch",
    [
        "first = atlas.encode(b'')\natlas.encode = lambda data: first",
        "real = atlas.encode\natlas.encode = lambda data: real(data[:-1])",
        "worker._Prepared.run = lambda self, n: {'ns': [1] * n, 'digest': '0' * 64}",
    ],
)
def test_an_encode_that_skips_work_is_failed_and_has_no_time(tmp_path: Path, patch: str) -> None:
    measured = measure_core(ENCODE, command=patched(tmp_path, patch), budget_ms=LOOSE)
    assert_no_times(measured, Status.FAILED, "answered encode of 1048576 bytes wrongly")


@pytest.mark.parametrize(
    ("patch", "why"),
    [
        ("atlas.verify = lambda state: os._exit(7)", "ended with exit code 7"),
        ("atlas.verify = lambda state: 1 / 0", "ZeroDivisionError"),
        ("worker.ReferenceWorker.OPERATIONS = ('encode',)", "offers no operation 'verify'"),
        ("sys.exit('not today')", "not today"),
    ],
)
def test_a_worker_that_breaks_is_an_error_with_its_cause(tmp_path: Path, patch: str, why: str) -> None:
    assert_no_times(
        measure_core(VERIFY, command=patched(tmp_path, patch), budget_ms=LOOSE), Status.ERROR, why
    )


def test_a_worker_that_dies_in_a_later_launch_is_an_error_without_times(tmp_path: Path) -> None:
    command = patched(
        tmp_path,
        f"flag = Path({str(tmp_path / 'launched')!r})\nif flag.exists():\n    os._exit(9)\nflag.touch()\n",
    )
    assert_no_times(measure_core(VERIFY, command=command, budget_ms=IMPOSSIBLE), Status.ERROR, "exit code 9")


def assert_no_times(measured: Measurement, status: Status, why: str) -> None:
    seen = measured.observation
    assert seen.status is status
    (finding,) = seen.findings
    assert (finding.name, finding.status) == ("answers_correct", status)
    assert why in finding.message
    assert not {"p50_ms", "p95_ms", "p99_ms", "avg_ms", "n", "launches"} & seen.values.keys()
    assert measured.launches == ()
