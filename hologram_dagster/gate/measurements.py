"""What was measured in the user's files, and as an observation."""

from collections.abc import Iterable
from dataclasses import replace

from hologram_dagster.gate.run import GateRun
from hologram_dagster.history.cold_warm import FILE_NAME, Cache, CacheProfile, merge
from hologram_dagster.observation import Finding, Observation, Status
from hologram_dagster.perf.cold_warm import ColdWarm
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
    return _with_notes(measured.observation, "csv", notes)


def record_cold_warm(run: GateRun, done: ColdWarm) -> Observation:
    """Merge the timings into `reports/perf/cache_profiles.json`; the observation, with notes on the file.

    Raises:
        HologramError: the file cannot be written; what it held is untouched.
    """
    profiles = [
        CacheProfile(
            timing.operation,
            Cache(timing.cache),
            timing.duration_ms,
            timing.at,
            metrics=timing.metrics,
            error=timing.error,
        )
        for timing in done.timings
    ]
    notes = merge(run.settings.reports_dir / "perf" / FILE_NAME, profiles)
    return _with_notes(done.observation, "cache_profiles", notes)


def _with_notes(observation: Observation, name: str, notes: Iterable[str]) -> Observation:
    told = tuple(Finding(name, Status.PASSED, note) for note in notes)
    return replace(observation, findings=observation.findings + told)
