"""The evidence on secrets: in the revision, in its new commits, in what the run itself wrote."""

from hologram_dagster.defs.evidence_assets import Scene, evidence_asset
from hologram_dagster.gate.leaks import KIND, METHOD, scan_run
from hologram_dagster.observation import Observation
from hologram_dagster.profiles import EVIDENCE


def _observe_secrets(scene: Scene) -> Observation:
    return scan_run(scene.run, scene.logged)


secrets_scan = evidence_asset(
    kind=KIND,
    group="security",
    # Last of all evidence but the provenance, which names it: it reads what the others wrote and logged.
    deps=[kind for kind in EVIDENCE if kind not in {KIND, "provenance"}],
    kinds={"git"},
    method=METHOD,
    description=(
        "Looks for secrets in the revision's files, in what its new commits added, and in what this run "
        "wrote: reports, evidence, logs. Red if there is one that was not accepted before."
    ),
    observe=_observe_secrets,
    shown=("files", "commits", "outputs", "secrets", "accepted"),
)

assets = [secrets_scan]
