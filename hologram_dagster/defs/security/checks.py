"""The check of what is rendered after the verdict, and so could not be evidence for it."""

from collections.abc import Iterator

import dagster as dg

from hologram_dagster.defs.gate_checks import as_dagster, raise_if_red
from hologram_dagster.gate.leaks import report_check
from hologram_dagster.resources.gate import GateResource, refusing


@dg.multi_asset_check(
    name="report_secrets",
    specs=[
        dg.AssetCheckSpec("no_secret", asset="report", description="The rendered reports hold no secret.")
    ],
    can_subset=True,
    description="Red fails the run; `hologram gate` then calls it inconclusive, whatever the verdict was.",
)
def report_secrets(
    context: dg.AssetCheckExecutionContext, gate: GateResource
) -> Iterator[dg.AssetCheckResult]:
    """Fail the run if the reports that it has rendered hold a secret."""
    run = gate.open(context)
    with refusing():
        result = report_check(run)
    yield as_dagster(run, result)
    raise_if_red("report", [result])


checks = [report_secrets]
