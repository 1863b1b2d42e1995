"""The report after 10,000 runs, a run every ten minutes: `python benchmarks/report.py`.

Perf rows, e2e events and history of that many runs lie on disk; a process of its own
reads them as the gate does, finds the trends and renders the page. Exit code 1 when it
takes 5 s or 500 MB, imports included, or when the page is not under its limit.
"""

import json
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

RUNS = 10_000
MAX_SECONDS, MAX_MB = 5.0, 500.0
FIRST = datetime(2026, 1, 1, tzinfo=UTC)
METRICS = (("core", "verify_ms"), ("core", "encode_4MB_ms"), ("graphql", "resolve_ms"))
EVENTS = ("ipfs_publish", "marketplace_publish", "marketplace_install", "resolve")


def write_history(state: Path) -> None:
    import numpy as np
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from hologram_dagster.evidence.record import Record, RunIdentity
    from hologram_dagster.gate.remembering import COMPARED
    from hologram_dagster.history.index import History
    from hologram_dagster.machine import this_machine
    from hologram_dagster.observation import Observation, Status
    from hologram_dagster.profiles import ProfileName
    from hologram_dagster.protocol.signing import Signer
    from hologram_dagster.target.revision import Revision

    revision = Revision("c" * 40, "d" * 40, dirty=False, ref="refs/heads/main")
    identity = RunIdentity("run", ProfileName.NIGHTLY, "local", revision, this_machine(), FIRST)
    signer = Signer(Ed25519PrivateKey.generate(), self_made=True)
    random = np.random.default_rng(1)
    seen = [
        Observation(
            kind,
            Status.PASSED,
            "1",
            FIRST,
            FIRST,
            values={"ratio": 1.0},
            facts={"baseline_commit": "b" * 40},
        )
        for kind in COMPARED
    ]
    signed = [Record.from_observation(one, identity, signer, now=FIRST) for one in seen]

    def records() -> Iterator[Record]:
        for number in range(RUNS):
            for record in signed:
                yield replace(
                    record,
                    run_id=f"run-{number}",
                    revision=replace(revision, commit=f"{number:040x}"),
                    finished_at=FIRST + timedelta(minutes=10 * number),
                    values={"ratio": float(np.exp(random.normal(0, 0.015)))},
                )

    with History.in_folder(state) as history:
        history.rebuild(records())


def write_files(reports: Path) -> None:
    (reports / "perf").mkdir(parents=True)
    (reports / "e2e").mkdir()
    for suite in sorted({suite for suite, _ in METRICS}):
        lines = ["suite,metric,p50_ms,p95_ms,p99_ms,avg_ms,n,note"]
        mine = [metric for of, metric in METRICS if of == suite]
        lines += [
            f"{suite},{metric},4.1,{4.2 + run % 97 / 100},4.9,4.2,60,run {run}"
            for run in range(RUNS)
            for metric in mine
        ]
        (reports / "perf" / f"{suite}_perf.csv").write_text("\n".join(lines) + "\n")
    events = (
        {"ts": 1_767_225_600 + 600 * run, "suite": "phase8", "event": event, "name": f"demo/app/{run}"}
        for run in range(RUNS)
        for event in EVENTS
    )
    (reports / "e2e" / "events.jsonl").write_text("".join(json.dumps(event) + "\n" for event in events))


def measure(folder: Path) -> None:
    """What the child does: read, find the trends, render; its figures as JSON."""
    began = time.perf_counter()
    from hologram_dagster.e2e.events import read_events
    from hologram_dagster.gate.remembering import COMPARED
    from hologram_dagster.history.index import History, Series
    from hologram_dagster.history.trend import find_trend
    from hologram_dagster.machine import this_machine
    from hologram_dagster.perf.csv_rows import COLUMNS, read_rows
    from hologram_dagster.reports.html import render
    from hologram_dagster.reports.trends import Ratios
    from hologram_dagster_tests.reports import samples

    imported = time.perf_counter()
    rows, _ = read_rows(folder / "reports" / "perf")
    log = folder / "reports" / "e2e" / "events.jsonl"
    events, _ = read_events(log)
    machine = this_machine().fingerprint
    with History.in_folder(folder / "state") as history:
        read = {k: history.read(Series(k, "ratio", "local", machine, "nightly")) for k in COMPARED}
    trends = [Ratios(k, points, find_trend(points, name=k)) for k, points in read.items() if len(points)]
    shown = [{**{name: getattr(row, name) for name in COLUMNS}, "_file": row.file} for row in rows]
    page = render(
        samples.failed(),
        records=[*samples.RECORDS, *samples.COMPARED],
        rows=shown,
        events=events,
        event_bytes=log.stat().st_size,
        trends=trends,
    )
    ended = time.perf_counter()
    figures = {
        "runs": RUNS,
        "rows": len(rows),
        "events": len(events),
        "charts": len(trends),
        "points": [len(one.points) for one in trends],
        "import_s": round(imported - began, 2),
        "report_s": round(ended - imported, 2),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6),
        "page_bytes": len(page.encode()),
    }
    print(json.dumps(figures))


def main() -> int:
    if len(sys.argv) == 2:
        measure(Path(sys.argv[1]))
        return 0
    from hologram_dagster.gate.remembering import COMPARED
    from hologram_dagster.reports.html import MAX_BYTES

    with TemporaryDirectory() as name:
        folder = Path(name)
        write_files(folder / "reports")
        write_history(folder / "state")
        child = subprocess.run(
            [sys.executable, __file__, name], check=True, capture_output=True, text=True, timeout=120
        )
    figures = json.loads(child.stdout)
    print(child.stdout, end="")
    # A report of less than everything would be a fast one.
    whole = (
        figures["rows"] == RUNS * len(METRICS)
        and figures["events"] == RUNS * len(EVENTS)
        and figures["charts"] == len(COMPARED)
    )
    took = figures["import_s"] + figures["report_s"]
    small = figures["peak_mb"] < MAX_MB and figures["page_bytes"] < MAX_BYTES
    return 0 if whole and took < MAX_SECONDS and small else 1


if __name__ == "__main__":
    sys.exit(main())
