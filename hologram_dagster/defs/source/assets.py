"""`revision`: the first step of a gate run; names what is judged and leaves no stale green."""

import dagster as dg

from hologram_dagster.defs.evidence_assets import OWNERS, gate_tags
from hologram_dagster.defs.external import TARGET_REPOSITORY, repository_seen
from hologram_dagster.gate.publishing import start_run
from hologram_dagster.gate.tags import COMMIT_TAG, ENVIRONMENT_TAG, ORIGIN_TAG, PROFILE_TAG
from hologram_dagster.profiles import ProfileName
from hologram_dagster.resources.gate import GateResource, refusing


@dg.asset(
    group_name="source",
    deps=[TARGET_REPOSITORY],
    tags=gate_tags(frozenset(ProfileName)),
    owners=OWNERS,
    kinds={"git"},
    code_version="1",
    description=(
        "The revision under test: commit, tree digest, dirtiness. Its data version is the tree digest. "
        "Starts the gate run: `reports/verdict.json` says `inconclusive`, `running` from here on, "
        "and so do report and badge."
    ),
)
def revision(context: dg.AssetExecutionContext, gate: GateResource) -> dg.MaterializeResult[None]:
    """Identify the revision, tag the run with it, and record that this run has started."""
    run = gate.open(context)
    with refusing():
        start_run(run)
    seen = run.identity.revision
    # The command line cannot tag a run; the run tags itself, so that the UI can filter by commit.
    context.instance.add_run_tags(
        context.run_id,
        {
            COMMIT_TAG: seen.commit,
            PROFILE_TAG: str(run.plan.profile.name),
            ENVIRONMENT_TAG: str(run.settings.environment),
        },
    )
    origin = context.run.tags.get(ORIGIN_TAG) or str(run.settings.repository.resolve())
    context.log_event(repository_seen(origin, seen.commit))
    return dg.MaterializeResult(
        data_version=dg.DataVersion(seen.tree),
        metadata={
            "commit": seen.commit,
            "tree": seen.tree,
            "dirty": dg.MetadataValue.bool(seen.dirty),
            "ref": seen.ref or "none",
            "baseline": run.identity.baseline_commit or "none",
            "baseline_rule": run.identity.baseline_rule or "none",
            "profile": str(run.plan.profile.name),
            "environment": str(run.settings.environment),
        },
    )
