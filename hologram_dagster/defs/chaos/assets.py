"""The evidence of chaos experiments (`hologram_dagster.chaos`), each on a stack of its own."""

from functools import partial

import dagster as dg

from hologram_dagster.chaos.catalogue import CATALOGUE
from hologram_dagster.chaos.journal import METHOD
from hologram_dagster.defs.evidence_assets import Scene, evidence_asset
from hologram_dagster.gate.chaos import observe_chaos
from hologram_dagster.observation import Observation
from hologram_dagster.profiles import CHAOS, ProfileName

_SHOWN = ("chaos_events", "recovery_time_ms", "success_rate", "failure_rate")
# At night there is time for a median.
_KILLS = {ProfileName.NIGHTLY: 5}
_RULE = {
    "chaos_ipfs_restart": "Red when an acknowledged publication is lost or recovery takes over 30 s.",
    "chaos_gql_latency": "Red when delay costs more than 1.2 times its round trips, or breaks the budget.",
    "chaos_gql_backpressure": "Red when what is accepted breaks its budget, or anything hangs.",
    "chaos_partial_failure": "Red when what does not need the part fails, or what does hangs.",
    "chaos_replication": "Red when a content is on fewer than three nodes, or a lost copy is not made again.",
    "chaos_region_failover": "Red when a write is lost, anything old is read, or clients wait over 30 s.",
    "chaos_heuristics": "Red when one failure is called something else.",
}


def _observe(kind: str, scene: Scene) -> Observation:
    # It loads the host, and measures.
    with scene.measuring():
        return observe_chaos(scene.run, kind, repeats=_KILLS.get(scene.run.plan.profile.name, 1))


def _asset(kind: str) -> dg.AssetsDefinition:
    return evidence_asset(
        kind=kind,
        group="chaos",
        deps=[],
        kinds={"ipfs", "graphql"},
        method=METHOD,
        description=(
            f"{CATALOGUE[kind].title}. {_RULE[kind]} Without a witness that the fault took hold it is not "
            "decided. Journal: reports/chaos/journals."
        ),
        observe=partial(_observe, kind),
        shown=_SHOWN,
    )


assets = [_asset(kind) for kind in CHAOS]
