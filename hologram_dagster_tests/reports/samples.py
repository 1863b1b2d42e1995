"""Verdict documents, records, rows and events as a gate run leaves them, for the tests here."""

from typing import Any

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
