"""The attestation JSON of the older perf family, for tools that compare such files (contract 2.10).

What belongs here: the form, its witnesses, and what follows from measured times. What does
not: measuring. Times are ns. Energy is not measured: it is CPU time at an assumed power
(`HOLOGRAM_WATTS`), as in the tool this form comes from.
"""

import platform
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from hologram_dagster.protocol.canonical import ccm, stable

VERSION = 1
UNKNOWN = "unknown"
# Node's names of architectures, which the form uses.
_ARCHITECTURES = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64"}


@dataclass(frozen=True, slots=True)
class BenchRun:
    """One measured run of a bench: wall time in all, of each call, and CPU time in all, ns."""

    total_ns: float
    samples_ns: Sequence[float]
    cpu_ns: float

    def __post_init__(self) -> None:
        if not self.samples_ns or self.total_ns <= 0:
            raise ValueError("a run without calls, or without time, measures nothing")


@dataclass(frozen=True, slots=True)
class BenchConfig:
    """How it was measured: runs a bench, warm-up calls, timed calls a run (and those of transport)."""

    runs: int
    warmup: int
    iters: int
    iters_transport: int


def attestation(
    benches: Mapping[str, Sequence[BenchRun]],
    *,
    commit: str,
    config: BenchConfig,
    watts: float,
    at: datetime,
    blueprint_digest: str = UNKNOWN,
) -> dict[str, Any]:
    """The attestation of `benches` (runs by bench name), with exactly the contract's keys.

    A bench's result is its run of the median time a call; `runs` has the witness of each.

    Raises:
        ValueError: a bench without runs.
    """
    if empty := [name for name, runs in benches.items() if not runs]:
        raise ValueError(f"no run of {', '.join(empty)}")
    measured = {name: [_result(name, run, watts) for run in runs] for name, runs in benches.items()}
    results = [_median(runs) for runs in measured.values()]
    return {
        "v": VERSION,
        "ts": _js_time(at),
        "host": {
            "node": f"python-{platform.python_version()}",
            "platform": sys.platform,
            "arch": _ARCHITECTURES.get(platform.machine().lower(), platform.machine()),
        },
        "repo": {"commit": commit},
        "blueprint": {"digest": blueprint_digest},
        "config": {
            "runs": config.runs,
            "warmup": config.warmup,
            "iters": config.iters,
            "itersTransport": config.iters_transport,
        },
        "results": results,
        "runs": {name: [run["witness"] for run in runs] for name, runs in measured.items()},
        "suiteWitness": suite_witness(results),
    }


def result_witness(result: Mapping[str, Any]) -> str:
    """The witness of one result: `ccm` over its figures, domain `perf.result`."""
    return ccm(
        {
            "name": result["name"],
            "iters": result["iters"],
            "stats": {key: result[key] for key in ("nsTotal", "nsPerOp", "p50", "p95", "p99")},
            "compute": {key: result[key] for key in ("cpuPerOpNs", "cpuUtilPct")},
            "energy": {key: result[key] for key in ("jPerOp", "wattsEff")},
        },
        "perf.result",
    )


def suite_witness(results: Sequence[Mapping[str, Any]]) -> str:
    """The witness of a suite: `ccm` over the canonical text of names, rates and p95s, domain `perf.suite`."""
    body = [{"n": result["name"], "o": result["opsPerSec"], "p95": result["p95"]} for result in results]
    return ccm(stable(body), "perf.suite")


def _result(name: str, run: BenchRun, watts: float) -> dict[str, Any]:
    calls = len(run.samples_ns)
    ordered = sorted(run.samples_ns)
    per_call, cpu_per_call = run.total_ns / calls, run.cpu_ns / calls
    joules = watts * run.cpu_ns / 1e9
    result: dict[str, Any] = {
        "name": name,
        "iters": calls,
        "nsTotal": run.total_ns,
        "nsPerOp": per_call,
        "opsPerSec": 1e9 / per_call,
        "p50": _percentile(ordered, 0.50),
        "p95": _percentile(ordered, 0.95),
        "p99": _percentile(ordered, 0.99),
        "witness": "",
        "cpuPerOpNs": cpu_per_call,
        "cpuUtilPct": min(100.0, 100 * run.cpu_ns / run.total_ns),
        "jPerOp": joules / calls,
        "jTotal": joules,
        "wattsEff": watts,
    }
    return {**result, "witness": result_witness(result)}


def _percentile(ordered: Sequence[float], share: float) -> float:
    """The rule of contract 2.3 for this form: index floor(q * (n - 1))."""
    return ordered[int(share * (len(ordered) - 1))]


def _median(runs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    return sorted(runs, key=lambda run: float(run["nsPerOp"]))[(len(runs) - 1) // 2]


def _js_time(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
