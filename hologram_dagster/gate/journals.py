"""The journals of chaos for a report: those that a run's evidence keeps, and those that lie in the reports.

What belongs here: finding and verifying them. What does not: how they look (`reports.courses`).
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hologram_dagster.chaos.journal_file import journal_path, parse_journal, read_journal
from hologram_dagster.errors import HologramError
from hologram_dagster.evidence.store import EvidenceStore
from hologram_dagster.gate.run import GateRun
from hologram_dagster.profiles import CHAOS
from hologram_dagster.protocol.canonical import sha256_hex
from hologram_dagster.reports.experiment import Experiment, experiment_of


def experiments_of(run: GateRun, records: Sequence[Mapping[str, Any]]) -> tuple[list[Experiment], list[str]]:
    """The journals of `records`; where there is none, the reports' own; and notes on what cannot be read.

    A journal of the evidence counts only with the bytes that its record was signed for. One of the reports
    may be of another run, and is said to be none of this run's evidence.
    """
    found: list[Experiment] = []
    notes: list[str] = []
    digests = {record["kind"]: each["sha256"] for record in records for each in record["artifacts"]}
    for kind in CHAOS:
        lying = journal_path(run.settings.reports_dir / "chaos", kind)
        try:
            if kind in digests:
                found.append(experiment_of(_kept(run.evidence.store, kind, digests[kind]), of_run=True))
            elif lying.exists():
                found.append(experiment_of(read_journal(lying), of_run=False))
        except HologramError as error:
            notes.append(f"the course of {kind} cannot be shown: {error}")
    return found, notes


def _kept(store: EvidenceStore, kind: str, sha256: str) -> dict[str, Any]:
    """The journal of `kind` whose bytes have the digest `sha256`."""
    path = store.artifact_path(sha256, f"{kind}.json")
    try:
        data = store.get(path)
    except FileNotFoundError:
        raise HologramError(f"{path} is gone from the evidence.") from None
    if sha256_hex(data) != sha256:
        raise HologramError(f"{path} is not what its record was signed for.")
    return parse_journal(data, Path(path))
