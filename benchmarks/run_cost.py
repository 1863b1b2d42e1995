"""What one gate run costs: seconds, CPU seconds, bytes left, requests and rows, by profile, as JSON lines.

Run it as `python benchmarks/run_cost.py PROFILE...`. Each run gates a new commit of one target, whose worker
is the reference. dev and pr ask a stack beside the gate, which counts their requests and whose CPU is
not theirs; the other profiles start their own. The first run of all is left out: it makes what all share.
"""

import json
import resource
import sqlite3
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

import httpx

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from hologram_dagster.files import size_of  # noqa: E402
from hologram_dagster.stack.stack import Stack  # noqa: E402
from hologram_dagster_tests.gate.bench import Bench  # noqa: E402
from hologram_dagster_tests.gate.scratch_target import add_target, commit  # noqa: E402


def requests_answered(stack: Stack) -> int:
    """GraphQL requests that the registry has answered since it started."""
    figures = httpx.get(stack.graphql_url.replace("/graphql", "/metrics"), trust_env=False).json()
    return int(figures["totalRequests"])


def rows(bench: Bench) -> int:
    """Events of all runs in the Dagster home."""
    total = 0
    for path in (bench.folder / ".hologram" / "dagster" / "history" / "runs").glob("*.db"):
        with closing(sqlite3.connect(path)) as database:
            tables = database.execute("SELECT name FROM sqlite_master WHERE name = 'event_logs'").fetchall()
            total += sum(database.execute(f"SELECT COUNT(*) FROM {name}").fetchone()[0] for (name,) in tables)
    return total


def state(bench: Bench, stack: Stack) -> dict[str, float]:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    ledger, home = bench.evidence / "ledger.jsonl", bench.folder / ".hologram" / "dagster"
    return {
        "seconds": time.monotonic(),
        "cpu_seconds": used.ru_utime + used.ru_stime,
        "bytes": size_of(bench.folder),
        "dagster_bytes": size_of(home),
        "ledger_bytes": size_of(ledger),
        "ledger_entries": len(ledger.read_bytes().splitlines()),
        "registry_requests": requests_answered(stack),
        "dagster_events": rows(bench),
    }


def gate(bench: Bench, profile: str, services: dict[str, str]) -> int:
    """A commit of its own, and its gate; the exit code."""
    commit(bench, 0, change=str(time.time_ns()))
    given = services if profile in {"dev", "pr"} else {}
    return bench.hologram("gate", "--profile", profile, **given).returncode


def main() -> None:
    with tempfile.TemporaryDirectory() as scratch, Stack.start(Path(scratch) / "stack") as stack:
        services = {"IPFS_API": stack.ipfs_api, "GRAPHQL_URL": stack.graphql_url}
        bench = Bench.make(Path(scratch) / "repository")
        add_target(bench)
        gate(bench, "dev", services)
        for profile in sys.argv[1:]:
            before = state(bench, stack)
            code = gate(bench, profile, services)
            after = state(bench, stack)
            cost = {name: round(after[name] - before[name], 1) for name in before}
            print(json.dumps({"profile": profile, "exit": code, **cost}), flush=True)


if __name__ == "__main__":
    main()
