"""`hologram chaos` as people type it: list, run, export, and what it must not touch."""

import json
import os
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from chaoslib.experiment import ensure_experiment_is_valid

from hologram_dagster.chaos.catalogue import CATALOGUE, Site, Theirs, carry_out_on
from hologram_dagster.chaos.leftovers import Leftovers
from hologram_dagster.observation import Status
from hologram_dagster.processes import LOOPBACK, wait_until
from hologram_dagster.stack.stack import Stack
from hologram_dagster_tests.gate.bench import BIN, HANG_S, Bench, MakeBench

pytestmark = pytest.mark.phase9_chaos


def chaos(bench: Bench, *arguments: str, **variables: str) -> tuple[int, dict[str, Any]]:
    done = bench.hologram("chaos", *arguments, **variables)
    assert done.stdout.startswith("{"), done.stderr
    return done.returncode, json.loads(done.stdout)


def test_every_experiment_is_listed_with_the_profiles_it_is_part_of(make_bench: MakeBench) -> None:
    code, said = chaos(make_bench(), "list", "--json")
    assert code == 0
    assert {row["name"] for row in said["experiments"]} == set(CATALOGUE)
    assert all("nightly" in row["profiles"] and row["title"] for row in said["experiments"])


def test_an_experiment_is_carried_out_and_its_record_and_journal_are_there(make_bench: MakeBench) -> None:
    bench = make_bench()
    code, said = chaos(bench, "run", "chaos_heuristics", "--seed", "7", "--json")
    assert (code, said["outcome"]) == (0, "passed"), said
    (run,) = said["runs"]
    assert run["seed"] == 7
    assert run["values"]["timeout_as_timeout"] == run["values"]["refused_as_refused"] == 10
    record = json.loads((bench.reports / "chaos" / "chaos_heuristics.json").read_text())
    assert (record["test_name"], record["success"]) == ("chaos_heuristics", True)
    assert set(record["metrics"]) == {"chaos_events", "recovery_time_ms", "success_rate", "failure_rate"}

    code, journal = chaos(bench, "export", "chaos_heuristics", "--journal")
    assert (code, journal["status"], journal["deviated"]) == (0, "completed", False)
    assert all(state["steady_state_met"] for state in journal["steady_states"].values())
    names = [each["activity"]["name"] for each in journal["run"]]
    assert "fault timeout" in names
    assert "witness overload" in names


def test_what_is_exported_is_an_experiment_to_chaos_toolkit(
    make_bench: MakeBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", f"{BIN}:{os.environ['PATH']}")
    code, experiment = chaos(make_bench(), "export", "chaos_gql_latency", "--seed", "3")
    assert code == 0
    ensure_experiment_is_valid(experiment)
    (probe,) = experiment["steady-state-hypothesis"]["probes"]
    assert probe["provider"]["arguments"] == "chaos run chaos_gql_latency --seed 3"


def test_services_that_are_not_ours_are_left_alone_unless_named(
    bench: Bench, stack: Stack, tmp_path: Path
) -> None:
    pids = (stack.node.pid, stack.registry.pid)
    theirs = Theirs(stack.ipfs_api, stack.graphql_url)
    site = Site(tmp_path, tmp_path, Leftovers(tmp_path), budget_ms=100, theirs=theirs)
    for entry in CATALOGUE.values():
        seen, journal = carry_out_on(entry, site)
        assert (seen.status, journal) == (Status.NOT_APPLICABLE, None)
        assert f"HOLOGRAM_ALLOW_DISRUPTION={LOOPBACK}" in seen.why
    code, said = chaos(bench, "run", "chaos_gql_backpressure", "--json")
    assert (code, said["outcome"]) == (3, "not_applicable"), said
    # Named, but without commands that kill and start them.
    code, said = chaos(bench, "run", "chaos_ipfs_restart", "--json", HOLOGRAM_ALLOW_DISRUPTION=LOOPBACK)
    assert (code, said["outcome"]) == (3, "not_applicable")
    assert "[chaos.ipfs] in hologram.toml" in said["runs"][0]["findings"][0]["message"]
    assert (stack.node.pid, stack.registry.pid) == pids
    assert stack.node.alive
    assert stack.registry.alive


def test_a_service_of_the_users_that_does_not_come_back_is_red(make_bench: MakeBench, tmp_path: Path) -> None:
    with Stack.start(tmp_path / "theirs") as theirs:
        bench = make_bench(
            IPFS_API=theirs.ipfs_api,
            GRAPHQL_URL=theirs.graphql_url,
            HOLOGRAM_ALLOW_DISRUPTION=LOOPBACK,
        )
        kill = json.dumps(["kill", "-9", str(theirs.node.pid)])
        (bench.folder / "hologram.toml").write_text(f'[chaos.ipfs]\nkill = {kill}\nstart = ["true"]\n')
        for command in (
            ["add", "."],
            ["-c", "user.name=t", "-c", "user.email=t@example.com", "commit", "-qm", "x"],
        ):
            subprocess.run(["git", "-C", str(bench.folder), *command], check=True)
        code, said = chaos(bench, "run", "chaos_ipfs_restart", "--json")
    assert (code, said["outcome"]) == (1, "failed"), said
    assert any("not as before within 30 s" in each["message"] for each in said["runs"][0]["findings"])
    journal = json.loads((bench.reports / "chaos" / "journals" / "chaos_ipfs_restart.json").read_text())
    assert journal["state"] == "final"
    assert any(not done for _, _, done in journal["timeline"])


def processes_in(folder: Path) -> list[str]:
    """Command lines of processes that know of `folder`."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            line = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
            if str(folder) in line:
                found.append(line)
    return found


def test_kill_9_leaves_no_process_no_stack_and_no_pass_behind(make_bench: MakeBench) -> None:
    bench = make_bench()
    chaos_folder, reports = bench.folder / ".hologram" / "chaos", bench.reports / "chaos"
    journal = reports / "journals" / "chaos_ipfs_restart.json"
    running = bench.start("chaos", "run", "chaos_ipfs_restart")
    try:
        assert wait_until(lambda: journal.exists() and '"witness"' in journal.read_text(), timeout_s=HANG_S)
        assert processes_in(bench.folder)
    finally:
        running.kill()
        running.communicate()
    assert wait_until(lambda: not processes_in(bench.folder), timeout_s=HANG_S), processes_in(bench.folder)
    assert list((chaos_folder / "runs").iterdir()) == list((chaos_folder / "leftovers").glob("*.json")) == []
    record = json.loads((reports / "chaos_ipfs_restart.json").read_text())
    assert (record["outcome"], record["success"]) == ("error", False)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("run", "chaos_nothing"), "use one of chaos_"),
        (("export", "chaos_gql_latency", "--journal"), "run hologram chaos run chaos_gql_latency"),
        (("run", "chaos_gql_latency", "--repeat", "0"), "repeat"),
    ],
)
def test_a_mistake_is_told_in_a_line(make_bench: MakeBench, arguments: tuple[str, ...], told: str) -> None:
    done = make_bench().hologram("chaos", *arguments)
    assert done.returncode == 2
    assert told in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.study
@pytest.mark.timeout(2000)
def test_no_sabotaged_experiment_passes(make_bench: MakeBench) -> None:
    running = make_bench().start("chaos", "sabotage", "--json")
    said = json.loads(running.communicate(timeout=1800)[0])
    assert running.returncode == 0, said
    assert (said["false_greens"], len(said["cases"]) >= 16) == (0, True)
    assert all(set(case) == {"name", "expected", "seen", "witness"} for case in said["cases"])
