"""One measurement at a time on a host: across processes, repositories and Dagster homes."""

import itertools
import json
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import pytest

from hologram_dagster_tests.gate.bench import Bench

pytestmark = pytest.mark.phase6_perf

_HOLDER = """
import time
from hologram_dagster.perf.lock import measuring_lock
with measuring_lock():
    print("held", flush=True)
    time.sleep(600)
"""


def spans(bench: Bench) -> list[tuple[datetime, datetime, str]]:
    """When each measurement of the gate began and ended, as its evidence says."""
    found = []
    for path in bench.evidence.rglob("*.json"):
        record = json.loads(path.read_text())
        if record.get("kind", "").startswith(("perf_", "regression_")):
            began, ended = (datetime.fromisoformat(record[key]) for key in ("started_at", "finished_at"))
            found.append((began, ended, f"{bench.folder.parent.name} {record['kind']}"))
    return found


@pytest.mark.timeout(300)
def test_the_measurements_of_two_gates_never_overlap(tmp_path: Path, dagster_home: Path) -> None:
    benches = [Bench.make(tmp_path / name / "repository", dagster_home) for name in ("one", "two")]
    gates = [bench.start("gate") for bench in benches]
    outputs = [gate.communicate(timeout=240)[0] for gate in gates]
    assert [gate.returncode for gate in gates] == [0, 0], outputs
    measured = sorted(itertools.chain.from_iterable(spans(bench) for bench in benches))
    assert len(measured) == 6
    for (_, ended, first), (began, _, second) in itertools.pairwise(measured):
        assert ended <= began, f"{first} and {second} overlap"


@pytest.mark.timeout(300)
def test_a_gate_says_for_whom_it_waits_and_goes_on_when_that_is_killed(bench: Bench) -> None:
    holder = subprocess.Popen([sys.executable, "-c", _HOLDER], stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    try:
        assert holder.stdout.readline() == "held\n"
        gate = bench.start("gate")
        assert gate.stdout is not None
        told = next(line for line in gate.stdout if "waiting for the measuring lock" in line)
        assert f"process {holder.pid} " in told
    finally:
        holder.kill()
        holder.wait()
    rest = gate.communicate(timeout=240)[0]
    assert gate.returncode == 0, rest
