"""`verdict`, what renders it (`report`, `badge`, `job_summary`), and last `notification`.

They depend on the evidence assets, not on their checks, so that a red run is reported, too.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import dagster as dg

from hologram_dagster.defs.evidence_assets import OWNERS, gate_tags
from hologram_dagster.defs.gate_checks import as_dagster, raise_if_red
from hologram_dagster.gate.announcing import announce
from hologram_dagster.gate.conclusion import conclude_run, own_verdict, verdict_check
from hologram_dagster.gate.publishing import publish_badge, publish_report, publish_summary
from hologram_dagster.gate.run import GateRun
from hologram_dagster.profiles import EVIDENCE, ProfileName
from hologram_dagster.resources.gate import GateResource, refusing

GROUP = "release"
METHOD = "1"
_ALL = gate_tags(frozenset(ProfileName))


@dg.asset(
    group_name=GROUP,
    deps=["revision", *EVIDENCE],
    tags=_ALL,
    owners=OWNERS,
    kinds={"json"},
    code_version=METHOD,
    description=(
        "May this revision ship? Judges all required evidence: pass, fail or inconclusive, in "
        "`reports/verdict.json`. Missing evidence is never a pass."
    ),
)
def verdict(context: dg.AssetExecutionContext, gate: GateResource) -> dg.MaterializeResult[None]:
    """Conclude the run and keep the verdict as evidence."""
    run = gate.open(context)
    with refusing():
        concluded = conclude_run(run)
    return dg.MaterializeResult(
        data_version=dg.DataVersion(concluded.stored.sha256),
        metadata={
            "verdict": str(concluded.verdict.verdict),
            "broken": concluded.verdict.broken or "nothing",
            "after_fail": concluded.verdict.after_fail or "no",
            "commit": run.identity.revision.commit,
            "profile": str(run.plan.profile.name),
            "evidence": dg.MetadataValue.path(concluded.stored.uri),
        },
    )


@dg.multi_asset_check(
    name="verdict_gate",
    specs=[dg.AssetCheckSpec("gate", asset="verdict", description="Green only if the verdict is pass.")],
    can_subset=True,
    description="The last gate: red on fail and on inconclusive.",
)
def verdict_gate(context: dg.AssetCheckExecutionContext, gate: GateResource) -> Iterator[dg.AssetCheckResult]:
    """Fail the run unless the verdict of this run is pass."""
    run = gate.open(context)
    with refusing():
        result = verdict_check(run)
    yield as_dagster(run, result)
    raise_if_red("verdict", [result])


def _published(
    name: str, kind: str, description: str, publish: Callable[[GateRun], dict[str, Path]]
) -> dg.AssetsDefinition:
    """An asset that renders the verdict into files and computes nothing."""

    @dg.asset(
        name=name,
        group_name=GROUP,
        deps=["verdict"],
        tags=_ALL,
        owners=OWNERS,
        kinds={kind},
        code_version=METHOD,
        description=description,
    )
    def _asset(context: dg.AssetExecutionContext, gate: GateResource) -> dg.MaterializeResult[None]:
        with refusing():
            paths = publish(gate.open(context))
        return dg.MaterializeResult(
            metadata={name: dg.MetadataValue.path(path) for name, path in paths.items()}
        )

    return _asset


report = _published(
    "report",
    "html",
    "`reports/index.html`: the verdict, its reasons, and the panels; kept in `reports/past`, too. The same "
    "in `junit.xml`, and as OpenMetrics in `metrics.prom`.",
    publish_report,
)

badge = _published(
    "badge", "json", "The status badge as HTML, Markdown and JSON, from the verdict.", publish_badge
)

job_summary = _published(
    "job_summary",
    "markdown",
    "The job summary in `reports/summary.md`, appended to `$GITHUB_STEP_SUMMARY` where set.",
    publish_summary,
)


@dg.asset(
    group_name=GROUP,
    deps=["report", "badge", "job_summary", "attestation"],
    tags=_ALL,
    owners=OWNERS,
    kinds={"slack", "microsoftteams"},
    code_version=METHOD,
    description=(
        "Tells of the verdict, once a run, when everything else is there: Slack, Teams, Apprise, and the "
        "commit status on GitHub or GitLab. What could not be delivered changes no verdict."
    ),
)
def notification(context: dg.AssetExecutionContext, gate: GateResource) -> dg.MaterializeResult[None]:
    """Announce what this run concluded to whom the settings name."""
    run = gate.open(context)
    with refusing():
        concluded = own_verdict(run)
    deliveries = announce(run, concluded) if concluded else ()
    for delivery in deliveries:
        if not delivery.delivered:
            context.log.warning(f"{delivery.channel}: {delivery.detail}")
    told = {delivery.channel: delivery.detail for delivery in deliveries}
    return dg.MaterializeResult(metadata=told or {"told": "nobody: no verdict of this run, or no settings"})


assets = [verdict, report, badge, job_summary, notification]
