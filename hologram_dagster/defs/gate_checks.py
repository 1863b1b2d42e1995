"""The one way gate checks are made, and how they fail a run.

A failed non-blocking check leaves a Dagster run green, and a blocking one skips the
verdict and the report. So each gate yields every result and then raises `GateFailed`:
the run fails, the results are all recorded, and what depends on the asset (not on its
check) is still built. What must hold is `evidence.judge`'s; nothing is decided here.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import dagster as dg

from hologram_dagster.defs.evidence_assets import paired_metadata
from hologram_dagster.evidence.check import GREEN, CheckResult, Severity
from hologram_dagster.evidence.judge import CHECKS
from hologram_dagster.evidence.rules import NO_REGRESSION
from hologram_dagster.gate.conclusion import judge_kind, newest_record
from hologram_dagster.gate.remembering import COMPARED
from hologram_dagster.gate.run import GateRun
from hologram_dagster.observation import Status
from hologram_dagster.resources.gate import GateResource


class GateFailed(dg.Failure):
    """A gate check is red: a verdict on the revision, not a breakdown of the gate."""

    def __init__(self, summary: str):
        super().__init__(description=summary, allow_retries=False)


def gate_checks(kind: str) -> dg.AssetChecksDefinition:
    """All gate checks of the evidence asset `kind`, as one step that fails the run if one is red."""
    specs = [
        dg.AssetCheckSpec(check.name, asset=kind, description=check.description) for check in CHECKS[kind]
    ]

    @dg.multi_asset_check(
        name=f"{kind}_gate", specs=specs, can_subset=True, description=f"Gate on {kind}: red fails the run."
    )
    def _gate(context: dg.AssetCheckExecutionContext, gate: GateResource) -> Iterator[dg.AssetCheckResult]:
        run = gate.open(context)
        asked = {key.name for key in context.selected_asset_check_keys}
        results = [result for result in judge_kind(run, kind) if result.check in asked]
        shown = _compared(run, kind)
        for result in results:
            yield as_dagster(run, result, shown if result.check == NO_REGRESSION else None)
        raise_if_red(kind, results)

    return _gate


def _compared(run: GateRun, kind: str) -> Mapping[str, dg.MetadataValue[Any]]:
    """The figures of a comparison, for the check that judges them; nothing for other kinds."""
    seen = newest_record(run, kind) if kind in COMPARED else None
    return paired_metadata(seen.values, seen.facts) if seen else {}


def raise_if_red(kind: str, results: Sequence[CheckResult]) -> None:
    """Raise `GateFailed` with one sentence if any check of error severity is not green."""
    red = [result for result in results if result.red]
    if red:
        causes = "; ".join(f"{result.check}: {result.message}" for result in red)
        raise GateFailed(f"{kind}: {len(red)} of {len(results)} checks failed: {causes}")


def as_dagster(
    run: GateRun, result: CheckResult, more: Mapping[str, dg.MetadataValue[Any]] | None = None
) -> dg.AssetCheckResult:
    """One check result in Dagster's form; the reason is metadata, too: the event log shows only that.

    `more` is metadata that the result itself does not hold.
    """
    metadata: dict[str, Any] = {
        "status": dg.MetadataValue.text(str(result.status)),
        "why": dg.MetadataValue.text(result.message),
        "commit": dg.MetadataValue.text(run.identity.revision.commit),
    }
    if result.check.startswith("p95_") and result.value is not None and result.limit:
        metadata["p95_ms"] = dg.MetadataValue.float(round(result.value, 3))
        metadata["p95_pct_of_budget"] = dg.MetadataValue.float(round(100 * result.value / result.limit, 1))
        metadata["budget"] = dg.MetadataValue.text(f"p95 <= {result.limit:g} ms")
    metadata.update(more or {})
    return dg.AssetCheckResult(
        asset_key=result.kind,
        check_name=result.check,
        # A warning is never shown as green, even where it is not red.
        passed=result.status in GREEN
        and (result.status is Status.PASSED or result.severity is Severity.ERROR),
        severity=(
            dg.AssetCheckSeverity.ERROR if result.severity is Severity.ERROR else dg.AssetCheckSeverity.WARN
        ),
        description=result.message,
        metadata=metadata,
    )
