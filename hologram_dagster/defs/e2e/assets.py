"""The end-to-end evidence: contract sections 3.2 (basic) and 3.3 (strict) against the real services."""

from functools import partial

import dagster as dg

from hologram_dagster.defs.evidence_assets import Scene, evidence_asset
from hologram_dagster.e2e.basic import install, publish, use
from hologram_dagster.e2e.load import LOAD, STRESS, Suite, observe_traffic
from hologram_dagster.e2e.load import METHOD as LOAD_METHOD
from hologram_dagster.e2e.strict import strict
from hologram_dagster.gate.conclusion import earlier_facts
from hologram_dagster.gate.disruption import unless_refused
from hologram_dagster.gate.services import event_log, open_services
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


def _observe_traffic(suite: Suite, scene: Scene) -> Observation:
    run = scene.run

    def observe() -> Observation:
        clients = partial(open_services, run, scene.stack.endpoints(run), suite=suite.name)
        logs = [event_log(run, suite.name), event_log(run, suite.name, suite.log_name)]
        with scene.measuring():
            return observe_traffic(suite, clients, run.plan.traffic[suite.kind], logs)

    return unless_refused(run.settings, suite.kind, LOAD_METHOD, observe)


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

_TRAFFIC = (
    "Whole operations at a fixed rate: a payload to IPFS, registered by name, resolved, read back and "
    "compared; all of it removed again. Only where the services may be disturbed. Red when an answer is "
    "wrong, or "
)


def _traffic_asset(suite: Suite, limits: str) -> dg.AssetsDefinition:
    return evidence_asset(
        kind=suite.kind,
        group="e2e",
        deps=[],
        kinds={"ipfs", "graphql"},
        method=LOAD_METHOD,
        description=_TRAFFIC + limits,
        observe=partial(_observe_traffic, suite),
        shown=("sent", "delivered", "throughput_mbps", "p99_latency_ms"),
    )


e2e_load = _traffic_asset(LOAD, "by delivery, throughput, p99 or errors (E2E_LOAD_*).")
e2e_stress = _traffic_asset(STRESS, "by delivery or throughput (E2E_STRESS_*).")

assets = [e2e_publish, e2e_install, e2e_use, e2e_strict, e2e_load, e2e_stress]
