"""Before the verdict `sbom`, `vulnerabilities` and `provenance`; after it `attestation`, with a gate."""

from collections.abc import Iterator

import dagster as dg

from hologram_dagster.defs.evidence_assets import OWNERS, evidence_asset, gate_tags
from hologram_dagster.defs.gate_checks import as_dagster, raise_if_red
from hologram_dagster.errors import HologramError
from hologram_dagster.gate import vouching
from hologram_dagster.gate.conclusion import own_verdict
from hologram_dagster.profiles import EVIDENCE, ProfileName
from hologram_dagster.resources.gate import GateResource, refusing

GROUP = "supply_chain"

sbom = evidence_asset(
    kind="sbom",
    group=GROUP,
    deps=[],
    kinds={"json"},
    method="1",
    description=(
        "Bills of materials, CycloneDX 1.6: of the target, from its lock files, and of the gate. Red if one "
        "is not valid by the strict schema or is not the same bytes when made again."
    ),
    observe=lambda scene: vouching.sbom(scene.run),
    shown=("target_components", "target_hashed_pct", "gate_components", "gate_hashed_pct"),
)

vulnerabilities = evidence_asset(
    kind="vulnerabilities",
    group=GROUP,
    deps=["sbom"],
    kinds={"python"},
    method="1",
    description=(
        "What `HOLOGRAM_AUDIT_SOURCE` knows against the target's pinned packages (red) and the gate's own (a "
        "warning). Without a source a warning, `not audited`; never green."
    ),
    observe=lambda scene: vouching.vulnerabilities(scene.run),
    shown=("target_audited", "target_vulnerabilities", "gate_audited", "gate_vulnerabilities"),
)

provenance = evidence_asset(
    kind="provenance",
    group=GROUP,
    deps=[kind for kind in EVIDENCE if kind != "provenance"],
    kinds={"json"},
    method="1",
    description=(
        "SLSA provenance of the revision, signed: its commit, lock files and all evidence gathered. Build "
        "L1, as the key is a local one."
    ),
    observe=lambda scene: vouching.provenance(scene.run),
    shown=("evidence", "locks", "locked_packages"),
)


@dg.asset(
    group_name=GROUP,
    deps=["verdict", "report", "badge", "job_summary"],
    tags=gate_tags(frozenset(ProfileName)),
    owners=OWNERS,
    kinds={"json"},
    code_version=vouching.METHOD,
    description=(
        "The verdict, signed, over the revision's tree and all evidence, and the report's provenance: "
        "`reports/supply_chain/verdict.sigstore.json` and `report.sigstore.json`, which cosign reads."
    ),
)
def attestation(context: dg.AssetExecutionContext, gate: GateResource) -> dg.MaterializeResult[None]:
    """State and sign what this run concluded."""
    run = gate.open(context)
    with refusing():
        concluded = own_verdict(run)
        if concluded is None:
            raise HologramError("this run has no verdict to attest: materialize `verdict` in the same run.")
        stored = vouching.attest(run, concluded)
    return dg.MaterializeResult(
        data_version=dg.DataVersion(stored.sha256),
        metadata={
            "verdict": str(concluded.verdict),
            "key": run.key_id,
            "evidence": dg.MetadataValue.path(stored.uri),
            "published": dg.MetadataValue.path(run.settings.reports_dir / vouching.FOLDER),
        },
    )


@dg.multi_asset_check(
    name="attestation_gate",
    specs=[
        dg.AssetCheckSpec(name, asset="attestation", description=description)
        for name, description in vouching.CHECKS.items()
    ],
    can_subset=True,
    description="Gate on the attestation: red if a stranger could not verify what was published.",
)
def attestation_gate(
    context: dg.AssetCheckExecutionContext, gate: GateResource
) -> Iterator[dg.AssetCheckResult]:
    """Verify the published statements as a stranger would."""
    run = gate.open(context)
    asked = {key.name for key in context.selected_asset_check_keys}
    results = [result for result in vouching.attestation_results(run) if result.check in asked]
    for result in results:
        yield as_dagster(run, result)
    raise_if_red("attestation", results)


assets = [sbom, vulnerabilities, provenance, attestation]
