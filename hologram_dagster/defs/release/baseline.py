"""`baseline`: the roll-forward of the performance baseline, on purpose only, in a job of its own.

Part of no gate. "Materialize all" reaches it, too: there it leaves everything as it is and
the run's colour to the verdict; asked for alone, without a reason, it refuses.
"""

from collections.abc import Iterator

import dagster as dg

from hologram_dagster.defs.evidence_assets import OWNERS
from hologram_dagster.gate.baselines import roll_forward
from hologram_dagster.gate.tags import PROFILE_TAG, ROLL_FORWARD_TAG
from hologram_dagster.profiles import ProfileName
from hologram_dagster.resources.gate import GateRefused, GateResource, refusing

NAME = "baseline"
NOT_ASKED = (
    "a baseline moves on purpose only: say why, in the config of this asset "
    f"(ops: {NAME}: config: reason: ...) or in the run tag {ROLL_FORWARD_TAG}."
)


class RollForward(dg.Config):
    """Why the baseline moves; without it, it does not."""

    reason: str = ""


@dg.asset(
    name=NAME,
    group_name="release",
    deps=["verdict"],
    owners=OWNERS,
    kinds={"json"},
    code_version="1",
    output_required=False,
    description=(
        "Sets this revision and its numbers as the baseline in force of this environment and machine, after "
        "a green main gate. Only with a reason, in its config or in the run tag "
        f"`{ROLL_FORWARD_TAG}`; part of no gate."
    ),
)
def baseline(
    context: dg.AssetExecutionContext, config: RollForward, gate: GateResource
) -> Iterator[dg.MaterializeResult[None]]:
    """Roll the baseline forward if asked to."""
    reason = (config.reason or context.run.tags.get(ROLL_FORWARD_TAG, "")).strip()
    if not reason:
        if context.job_def.asset_layer.selected_asset_keys != {context.asset_key}:
            context.log.warning(f"left as it is: {NOT_ASKED}")
            return
        raise GateRefused(NOT_ASKED)
    with refusing():
        rolled = roll_forward(gate.open(context), reason=reason)
    for note in rolled.notes:
        context.log.warning(note)
    set_now = rolled.baseline
    yield dg.MaterializeResult(
        data_version=dg.DataVersion(set_now.verdict_sha256),
        metadata={
            "commit": set_now.commit,
            "reason": set_now.reason,
            "by": set_now.by,
            "backup": rolled.backup or "none",
            "verdict": dg.MetadataValue.path(set_now.verdict_uri),
            **{
                f"{key.replace('.', '_')}_p95": dg.MetadataValue.float(round(p95, 3))
                for key, p95 in sorted(set_now.numbers.items())
            },
        },
    )


baseline_roll_forward = dg.define_asset_job(
    "baseline_roll_forward",
    selection=dg.AssetSelection.assets(NAME),
    tags={PROFILE_TAG: str(ProfileName.MAIN)},
    description="Sets a revision that is green under main as the performance baseline. Needs a reason.",
)
