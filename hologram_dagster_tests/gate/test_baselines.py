"""The baseline of a real main: set by its own job, chosen among green ancestors; and verdicts kept."""

import json
import sys

import dagster as dg
import pytest

from hologram_dagster.build import build_defs
from hologram_dagster.defs.release.baseline import NOT_ASKED
from hologram_dagster.gate.run import KEY_FILE
from hologram_dagster.gate.tags import PROFILE_TAG, ROLL_FORWARD_TAG
from hologram_dagster.machine import this_machine
from hologram_dagster.profiles import PROFILES
from hologram_dagster.protocol.signing import load_or_create_signer
from hologram_dagster_tests.gate.bench import Bench, git
from hologram_dagster_tests.history.helpers import put_in_force

pytestmark = [pytest.mark.phase6_perf, pytest.mark.performance]

WORKER = "from hologram_dagster.target.reference_worker import main\nmain()\n"
SERVER = (
    "command = [{python!r}, '-m', 'hologram_dagster.registry.server', '--port', '{{port}}', "
    "'--database', 'sqlite:///{{data}}/registry.sqlite', '--ipfs-api', '{{ipfs}}']"
)


def _commit(bench: Bench, **files: str) -> str:
    for name, content in files.items():
        (bench.folder / name.replace("_", ".")).write_text(content)
    git(bench.folder, "add", ".")
    git(bench.folder, "commit", "-q", "--allow-empty", "-m", "one more")
    return git(bench.folder, "rev-parse", "HEAD")


@pytest.fixture
def target(bench: Bench) -> Bench:
    """A bench whose repository names a worker and a server."""
    python = sys.executable
    toml = (
        f"[target]\nname = 'scratch'\nworker = [{python!r}, '{{tree}}/worker.py']\n"
        f"[target.server]\n{SERVER.format(python=python)}\n"
    )
    _commit(bench, hologram_toml=toml, worker_py=WORKER)
    return bench


@pytest.fixture
def instance(target: Bench, monkeypatch: pytest.MonkeyPatch) -> dg.DagsterInstance:
    """The Dagster instance of the bench, in whose repository this process now runs."""
    home = target.folder / ".hologram" / "dagster"
    monkeypatch.chdir(target.folder)
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    for name, value in target.variables.items():
        monkeypatch.setenv(name, value)
    return dg.DagsterInstance.from_config(str(home))


def _roll(instance: dg.DagsterInstance, **asked: object) -> dg.ExecuteInProcessResult:
    job = build_defs().resolve_job_def("baseline_roll_forward")
    return job.execute_in_process(instance=instance, raise_on_error=False, **asked)  # type: ignore[arg-type]


def _refusal(result: dg.ExecuteInProcessResult) -> str:
    assert not result.success
    failure = result.failure_data_for_node("baseline")
    assert failure is not None
    assert failure.error is not None
    assert "GateRefused" in failure.error.to_string()
    assert failure.user_failure_data is not None
    return failure.user_failure_data.description or ""


def test_the_job_is_no_gate_and_holds_the_baseline_alone() -> None:
    defs = build_defs()
    job = defs.resolve_job_def("baseline_roll_forward")
    assert {key.to_user_string() for key in job.asset_layer.selected_asset_keys} == {"baseline"}
    assert job.tags[PROFILE_TAG] == "main"
    assert ROLL_FORWARD_TAG not in job.tags
    for profile in PROFILES.values():
        gate = defs.resolve_job_def(profile.job)
        assert dg.AssetKey("baseline") not in gate.asset_layer.selected_asset_keys
    tags = defs.resolve_asset_graph().get(dg.AssetKey("baseline")).tags
    assert not [tag for tag in tags if tag.startswith("gate/")]


def test_it_is_rolled_forward_when_asked_to_and_refuses_otherwise(
    target: Bench, instance: dg.DagsterInstance
) -> None:
    config = {"ops": {"baseline": {"config": {"reason": "first of all"}}}}
    assert _refusal(_roll(instance)) == NOT_ASKED
    assert _refusal(_roll(instance, tags={ROLL_FORWARD_TAG: " "})) == NOT_ASKED
    assert "has no verdict of a main gate in the last 24 h" in _refusal(_roll(instance, run_config=config))
    assert target.hologram("baseline", "show").returncode == 1

    first = _commit(target)
    done = target.hologram("gate", "--profile", "main")
    assert done.returncode == 0, done.stdout
    said = (target.reports / "verdict.json").read_bytes()
    assert _refusal(_roll(instance)) == NOT_ASKED
    result = _roll(instance, run_config=config)
    assert result.success
    (made,) = result.asset_materializations_for_node("baseline")
    assert made.metadata["commit"].value == first
    assert made.metadata["reason"].value == "first of all"
    shown = json.loads(target.hologram("baseline", "show", "--json").stdout)
    assert (shown["commit"], shown["reason"]) == (first, "first of all")
    assert shown["numbers"]["core.verify_ms"] == pytest.approx(
        made.metadata["core_verify_ms_p95"].value, abs=0.001
    )
    # It is no gate run: the verdict stays what it was.
    assert (target.reports / "verdict.json").read_bytes() == said

    # The next one is compared with it, being green here, though a commit lies between.
    _commit(target)
    second = _commit(target)
    some = "revision,perf_verify,verdict"
    assert target.materialize(some, HOLOGRAM_PROFILE="main", SLO_VERIFY_P95_MS="0.0001").returncode == 1
    assert "failed, not passed" in _refusal(_roll(instance, tags={ROLL_FORWARD_TAG: "second"}))

    # A pass after a fail is a pass, and told as one that followed a fail.
    green = target.hologram("gate", "--profile", "main")
    assert green.returncode == 0, green.stdout
    rule = "the nearest ancestor that is green here"
    assert f"baseline: {first[:12]} ({rule})" in green.stdout
    assert target.verdict()["baseline"] == {"commit": first, "rule": rule}
    facts = json.loads(target.record("regression_verify").read_text())["facts"]
    assert (facts["baseline_commit"], facts["baseline_rule"]) == (first, rule)
    failed = "a pass after a fail: this revision has failed once before (main, local), last in run"
    assert failed in green.stdout
    assert failed in target.hologram("verdict").stdout
    (earlier,) = target.verdict()["earlier"]
    assert (earlier["verdict"], set(earlier)) == ("fail", {"verdict", "run_id", "finished_at"})
    assert json.loads(target.hologram("verdict", "--json").stdout)["earlier"] == [earlier]
    assert _roll(instance, tags={ROLL_FORWARD_TAG: "second"}).success
    shown = json.loads(target.hologram("baseline", "show", "--json").stdout)
    assert (shown["commit"], shown["reason"]) == (second, "second")


def test_materializing_everything_leaves_the_baseline_alone_and_is_as_red_as_the_verdict(
    bench: Bench,
) -> None:
    done = bench.materialize("revision,perf_verify,verdict,report,baseline")
    # Red for what the verdict misses, not for the baseline.
    assert done.returncode == 1
    assert "GateRefused" not in done.stderr
    assert f"left as it is: {NOT_ASKED}" in done.stderr
    assert bench.verdict()["verdict"] == "fail"
    done = bench.materialize("revision,perf_verify,baseline")
    assert done.returncode == 0, done.stderr
    assert bench.hologram("baseline", "show").returncode == 1
    alone = bench.materialize("baseline")
    assert alone.returncode == 1
    assert "GateRefused" in alone.stderr
    assert "on purpose only" in alone.stderr


def test_a_baseline_that_cannot_be_run_any_more_is_a_warning_of_a_green_main(target: Bench) -> None:
    state = target.folder / ".hologram"
    put_in_force(state, target.reports, load_or_create_signer(state / KEY_FILE, None), this_machine())
    _commit(target, worker_py="raise SystemExit('the wheel fell off')\n")
    broken = git(target.folder, "rev-parse", "HEAD")
    _commit(target, worker_py=WORKER)
    done = target.hologram("gate", "--profile", "main")
    assert done.returncode == 0, done.stdout
    assert f"baseline: {broken[:12]} (the first parent, as none of" in done.stdout
    assert "warning:  regression_verify no_regression: the baseline" in done.stdout
    assert "A stored number was used instead, which decides nothing" in done.stdout
    reason = next(
        r
        for r in target.verdict()["reasons"]
        if (r["kind"], r["check"]) == ("regression_encode", "no_regression")
    )
    assert (reason["status"], reason["unit"]) == ("not_applicable", "%")
    assert f"stored in local on machine {this_machine().fingerprint}" in reason["message"]
    # A stored number is no comparison with the baseline in force.
    refused = target.hologram("baseline", "roll-forward")
    assert refused.returncode == 2
    assert "was not compared with the baseline in force" in refused.stderr
