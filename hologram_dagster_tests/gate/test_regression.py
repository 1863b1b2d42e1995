"""The candidate beside its baseline, by the commands users run: a slow commit is red, and named."""

import json
import re
from pathlib import Path

import pytest

from hologram_dagster_tests.gate.bench import Bench, git
from hologram_dagster_tests.gate.scratch_target import WORKER, add_target, commit

pytestmark = [pytest.mark.phase6_perf, pytest.mark.performance]


@pytest.fixture
def target(bench: Bench) -> Bench:
    """A bench whose repository names a worker and a server, with two commits that have them."""
    add_target(bench)
    return bench


def test_a_commit_with_slower_encode_is_red_and_named_and_the_next_one_is_green(target: Bench) -> None:
    baseline = git(target.folder, "rev-parse", "HEAD")
    commit(target, 2)
    done = target.hologram("gate", "--profile", "main")
    assert done.returncode == 1, done.stdout
    assert set(target.red()) == {("regression_encode", "no_regression")}
    cause = target.red()["regression_encode", "no_regression"]
    assert re.match(r"encode: \d+\.\d % slower, limit 5 %", cause)
    assert "margin 5 %, half of the threshold of 10 %" in cause
    assert target.verdict()["baseline"]["commit"] == baseline
    reason = next(
        r for r in target.verdict()["reasons"] if r["kind"] == "regression_encode" and r["status"] == "failed"
    )
    assert reason["value"] > 5
    assert reason["unit"] == "%"
    page = (target.reports / "index.html").read_text()
    first_screen = page.partition('aria-label="Checks"')[0]
    ratio = json.loads(target.record("regression_encode").read_text())["values"]["ratio"]
    assert f"encode: {100 * (ratio - 1):.1f} % slower, limit 5 %" in first_screen
    assert f"<code>encode</code> <strong>x{ratio:.3f}</strong> <small>limit x1.050</small>" in first_screen
    assert page.count('<figure class="panel trend"') == 3
    line = f"encode: x{ratio:.3f} of the baseline's time"
    assert f"compared: {line}" in done.stdout
    assert line in (target.reports / "summary.md").read_text()
    assert (target.reports / "e2e" / "events.jsonl").stat().st_size < 5_242_880
    commit(target, 2, note="the same speed again")
    done = target.hologram("gate", "--profile", "main")
    assert done.returncode == 0, done.stdout


def test_the_files_as_they_are_are_compared_with_head(target: Bench) -> None:
    (target.folder / "worker.py").write_text(WORKER.format(extra=2))
    done = target.hologram("gate", "--profile", "pr")
    assert done.returncode == 1, done.stdout
    assert ("regression_encode", "no_regression") in target.red()


def test_a_worker_that_dies_is_an_error_with_its_last_lines(target: Bench) -> None:
    (target.folder / "worker.py").write_text("raise SystemExit('the wheel fell off')\n")
    git(target.folder, "commit", "-qam", "broken")
    done = target.hologram("gate", "--profile", "pr")
    assert done.returncode == 3, done.stdout
    assert "the wheel fell off" in target.red()["regression_verify", "observed"]
    assert "candidate" in target.red()["regression_verify", "observed"]
    assert "the wheel fell off" in target.red()["perf_verify", "observed"]
    # Each cause once, and the worker's last lines not once a cause.
    told = [line for line in done.stdout.splitlines() if line.startswith("  regression_verify")]
    assert len(told) == 1
    assert told[0].startswith("  regression_verify observed, no_regression: error: ")
    assert done.stdout.count("the wheel fell off") < len(target.red())


def test_budgets_and_answers_are_those_of_the_candidates_own_code(target: Bench) -> None:
    worker = target.folder / "worker.py"
    always = "atlas.verify = lambda state: True\nreference_worker.main()"
    worker.write_text(worker.read_text().replace("reference_worker.main()", always))
    git(target.folder, "commit", "-qam", "verify says yes to everything")
    done = target.hologram("gate", "--profile", "dev")
    assert done.returncode == 1, done.stdout
    assert set(target.red()) == {("perf_verify", "answers_correct")}
    assert "accepts a state with a flipped bit" in target.red()["perf_verify", "answers_correct"]
    record = json.loads(target.record("perf_encode").read_text())
    assert record["facts"]["code"] == "the candidate's"


def test_a_set_up_that_fails_is_told_with_its_last_lines(target: Bench) -> None:
    toml = target.folder / "hologram.toml"
    toml.write_text(
        toml.read_text().replace(
            "name = 'scratch'\n", "name = 'scratch'\nsetup = [['sh', '-c', 'echo no wheel; exit 3']]\n"
        )
    )
    git(target.folder, "commit", "-qam", "set-up")
    git(target.folder, "commit", "-q", "--allow-empty", "-m", "its baseline has the set-up")
    done = target.hologram("gate", "--profile", "pr")
    assert done.returncode == 3, done.stdout
    assert "no wheel" in target.red()["regression_encode", "observed"]
    assert "no wheel" in target.red()["perf_encode", "observed"]


def test_without_a_target_pr_says_so_and_main_refuses(bench: Bench) -> None:
    git(bench.folder, "commit", "-q", "--allow-empty", "-m", "second")
    done = bench.hologram("gate", "--profile", "pr")
    assert done.returncode == 0, done.stdout
    shown = [r for r in bench.verdict()["reasons"] if r["kind"] == "regression_gql"]
    assert {r["status"] for r in shown} == {"not_applicable"}
    told = "the baseline's hologram.toml has no [target] table: add it, with `worker` and [target.server]"
    assert told in shown[0]["message"]
    line = f"not compared: verify, encode, gql: {told}"
    assert line in done.stdout
    assert line in bench.hologram("verdict", "--profile", "pr").stdout
    done = bench.hologram("gate", "--profile", "main")
    assert done.returncode == 1, done.stdout
    assert "main requires it" in bench.red()["regression_gql", "observed"]


def test_a_wider_threshold_is_shown_as_looser(target: Bench, tmp_path: Path) -> None:
    commit(target, 0, note="nothing")
    ui = "http://dagster.test:3000"
    done = target.hologram("gate", "--profile", "pr", REGRESSION_THRESHOLD_PCT="300", HOLOGRAM_UI_URL=ui)
    assert done.returncode == 0, done.stdout
    # The report leads to the run.
    assert f'href="{ui}/runs/{target.verdict()["run_id"]}"' in (target.reports / "index.html").read_text()
    assert "looser than the profile: REGRESSION_THRESHOLD_PCT = 300 (profile: 10)" in done.stdout


def test_a_baseline_is_set_on_purpose_after_a_green_main_and_taken_back(target: Bench) -> None:
    assert target.hologram("baseline", "show").returncode == 1
    refused = target.hologram("baseline", "roll-forward", "--reason", "first")
    assert refused.returncode == 2
    assert "run hologram gate --profile main" in refused.stderr
    first = commit(target, 0, note="one")
    assert target.hologram("gate", "--profile", "main").returncode == 0
    done = target.hologram("baseline", "roll-forward", "--reason", "first")
    assert done.returncode == 0, done.stderr
    flat = json.loads((target.reports / "perf" / "baseline.json").read_text())
    assert set(flat) == {"core.verify_ms", "core.encode_4MB_ms", "graphql.resolve_ms"}
    assert first in target.hologram("baseline", "show").stdout

    second = commit(target, 0, note="two")
    refused = target.hologram("baseline", "roll-forward")
    assert refused.returncode == 2
    assert target.hologram("gate", "--profile", "main", "--baseline", first[:12]).returncode == 0
    assert target.hologram("baseline", "roll-forward", "--reason", "second").returncode == 0
    assert second in target.hologram("baseline", "show").stdout
    backups = target.hologram("baseline", "list").stdout.split()
    assert any("roll_forward" in name for name in backups)
    assert target.hologram("baseline", "roll-back").returncode == 0
    assert first in target.hologram("baseline", "show").stdout
    assert git(target.folder, "rev-parse", "HEAD") == second


def test_nightly_finds_what_crept_in_step_by_step(target: Bench) -> None:
    first = commit(target, 0, note="one")
    assert target.hologram("gate", "--profile", "main").returncode == 0
    assert target.hologram("baseline", "roll-forward").returncode == 0
    commit(target, 1)
    commit(target, 1, note="no slower than its parent")
    # Against its parent, which nobody gated: the nearest green ancestor would find it, too.
    done = target.hologram("gate", "--profile", "nightly", "--baseline", "HEAD~1")
    assert done.returncode == 1, done.stdout
    assert set(target.red()) == {("drift_encode", "no_regression")}
    assert json.loads(target.record("drift_encode").read_text())["facts"]["baseline_commit"] == first
