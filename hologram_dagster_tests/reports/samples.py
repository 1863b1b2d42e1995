"""Verdict documents, records, rows and events as a gate run leaves them, for the tests here."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd

from hologram_dagster.history.baseline import Action, Baseline, Place
from hologram_dagster.history.trend import find_trend
from hologram_dagster.reports.trends import Ratios

COMMIT = "8db0977f2c4a1b90d3e65f7788990aabbccddeef"
CID = "QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWKPQKM"
SHA256 = "15ad55d681663e68a08467982d85f890ac6bd56a3333166398083e90fa141351"
STARTED, FINISHED = "2026-03-01T02:00:00.000000Z", "2026-03-01T02:02:41.000000Z"


def reason(
    kind: str, check: str, status: str = "passed", message: str = "done", **figures: Any
) -> dict[str, Any]:
    return {
        "kind": kind, "check": check, "status": status, "message": message,
        "value": None, "limit": None, "unit": None, **figures,
    }  # fmt: skip


def budget(kind: str, value: float, limit: float) -> dict[str, Any]:
    status, how = ("passed", "within") if value <= limit else ("failed", "over the budget of")
    message = f"p95 {value:g} ms {how} {limit:g} ms"
    return reason(kind, "p95_within_budget", status, message, value=value, limit=limit, unit="ms")


PERF = [
    budget("perf_verify", 4.213, 8),
    reason("perf_verify", "answers_correct", message="all answers were right"),
    budget("perf_encode", 71.4, 80),
    budget("perf_gql", 12.07, 80),
]
SLOW = budget("perf_encode", 104.4, 80)
E2E = [
    reason("e2e_publish", "ipfs_publish", message="published as " + CID),
    reason("e2e_publish", "ipfs_publish_tampered", message="one flipped byte gave another CID"),
    reason("e2e_install", "marketplace_install", message="installed by installApp"),
    reason("e2e_use", "resolve", message="resolved to 18 characters"),
    reason("e2e_use", "uninstall", "not_applicable", "best effort in pr: the registry has no uninstallApp"),
]


def verdict(word: str = "pass", **fields: Any) -> dict[str, Any]:
    kinds = ("perf_verify", "perf_encode", "perf_gql", "e2e_publish", "e2e_install", "e2e_use")
    return {
        "schema_version": 1,
        "verdict": word,
        "state": "final",
        "revision": {"commit": COMMIT, "tree": "c3" * 20, "dirty": False, "ref": "refs/heads/main"},
        "baseline": {"commit": "71ffdf2" + "0" * 33},
        "profile": "main",
        "environment": "local",
        "machine": {
            "cpu": "AMD EPYC 7B13", "cores": 2, "memory_class_gib": 16, "kernel": "6.1", "python": "3.11",
            "fingerprint": "a1b2c3d4e5f60718",
        },
        "run_id": "0f7f3a52-9c2d-4f63-8a0e-7c5f3c1d2e4b",
        "started_at": STARTED,
        "finished_at": FINISHED,
        "reasons": [*PERF, *E2E],
        "overrides": [],
        "waivers": [],
        "evidence": [
            {"kind": kind, "status": "passed", "uri": f".hologram/evidence/{kind}.json", "sha256": SHA256}
            for kind in kinds
        ],
        "ledger_head": "9f" * 32,
        "key_id": "a1b2c3d4e5f60718",
        **fields,
    }  # fmt: skip


def failed() -> dict[str, Any]:
    return verdict(
        "fail",
        reasons=[
            SLOW,
            reason("e2e_install", "marketplace_install", "error", "the registry did not answer within 10 s"),
            *(item for item in [*PERF, *E2E] if item["kind"] not in {"perf_encode", "e2e_install"}),
        ],
        overrides=[
            {"variable": "SLO_GQL_P95_MS", "profile_value": 80, "value": 400, "looser": True},
            {"variable": "ENC_MB", "profile_value": 4, "value": 8, "looser": False},
        ],
    )


def running() -> dict[str, Any]:
    return verdict(
        "inconclusive",
        state="running",
        finished_at=None,
        reasons=[reason("verdict", "completed", "inconclusive", "the run has started and not finished")],
        evidence=[],
    )


RECORDS: list[dict[str, Any]] = [
    {
        "kind": kind,
        "status": "passed",
        "values": {
            "p50_ms": p95 * 0.8, "p95_ms": p95, "p99_ms": p95 * 1.1, "avg_ms": p95 * 0.82, "n": n,
            "launches": launches, "budget_ms": budget,
        },
        "facts": {},
        "findings": [{"name": "answers_correct", "status": "passed", "message": ""}],
    }
    for kind, p95, budget, n, launches in (
        ("perf_verify", 4.213, 8.0, 60, 1),
        ("perf_encode", 104.4, 80.0, 30, 3),
        ("perf_gql", 12.07, 80.0, 100, 1),
    )
] + [
    {
        "kind": "e2e_publish",
        "status": "passed",
        "values": {},
        "facts": {"cid": CID},
        "findings": [
            {"name": "ipfs_publish", "status": "passed", "message": "published as " + CID},
            {"name": "ipfs_publish_tampered", "status": "passed", "message": "another CID"},
        ],
    },
    {
        "kind": "e2e_use",
        "status": "passed",
        "values": {},
        "facts": {},
        "findings": [
            {"name": "resolve", "status": "passed", "message": ""},
            {"name": "uninstall", "status": "not_applicable", "message": "the registry has no uninstallApp"},
        ],
    },
]  # fmt: skip

ROWS: list[dict[str, Any]] = [
    {
        "suite": suite, "metric": metric, "p50_ms": p95 * 0.8, "p95_ms": p95, "p99_ms": p95 * 1.1,
        "avg_ms": p95 * 0.82, "n": 60, "note": note, "_file": file,
    }
    for suite, metric, p95, note, file in (
        ("core", "verify_ms", 4.213, "atlas.verify", "core_perf.csv"),
        ("core", "verify_ms", 4.9, "atlas.verify", "core_perf.csv"),
        ("core", "encode_4MB_ms", 104.4, "atlas.encode 4MB", "core_perf.csv"),
        ("graphql", "resolve_ms", 12.07, "name=demo/object/alpha", "graphql_perf.csv"),
    )
]  # fmt: skip


def event(ts: int, event: str, **fields: Any) -> dict[str, Any]:
    return {"ts": 1772330400 + ts, "suite": "phase8", "event": event, **fields}


EVENTS: list[dict[str, Any]] = [
    event(0, "ipfs_publish", cid=CID, name="demo/app/hello-1a2b3c4d"),
    event(1, "marketplace_publish", variant="publishApp", resp={"ok": 1}),
    event(2, "resolve", resp={"encoding": "base64"}),
    event(60, "ipfs_publish", cid=CID, name="demo/app/hello-5e6f7a8b"),
]


BASELINE = "71ffdf2" + "0" * 33


def waiver(check: str) -> dict[str, Any]:
    return {"check": check, "who": "ada", "why": "known noise.", "expires_at": "2026-03-05T00:00:00Z"}


def comparison(kind: str, ratio: float, status: str = "passed", **facts: str) -> dict[str, Any]:
    """A record of a comparison, in the form of `perf.paired.wording`."""
    operation, word = kind.rpartition("_")[2], {"passed": "pass", "failed": "fail"}[status]
    return {
        "kind": kind,
        "status": status,
        "values": {
            "ratio": ratio, "ratio_low": ratio - 0.01, "ratio_high": ratio + 0.0125, "launches": 3,
            "threshold_pct": 10, "margin_pct": 5,
        },
        "facts": {
            "operation": operation, "verdict": word, "weak": "no", "seed": "2718", "failed_by": "",
            "warnings": "", "fallbacks": "", "baseline_commit": BASELINE, **facts,
        },
        "findings": [
            {"name": "no_regression", "status": status, "message": f"{operation}: {word}. x{ratio:.3f}"}
        ],
    }  # fmt: skip


REGRESSED = reason(
    "regression_encode", "no_regression", "failed",
    "encode: 48.2 % slower, limit 5 %\n"
    "Candidate takes x1.482 of the baseline's wall time (99 % bounds 1.472 to 1.495), "
    "3 launches of at most 5; margin 5 %, half of the threshold of 10 %.",
    value=48.2, limit=5.0, unit="%",
)  # fmt: skip
COMPARED: list[dict[str, Any]] = [
    comparison("regression_verify", 1.013, weak="yes", warnings="cpu"),
    comparison("regression_encode", 1.482, "failed", failed_by="wall, cpu"),
    {
        "kind": "regression_gql",
        "status": "not_applicable",
        "values": {},
        "facts": {},
        "findings": [
            {"name": "no_regression", "status": "not_applicable", "message": "names no server command"}
        ],
    },
    comparison("drift_verify", 1.021),
]


def ratios(
    count: int = 40,
    *,
    kind: str = "drift_encode",
    step: float = 1.08,
    reason: str = "as planned",
    commit: str = COMMIT,
    margin_pct: float | None = 5.0,
) -> Ratios:
    """Ratios of `count` days, slower by `step` from the middle on, with a baseline set before that."""
    begin = datetime(2026, 1, 1, 2, tzinfo=UTC)
    values = [(step if 2 * day >= count else 1.0) + 0.004 * (day % 3 - 1) for day in range(count)]
    points = pd.DataFrame(
        {
            "run_id": [f"run {day}" for day in range(count)],
            "value": values,
            "commit": [f"{day:02d}{commit}" for day in range(count)],
            "baseline": [BASELINE] * count,
            "status": ["failed" if value > 1.05 else "passed" for value in values],
            "finished_at": pd.to_datetime([begin + timedelta(days=day) for day in range(count)], utc=True),
        }
    )
    set_at = begin + timedelta(days=count // 4)
    baseline = Baseline(
        number=0, action=Action.ROLL_FORWARD, place=Place("local", "a1"), commit=BASELINE, tree="c3" * 20,
        numbers={}, reason=reason, by="ada", key_id="", at=set_at, run_id="", verdict_uri="",
        verdict_sha256="",
    )  # fmt: skip
    return Ratios(kind, points, find_trend(points, name=kind), [baseline], margin_pct)
