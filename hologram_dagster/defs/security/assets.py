"""The evidence on security: attacks on the registry, and secrets that were written down."""

from dagster import AssetsDefinition

from hologram_dagster.defs.evidence_assets import Scene, evidence_asset
from hologram_dagster.gate import attacking
from hologram_dagster.gate.leaks import KIND, METHOD, scan_run
from hologram_dagster.observation import Observation
from hologram_dagster.profiles import ACCESS, CTP96, EVIDENCE, PROOFS


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


def _attack(kind: str, description: str) -> AssetsDefinition:
    def observe(scene: Scene) -> Observation:
        # It loads the host.
        with scene.measuring():
            return attacking.observe(kind, scene.run, scene.stack.endpoints(scene.run))

    return evidence_asset(
        kind=kind,
        group="security",
        deps=[],
        kinds={"graphql"},
        method=attacking.METHOD,
        description=f"{description} Red when one attack ends otherwise than it must.",
        observe=observe,
        shown=("cases", "wrong"),
    )


_ATTACKS = {
    CTP96: (
        "Attacks the registry over HTTP: replays, expired and changed operations, forged frames and proofs, "
        "races, a flood."
    ),
    PROOFS: (
        "Sends every mutation without a proof, with a stranger's, and with one of something else; cuts, "
        "swaps and forges what the registry noted."
    ),
    ACCESS: (
        "Tries every mutation and protected name without a token and with wrong, expired and lesser ones; "
        "sends hostile queries, manifests and names."
    ),
}

assets = [*(_attack(kind, description) for kind, description in _ATTACKS.items()), secrets_scan]
