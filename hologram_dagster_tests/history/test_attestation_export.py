"""The older attestation form: its keys exactly, its figures from the times, its witnesses."""

import hashlib
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hologram_dagster.history.attestation_export import BenchConfig, BenchRun, attestation

pytestmark = pytest.mark.phase6_perf

AT = datetime(2026, 3, 4, 5, 6, 7, 89_000, tzinfo=UTC)
CONFIG = BenchConfig(runs=3, warmup=10, iters=4, iters_transport=2)
SLOW = BenchRun(8000.0, [1000.0, 2000.0, 2000.0, 3000.0], 4000.0)
MIDDLE = BenchRun(4000.0, [700.0, 800.0, 1000.0, 1500.0], 3000.0)
FAST = BenchRun(2000.0, [400.0, 500.0, 500.0, 600.0], 2000.0)


def made(**benches: list[BenchRun]) -> dict[str, Any]:
    return attestation(benches, commit="c" * 40, config=CONFIG, watts=15.0, at=AT)


def test_the_keys_are_exactly_the_contracts() -> None:
    document = made(ccmHash=[SLOW, FAST, MIDDLE], uorId=[FAST])
    assert list(document) == [
        *("v", "ts", "host", "repo", "blueprint", "config", "results", "runs", "suiteWitness")
    ]
    assert list(document["host"]) == ["node", "platform", "arch"]
    assert document["repo"] == {"commit": "c" * 40}
    assert document["blueprint"] == {"digest": "unknown"}
    assert document["config"] == {"runs": 3, "warmup": 10, "iters": 4, "itersTransport": 2}
    assert list(document["results"][0]) == [
        *("name", "iters", "nsTotal", "nsPerOp", "opsPerSec", "p50", "p95", "p99", "witness"),
        *("cpuPerOpNs", "cpuUtilPct", "jPerOp", "jTotal", "wattsEff"),
    ]
    assert (document["v"], document["ts"]) == (1, "2026-03-04T05:06:07.089Z")
    json.dumps(document, allow_nan=False)


def test_the_figures_follow_from_the_times() -> None:
    (result,) = made(ccmHash=[SLOW, FAST, MIDDLE])["results"]
    # The run of the median time a call; percentiles by index floor(q * (n - 1)).
    assert (result["nsTotal"], result["nsPerOp"], result["opsPerSec"]) == (4000.0, 1000.0, 1e6)
    assert (result["p50"], result["p95"], result["p99"]) == (800.0, 1000.0, 1000.0)
    assert (result["cpuPerOpNs"], result["cpuUtilPct"]) == (750.0, 75.0)
    assert (result["wattsEff"], result["jTotal"]) == (15.0, pytest.approx(45e-6))
    assert result["jPerOp"] == pytest.approx(11.25e-6)


def test_the_witnesses_are_hashes_over_the_figures() -> None:
    document = made(ccmHash=[MIDDLE])
    (result,) = document["results"]
    text = (
        '{"compute":{"cpuPerOpNs":750,"cpuUtilPct":75},"energy":{"jPerOp":0.00001125,"wattsEff":15},"iters":4,'
        '"name":"ccmHash","stats":{"nsPerOp":1000,"nsTotal":4000,"p50":800,"p95":1000,"p99":1000}}'
    )
    assert result["witness"] == hashlib.sha256(f"perf.result|{text}".encode()).hexdigest()
    body = json.dumps('[{"n":"ccmHash","o":1000000,"p95":1000}]')
    assert document["suiteWitness"] == hashlib.sha256(f"perf.suite|{body}".encode()).hexdigest()
    assert document["runs"] == {"ccmHash": [result["witness"]]}


def test_each_run_has_its_witness() -> None:
    document = made(ccmHash=[SLOW, FAST, MIDDLE])
    witnesses = document["runs"]["ccmHash"]
    assert len(set(witnesses)) == 3
    assert document["results"][0]["witness"] == witnesses[2]


@given(st.lists(st.floats(1, 1e9), min_size=1, max_size=50), st.floats(0, 1e12))
def test_figures_are_consistent(samples: list[float], cpu_ns: float) -> None:
    (result,) = made(bench=[BenchRun(sum(samples), samples, cpu_ns)])["results"]
    assert result["iters"] == len(samples)
    assert min(samples) <= result["p50"] <= result["p95"] <= result["p99"] <= max(samples)
    assert result["cpuUtilPct"] <= 100
    assert result["jPerOp"] * len(samples) == pytest.approx(result["jTotal"])


def test_nothing_measured_is_refused() -> None:
    with pytest.raises(ValueError, match="no run of uorId"):
        made(ccmHash=[FAST], uorId=[])
    with pytest.raises(ValueError, match="measures nothing"):
        BenchRun(0.0, [1.0], 0.0)
    with pytest.raises(ValueError, match="measures nothing"):
        BenchRun(1.0, [], 0.0)
