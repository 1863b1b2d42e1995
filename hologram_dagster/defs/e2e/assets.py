"""The end-to-end evidence: contract sections 3.2 (basic) and 3.3 (strict) against the real services."""

from hologram_dagster.defs.evidence_assets import Scene, evidence_asset
from hologram_dagster.e2e.basic import install, publish, use
from hologram_dagster.e2e.strict import strict
from hologram_dagster.gate.conclusion import earlier_facts
from hologram_dagster.gate.services import open_services
from hologram_dagster.observation import Observation

METHOD = "1"


def _observe_publish(scene: Scene) -> Observation:
    with open_services(scene.run, scene.stack.endpoints(scene.run), suite="phase8") as services:
        return publish(services, app_name=scene.run.settings.e2e_app_name)


def _observe_install(scene: Scene) -> Observation:
    published = earlier_facts(scene.run, "e2e_publish")
    with open_services(scene.run, scene.stack.endpoints(scene.run), suite="phase8") as services:
        return install(services, name=published.get("name", ""), cid=published.get("cid", ""))


def _observe_use(scene: Scene) -> Observation:
    published = earlier_facts(scene.run, "e2e_publish")
    with open_services(scene.run, scene.stack.endpoints(scene.run), suite="phase8") as services:
        return use(
            services,
            name=published.get("name", ""),
            cid=published.get("cid", ""),
            sha256=published.get("sha256", ""),
        )


def _observe_strict(scene: Scene) -> Observation:
    with open_services(scene.run, scene.stack.endpoints(scene.run), suite="phase8_strict") as services:
        return strict(services)


e2e_publish = evidence_asset(
    kind="e2e_publish",
    group="e2e",
    deps=[],
    kinds={"ipfs", "graphql"},
    method=METHOD,
    description=(
        "Adds a manifest to IPFS, reads it back, sees a flipped byte change the CID, and publishes it "
        "by name. Red if any step fails or the registry names another CID."
    ),
    observe=_observe_publish,
)

e2e_install = evidence_asset(
    kind="e2e_install",
    group="e2e",
    deps=["e2e_publish"],
    kinds={"graphql"},
    method=METHOD,
    description="Installs what `e2e_publish` of this run published. Red if no variant installs it.",
    observe=_observe_install,
)

e2e_use = evidence_asset(
    kind="e2e_use",
    group="e2e",
    deps=["e2e_install"],
    kinds={"ipfs", "graphql"},
    method=METHOD,
    description=(
        "Resolves the name, checks that name and bytes are still the published ones, searches, uninstalls, "
        "and removes what the run made. Uninstall is best effort in dev and pr."
    ),
    observe=_observe_use,
)

e2e_strict = evidence_asset(
    kind="e2e_strict",
    group="e2e",
    deps=[],
    kinds={"ipfs", "graphql"},
    method=METHOD,
    description="Publish and resolve in the strict form: one way only, manifests and proofs checked.",
    observe=_observe_strict,
)

assets = [e2e_publish, e2e_install, e2e_use, e2e_strict]
