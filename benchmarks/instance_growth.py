"""Does the gate stay quick as its runs pile up? `python benchmarks/instance_growth.py`.

Runs the dev gate over and over in one Dagster home, on one small repository and one stack,
and times what people and the gate ask for after 10 runs and after `--runs` (1,000): pages of
the UI (the GraphQL queries behind them, over HTTP), a tick of the sensor on main, the verdict
of a revision, and the `verdict` step itself. Prints the medians, their ratios (limit 2), and
how much a run adds to the disk. Exit code 1 when a ratio is over its limit. Run it again to go
on where it stopped; `--folder` keeps it all.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from contextlib import redirect_stdout
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path

import dagster as dg
import httpx

from hologram_dagster.build import build_defs
from hologram_dagster.defs.launch import launch
from hologram_dagster.gate.answering import answer_for
from hologram_dagster.processes import LOOPBACK, free_port, start_child, stop_child, wait_until
from hologram_dagster.profiles import PROFILES, ProfileName
from hologram_dagster.resources.gate import COMMIT_TAG, PROFILE_TAG
from hologram_dagster.settings import load_settings
from hologram_dagster.stack.stack import Stack

EARLY = 10
ROUNDS = 15
LIMIT = 2.0
DEV = PROFILES[ProfileName.DEV]
# What the pages ask for: runs, runs of a commit, the plot of an asset, the history of a check.
QUERIES = {
    "UI: newest runs": """{
        runsOrError(limit: 25) { ... on Runs { results { id status tags { key value } } } }
    }""",
    "UI: runs of a commit": """{
        runsOrError(limit: 25, filter: {tags: [{key: "%s", value: "%s"}]})
        { ... on Runs { results { id status } } }
    }""",
    "UI: plot of an asset": """{
        assetOrError(assetKey: {path: ["perf_encode"]}) { ... on Asset { assetMaterializations(limit: 100)
        { timestamp metadataEntries { label ... on FloatMetadataEntry { floatValue } } } } }
    }""",
    "UI: history of a check": """{
        assetCheckExecutions(assetKey: {path: ["perf_encode"]}, checkName: "p95_within_budget", limit: 25)
        { id status }
    }""",
}


def git(folder: Path, *arguments: str) -> str:
    """Run git in `folder`."""
    identity = ("-c", "user.name=bench", "-c", "user.email=bench@example.com")
    command = ["git", "-C", str(folder), *identity, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def prepare(folder: Path) -> str:
    """A repository of one commit with a Dagster home; the commit."""
    if not (folder / ".git").exists():
        folder.mkdir(parents=True, exist_ok=True)
        git(folder, "init", "-q", "-b", "main", ".")
        (folder / ".gitignore").write_text("/.hologram/\n/reports/\n")
        git(folder, "add", ".gitignore")
        git(folder, "commit", "-qm", "first")
    os.chdir(folder)
    subprocess.run([str(Path(sys.executable).parent / "hologram"), "setup"], check=True, capture_output=True)
    return git(folder, "rev-parse", "HEAD")


def run_gate() -> None:
    """One dev gate in this process."""
    tags = {PROFILE_TAG: str(DEV.name)}
    with redirect_stdout(StringIO()) as said:
        if not launch(job=DEV.job, run_id=str(uuid.uuid4()), tags=tags):
            raise SystemExit(f"a gate run is red, so nothing is measured:\n{said.getvalue()}")


def runs_so_far() -> int:
    """How many runs the home holds."""
    with dg.DagsterInstance.get() as instance:
        return instance.get_runs_count()


def median_ms(call: Callable[[], object]) -> float:
    """The median time of `call`, ms, after one call that does not count."""
    call()
    taken = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        call()
        taken.append(1000 * (time.perf_counter() - began))
    return statistics.median(taken)


def measure(commit: str) -> dict[str, float]:
    """Every figure as it is now, ms."""
    figures = pages(commit)
    with dg.DagsterInstance.get() as instance:
        definitions = build_defs()
        sensor = definitions.get_sensor_def("main_commits")
        first = sensor.evaluate_tick(dg.build_sensor_context(instance=instance, definitions=definitions))
        context = dg.build_sensor_context(instance=instance, definitions=definitions, cursor=first.cursor)
        figures["tick of the sensor on main"] = median_ms(lambda: sensor.evaluate_tick(context))
        newest = instance.get_runs(limit=ROUNDS)
        steps = [
            1000 * (stats.end_time - stats.start_time)
            for run in newest
            for stats in instance.get_run_step_stats(run.run_id, ["verdict"])
            if stats.end_time and stats.start_time
        ]
        figures["step `verdict` of a run"] = statistics.median(steps)
    settings = load_settings()
    figures["hologram verdict"] = median_ms(lambda: answer_for(settings, "HEAD", ProfileName.DEV))
    return figures


def pages(commit: str) -> dict[str, float]:
    """The queries behind the pages of the UI, asked of a real web server."""
    port = free_port()
    server = start_child(
        [
            *(sys.executable, "-m", "dagster_webserver", "-m", "hologram_dagster.definitions"),
            *("--host", LOOPBACK, "--port", str(port)),
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = f"http://{LOOPBACK}:{port}"

    def ready() -> bool:
        try:
            return httpx.get(f"{url}/server_info", trust_env=False).is_success
        except httpx.HTTPError:
            return False

    try:
        if not wait_until(ready, timeout_s=120):
            raise SystemExit("the web server did not start")
        figures = {}
        with httpx.Client(base_url=url, timeout=60, trust_env=False) as client:
            for name, query in QUERIES.items():
                filled = query % (COMMIT_TAG, commit) if "%s" in query else query

                def ask(query: str = filled) -> None:
                    answer = client.post("/graphql", json={"query": query}).json()
                    if answer.get("errors"):
                        raise SystemExit(f"the UI's query is refused: {answer['errors']}")

                figures[name] = median_ms(ask)
        return figures
    finally:
        stop_child(server)


def size_mb(folder: Path) -> float:
    """The bytes under `folder`, in 10^6."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6


def grow(folder: Path, runs: int) -> tuple[dict[str, float], dict[str, float]]:
    """The figures after `EARLY` runs and after `runs`; the former are kept beside the home."""
    commit = prepare(folder)
    early_file = folder / ".hologram" / "early.json"
    # Not in the folder: what a killed run left of a stack must not be in the way.
    with Stack.start(folder.parent / f"{folder.name}-stack-{os.getpid()}") as stack:
        os.environ |= {
            "DAGSTER_HOME": str(folder / ".hologram" / "dagster"),
            "IPFS_API": stack.ipfs_api,
            "GRAPHQL_URL": stack.graphql_url,
            "HOLOGRAM_WATCH": f"{folder}#main",
        }
        have = runs_so_far()
        while have < runs:
            if have == EARLY and not early_file.exists():
                early = {**measure(commit), "MB": size_mb(folder)}
                early_file.write_text(json.dumps(early))
            run_gate()
            have += 1
            if have % 50 == 0:
                print(f"{datetime.now(UTC):%H:%M:%S} {have} runs", flush=True)
        return json.loads(early_file.read_text()), {**measure(commit), "MB": size_mb(folder)}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=1000, help="runs in the end (default: %(default)s)")
    parser.add_argument("--folder", type=Path, default=Path(".hologram") / "growth")
    options = parser.parse_args()
    if options.runs <= EARLY:
        parser.error(f"--runs is more than {EARLY}")
    early, late = grow(options.folder.absolute(), options.runs)
    a_run_kb = 1000 * (late.pop("MB") - early.pop("MB")) / (options.runs - EARLY)
    print(f"| | {EARLY} runs, ms | {options.runs} runs, ms | ratio |\n|---|---|---|---|")
    for name, before in early.items():
        print(f"| {name} | {before:.1f} | {late[name]:.1f} | {late[name] / before:.2f} |")
    print(f"a run adds {a_run_kb:.0f} kB to the disk, its reports included")
    sys.exit(any(late[name] > LIMIT * before for name, before in early.items()))


if __name__ == "__main__":
    main()
