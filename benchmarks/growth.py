"""What one gate run leaves on disk, by part, as one JSON object: bytes a run, and a year's at 50 runs a day.

Run it as `python benchmarks/growth.py PROFILE RUNS`. The first run is left out: it makes what all share.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from hologram_dagster.files import size_of  # noqa: E402
from hologram_dagster_tests.gate.bench import Bench  # noqa: E402

PARTS = {
    "ledger": ".hologram/evidence/ledger.jsonl",
    "evidence": ".hologram/evidence/records",
    "history": ".hologram/history.sqlite",
    "Dagster": ".hologram/dagster",
    "logs": ".hologram/logs",
    "checkouts": ".hologram/checkouts",
    "reports": "reports",
    "all": ".",
}
RUNS_A_DAY = 50


def sizes(folder: Path) -> dict[str, int]:
    return {name: size_of(folder / path) for name, path in PARTS.items()}


def gate(bench: Bench, profile: str) -> None:
    done = bench.hologram("gate", "--profile", profile)
    if done.returncode not in {0, 1}:
        raise subprocess.SubprocessError(done.stdout + done.stderr)


def main() -> None:
    profile, runs = sys.argv[1], int(sys.argv[2])
    with tempfile.TemporaryDirectory() as scratch:
        bench = Bench.make(Path(scratch) / "repository")
        gate(bench, profile)
        before = sizes(bench.folder)
        for _ in range(runs):
            gate(bench, profile)
        grown = {name: (size - before[name]) / runs for name, size in sizes(bench.folder).items()}
    a_year = {name: round(size * RUNS_A_DAY * 365 / 2**30, 2) for name, size in grown.items()}
    bytes_a_run = {name: round(size) for name, size in grown.items()}
    print(json.dumps({"profile": profile, "runs": runs, "bytes_a_run": bytes_a_run, "gib_a_year": a_year}))


if __name__ == "__main__":
    main()
