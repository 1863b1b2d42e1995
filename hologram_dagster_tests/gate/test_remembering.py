"""The trend of a place with its baselines, from a real history: shown in the report and by the check."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from hologram_dagster.evidence.record import Record
from hologram_dagster.evidence.verdict import running
from hologram_dagster.gate.baselines import baselines_of
from hologram_dagster.gate.remembering import judge_trend, ratios_of
from hologram_dagster.gate.run import GateRun, open_gate_run
from hologram_dagster.history.eligibility import Candidate
from hologram_dagster.history.index import BASELINE_FACT, FILE_NAME, History
from hologram_dagster.observation import Status
from hologram_dagster.settings import load_settings
from hologram_dagster_tests.evidence.helpers import NOW
from hologram_dagster_tests.gate.bench import Bench
from hologram_dagster_tests.history.helpers import commit, measurements, record, verdict_of

pytestmark = pytest.mark.phase6_perf

DAYS = 230


@pytest.fixture
def run(bench: Bench) -> GateRun:
    settings = load_settings(
        repository=bench.folder, state_dir=bench.folder / ".hologram", reports_dir=bench.reports
    )
    return open_gate_run(settings, run_id="run-1", profile_tag="nightly")


def remembered(run: GateRun) -> Iterator[Record]:
    """`drift_encode` a day: slower by 8 % for the last 20 days; and ratios of another profile."""
    for day in range(DAYS):
        ratio = (1.08 if day >= DAYS - 20 else 1.0) + 0.003 * (day % 3 - 1)
        for profile, factor in (("nightly", 1.0), ("main", 3.0)):
            yield record(
                "drift_encode",
                {"ratio": factor * ratio},
                at=NOW - timedelta(days=DAYS - day),
                number=day,
                facts={BASELINE_FACT: commit(1)},
                machine=run.identity.machine,
                profile=profile,
            )


def test_the_newest_200_of_the_runs_own_series_are_shown(run: GateRun) -> None:
    with History.in_folder(run.settings.state_dir) as history:
        history.rebuild(remembered(run))
    (shown,), notes = ratios_of(run, running(run.recorded, key_id=run.key_id), {"drift_encode": 5.0})
    assert notes == []
    assert (shown.kind, len(shown.points), shown.margin_pct) == ("drift_encode", 200, 5.0)
    assert shown.points["value"].max() < 1.1
    assert shown.points["commit"].iloc[-1] == commit(DAYS - 1)
    (change,) = shown.trend.changes
    assert change.upto == commit(DAYS - 20)


def test_the_check_says_what_changed_and_which_baseline_was_set_last(run: GateRun) -> None:
    with History.in_folder(run.settings.state_dir) as history:
        history.rebuild(remembered(run))
    before = judge_trend(run, "drift_encode")
    assert before.result.status is Status.FAILED
    assert not before.result.red
    assert before.result.message == before.trend.message
    assert before.baseline is None
    baselines = baselines_of(run)
    machine = run.identity.machine
    measured = measurements(1, machine=machine)
    green = Candidate(verdict_of(measured, 1, machine=machine), measured, (), (), "refs/heads/main")
    baselines.roll_forward(green, reason="as planned")
    assert judge_trend(run, "drift_encode").baseline == baselines.all()[-1]
    (shown,), _ = ratios_of(run, running(run.recorded, key_id=run.key_id), {})
    assert [baseline.reason for baseline in shown.baselines] == ["as planned"]


def test_a_history_that_cannot_be_read_is_a_note_of_the_report(run: GateRun) -> None:
    (run.settings.state_dir / FILE_NAME).mkdir(parents=True)
    shown, (note,) = ratios_of(run, running(run.recorded, key_id=run.key_id), {})
    assert shown == []
    assert note.startswith("the trend cannot be shown: ")
