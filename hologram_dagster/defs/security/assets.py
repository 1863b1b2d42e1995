"""The evidence on security: attacks on the registry, and secrets that were written down."""

from hologram_dagster.defs.evidence_assets import Scene, evidence_asset
from hologram_dagster.gate import attacking
from hologram_dagster.gate.leaks import KIND, METHOD, scan_run
from hologram_dagster.observation import Observation
from hologram_dagster.profiles import CTP96, EVIDENCE


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


def _attack(scene: Scene) -> Observation:
    # It loads the host.
    with scene.measuring():
        return attacking.observe_ctp96(scene.run, scene.stack.endpoints(scene.run))


ctp96_replay = evidence_asset(
    kind=CTP96,
    group="security",
    deps=[],
    kinds={"graphql"},
    method=attacking.METHOD,
    description=(
        "Attacks the registry over HTTP: replays, expired and changed operations, forged frames and proofs, "
        "races, a flood. Red when one of them ends otherwise than it must."
    ),
    observe=_attack,
    shown=("cases", "wrong"),
)

assets = [ctp96_replay, secrets_scan]
