"""A baseline that cannot be run any more: a stored number is shown as one, and never decides."""

import sys
import textwrap
from collections.abc import Mapping
from dataclasses import replace

import pytest

from hologram_dagster.evidence.check import CheckResult, Severity
from hologram_dagster.evidence.judge import judge
from hologram_dagster.evidence.record import Record
from hologram_dagster.gate.baselines import baselines_of
from hologram_dagster.gate.pairs import observe_drift, observe_regression
from hologram_dagster.gate.run import GateRun, open_gate_run
from hologram_dagster.history.baseline import Place
from hologram_dagster.machine import Machine, this_machine
from hologram_dagster.observation import Finding, Observation, Status
from hologram_dagster.profiles import PROFILES, Plan, ProfileName
from hologram_dagster.settings import load_settings
from hologram_dagster_tests.evidence.helpers import NOW, OTHER_MACHINE, identity, observation, plan_of, signer
from hologram_dagster_tests.gate.bench import Bench, MakeBench, git
from hologram_dagster_tests.history.helpers import METRICS, commit, put_in_force

pytestmark = [pytest.mark.phase6_perf, pytest.mark.performance]

GOOD = "from hologram_dagster.target.reference_worker import main\nmain()\n"
BROKEN = "raise SystemExit('the wheel fell off')\n"
SERVES = "import sys\nfrom hologram_dagster.registry.server import main\nsys.exit(main(sys.argv[1:]))\n"
TARGET = textwrap.dedent(
    f"""
    [target]
    name = 'scratch'
    dependencies = ['needs.txt']
    setup = [['sh', '-c', 'test "$(cat needs.txt)" != impossible || {{ echo no wheel; exit 3; }}']]
    worker = [{sys.executable!r}, '{{tree}}/worker.py']
    [target.server]
    command = [{sys.executable!r}, '{{tree}}/server.py', '--port', '{{port}}', '--database',
        'sqlite:///{{data}}/registry.sqlite', '--ipfs-api', '{{ipfs}}']
    """
)


@pytest.fixture
def bench(make_bench: MakeBench) -> Bench:
    bench = make_bench()
    (bench.folder / "hologram.toml").write_text(TARGET)
    return bench


def _commit(bench: Bench, *, worker: str = GOOD, server: str = SERVES, needs: str = "nothing") -> str:
    for name, content in {"worker.py": worker, "server.py": server, "needs.txt": needs}.items():
        (bench.folder / name).write_text(content)
    git(bench.folder, "add", ".")
    git(bench.folder, "commit", "-q", "--allow-empty", "-m", "one more")
    return git(bench.folder, "rev-parse", "HEAD")


def _open(bench: Bench, p95_ms: Mapping[str, float] | None = None) -> GateRun:
    """A main run of HEAD that has measured `p95_ms`, by kind."""
    settings = load_settings(
        repository=bench.folder, state_dir=bench.folder / ".hologram", reports_dir=bench.reports
    )
    run = open_gate_run(settings, run_id="run-1", profile_tag="main")
    run.evidence.start_run(run.recorded)
    for kind, p95 in (p95_ms or {}).items():
        seen = observation(kind, at=run.identity.started_at, facts={"metric": METRICS[kind]})
        run.evidence.add(replace(seen, values={**seen.values, "p95_ms": p95}), run.identity)
    return run


def _store(run: GateRun, machine: Machine | None = None) -> None:
    """Put the baseline of commit 1 in force here, or for another machine."""
    settings = run.settings
    put_in_force(settings.state_dir, settings.reports_dir, run.signer, machine or this_machine())


def _judged(run: GateRun, seen: Observation, profile: ProfileName) -> dict[str, CheckResult]:
    stored = run.evidence.add(seen, run.identity)
    return {result.check: result for result in judge(stored.record, plan_of(profile))}


def test_a_worker_that_does_not_start_any_more_is_held_against_the_stored_number(bench: Bench) -> None:
    old = _commit(bench, worker=BROKEN)
    _commit(bench)
    run = _open(bench, {"perf_encode": 44.0})
    _store(run)
    seen = observe_regression(run, "encode")
    assert seen.status is Status.PASSED
    (finding,) = seen.findings
    assert finding.status is Status.INCONCLUSIVE
    assert f"the baseline {old[:12]} cannot run its worker any more" in finding.message
    assert "the wheel fell off" in finding.message
    assert "A stored number was used instead" in finding.message
    assert "p95 of core.encode_4MB_ms 44.000 ms now, 40.000 ms stored in local on machine" in finding.message
    assert f"for the baseline {commit(1)[:12]} of" in finding.message
    assert finding.message.endswith("+10.0 %.")
    assert seen.values["stored_change_pct"] == pytest.approx(10)
    for profile in (ProfileName.PR, ProfileName.MAIN, ProfileName.NIGHTLY):
        judged = _judged(run, seen, profile)
        assert not any(result.red for result in judged.values())
        shown = judged["no_regression"]
        assert (shown.status, shown.severity) == (Status.NOT_APPLICABLE, Severity.WARN)
        assert (shown.unit, shown.message) == ("%", finding.message)
        assert shown.value == pytest.approx(10)


def test_however_much_slower_a_stored_number_decides_nothing(bench: Bench) -> None:
    _commit(bench, worker=BROKEN)
    _commit(bench)
    run = _open(bench, {"perf_verify": 2000.0})
    _store(run)
    seen = observe_regression(run, "verify")
    assert "+99900.0 %" in seen.why
    assert not any(result.red for result in _judged(run, seen, ProfileName.MAIN).values())


@pytest.mark.parametrize("elsewhere", [True, False])
def test_without_a_stored_number_of_this_machine_pr_says_so_and_main_refuses(
    bench: Bench, elsewhere: bool
) -> None:
    _commit(bench, worker=BROKEN)
    _commit(bench)
    run = _open(bench, {"perf_encode": 44.0})
    if elsewhere:
        _store(run, OTHER_MACHINE)
    seen = observe_regression(run, "encode")
    assert seen.status is Status.NOT_APPLICABLE
    here = f"in local on machine {this_machine().fingerprint}"
    assert f"Nor is a number of core.encode_4MB_ms stored {here}" in seen.why
    assert (f"that of machine {OTHER_MACHINE.fingerprint} cannot be compared" in seen.why) is elsewhere
    assert "the wheel fell off" in seen.why
    assert not any(result.red for result in _judged(run, seen, ProfileName.PR).values())
    for profile in (ProfileName.MAIN, ProfileName.NIGHTLY):
        red = _judged(run, seen, profile)["observed"]
        assert red.red
        assert f"{profile} requires it" in red.message


def test_without_a_figure_of_the_candidate_nothing_is_compared(bench: Bench) -> None:
    _commit(bench, worker=BROKEN)
    _commit(bench)
    run = _open(bench)
    _store(run)
    seen = observe_regression(run, "encode")
    assert seen.status is Status.NOT_APPLICABLE
    assert "Nor is there a p95 of encode of this revision" in seen.why


def test_a_candidate_that_does_not_start_either_is_an_error(bench: Bench) -> None:
    _commit(bench, worker=BROKEN)
    _commit(bench, worker="raise SystemExit('nor does it here')\n")
    run = _open(bench, {"perf_encode": 44.0})
    _store(run)
    seen = observe_regression(run, "encode")
    assert seen.status is Status.ERROR
    assert "the candidate's worker does not start" in seen.why
    assert "nor does it here" in seen.why


def test_a_baseline_that_cannot_be_set_up_is_held_against_the_stored_number(bench: Bench) -> None:
    _commit(bench, needs="impossible")
    _commit(bench)
    run = _open(bench, {"perf_encode": 44.0})
    _store(run)
    seen = observe_regression(run, "encode")
    assert seen.status is Status.PASSED
    assert "cannot be checked out and set up any more" in seen.why
    assert "no wheel" in seen.why


def test_a_candidate_that_cannot_be_set_up_is_an_error(bench: Bench) -> None:
    _commit(bench)
    _commit(bench, needs="impossible")
    run = _open(bench, {"perf_encode": 44.0})
    _store(run)
    seen = observe_regression(run, "encode")
    assert seen.status is Status.ERROR
    assert "no wheel" in seen.why


def test_a_baseline_in_force_that_is_gone_is_held_against_its_number(bench: Bench) -> None:
    _commit(bench)
    _commit(bench)
    run = _open(bench, {"perf_gql": 5.0})
    _store(run)
    seen = observe_drift(run, "gql")
    assert seen.kind == "drift_gql"
    assert f"the baseline {commit(1)[:12]} cannot be checked out" in seen.why
    assert "p95 of graphql.resolve_ms 5.000 ms now, 5.500 ms stored" in seen.why


@pytest.mark.parametrize(
    ("candidate", "status"), [(SERVES, Status.PASSED), (BROKEN, Status.ERROR)], ids=["starts", "does-not"]
)
def test_a_server_that_does_not_start_any_more(bench: Bench, candidate: str, status: Status) -> None:
    _commit(bench, server=BROKEN)
    _commit(bench, server=candidate)
    run = _open(bench, {"perf_gql": 5.0})
    _store(run)
    seen = observe_regression(run, "gql")
    assert seen.status is status
    if status is Status.PASSED:
        assert "cannot run its server any more" in seen.why
    else:
        assert "the candidate's server ended" in seen.why


def test_a_list_of_baselines_that_was_changed_is_an_error(bench: Bench) -> None:
    _commit(bench, worker=BROKEN)
    _commit(bench)
    run = _open(bench, {"perf_encode": 44.0})
    _store(run)
    path = run.settings.state_dir / "baselines.jsonl"
    path.write_text(path.read_text().replace("40.0", "90.0"))
    assert observe_regression(run, "encode").status is Status.ERROR


def test_a_record_cut_short_is_not_excused_by_a_stored_number() -> None:
    for status in (Status.ERROR, Status.FAILED, Status.INCONCLUSIVE):
        seen = Observation(
            "regression_gql",
            status,
            "1",
            NOW,
            NOW,
            values={"stored_change_pct": 1.0},
            findings=(Finding("no_regression", status, "x"),),
        )
        record = Record.from_observation(seen, identity(), signer(), now=NOW)
        plan = Plan(PROFILES[ProfileName.MAIN], {}, 1, 1, 1, ())
        assert any(result.red for result in judge(record, plan))


def test_places_of_the_run_are_its_own(bench: Bench) -> None:
    _commit(bench)
    run = _open(bench)
    assert baselines_of(run).place == Place("local", this_machine().fingerprint)
