"""A measurement as the user's CSV rows and as an observation."""

from dataclasses import replace

from hologram_dagster.gate.run import GateRun
from hologram_dagster.observation import Finding, Observation, Status
from hologram_dagster.perf.csv_rows import append_rows, row_of
from hologram_dagster.perf.measurement import Measurement


def record_measurement(run: GateRun, measured: Measurement) -> Observation:
    """Append one row a launch to `reports/perf/<suite>_perf.csv`; the observation, with notes on the file.

    Raises:
        HologramError: the file cannot be written; what it held is untouched.
    """
    if not measured.launches:
        return measured.observation
    rows = [
        row_of(summary, suite=measured.suite, metric=measured.metric, note=measured.note)
        for summary in measured.launches
    ]
    identity = run.identity
    meta = {
        "run_id": identity.run_id,
        "commit": identity.revision.commit,
        "environment": str(identity.environment),
        "machine": identity.machine.fingerprint,
    }
    notes = append_rows(run.settings.reports_dir / "perf" / f"{measured.suite}_perf.csv", rows, meta)
    told = tuple(Finding("csv", Status.PASSED, note) for note in notes)
    return replace(measured.observation, findings=measured.observation.findings + told)
