"""A run that did not come to its own end gets a verdict: inconclusive, once, and never over another.

What belongs here: opening such a run again from what the ledger knows of it, and deciding
whether there is anything to conclude. What does not: noticing it (Dagster's sensors, the
command line).
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from hologram_dagster.errors import HologramError
from hologram_dagster.evidence.archive import Evidence
from hologram_dagster.evidence.verdict import Verdict, read_verdict
from hologram_dagster.gate.announcing import announce
from hologram_dagster.gate.conclusion import conclude_run, has_concluded, verdict_path
from hologram_dagster.gate.origin import settings_at
from hologram_dagster.gate.publishing import finish_run
from hologram_dagster.gate.run import GateRun, open_archive, open_gate_run, open_signer, policy_of
from hologram_dagster.gate.tags import BASELINE_TAG, COMMIT_TAG, ORIGIN_TAG, PROFILE_TAG
from hologram_dagster.settings import Settings


def finish_broken_run(
    settings: Settings, *, run_id: str, tags: Mapping[str, str], created_at: datetime, reason: str
) -> Verdict | None:
    """Conclude the run `run_id` as interrupted by `reason`; None if it has a verdict already.

    `verdict.json`, report and badge are replaced unless they are of a newer run.

    Raises:
        HologramError: its revision cannot be read any more, or what it would judge was refused.
    """
    run = _open_again(settings, run_id, tags, created_at)
    if has_concluded(run):
        return None
    if _is_newest(run):
        return finish_run(run, reason)
    verdict = conclude_run(run, interrupted=reason, show=False).verdict
    announce(run, verdict)
    return verdict


def _open_again(settings: Settings, run_id: str, tags: Mapping[str, str], created_at: datetime) -> GateRun:
    """The run as it started; as it would have started, if it never did."""
    settings = settings_at(settings, origin=tags.get(ORIGIN_TAG), commit=tags.get(COMMIT_TAG))
    signer = open_signer(settings)
    started = Evidence(settings.state_dir / "evidence", signer=signer).started_run(run_id)
    if started is None:
        run = open_gate_run(
            settings,
            run_id=run_id,
            profile_tag=tags.get(PROFILE_TAG),
            commit_tag=tags.get(COMMIT_TAG),
            baseline_tag=tags.get(BASELINE_TAG),
        )
        identity = replace(run.identity, started_at=created_at)
        return replace(run, recorded=replace(run.recorded, identity=identity))
    identity = started.identity
    policy = policy_of(settings.repository, identity.baseline_commit or identity.revision.commit)
    evidence = open_archive(settings, signer, policy)
    return GateRun(settings, started.plan, policy, started, evidence, signer)


def _is_newest(run: GateRun) -> bool:
    try:
        shown = read_verdict(verdict_path(run.settings))
    except (FileNotFoundError, HologramError):
        return True
    return shown.run_id == run.identity.run_id or shown.started_at <= run.identity.started_at
