"""The rules for evidence of chaos experiments. Beside `rules`, which has the rest."""

from collections.abc import Mapping

from hologram_dagster.evidence.check import NOTHING, Check, Outcome
from hologram_dagster.evidence.record import Record
from hologram_dagster.evidence.rules import CUT_SHORT, observed, step
from hologram_dagster.observation import Status
from hologram_dagster.profiles import Plan

_DELAYED = "Delay costs each round trip that is needed once, and no others."
_WITHIN = "With delay a resolve keeps its budget and what was injected."
_CALLED = "Every such failure was called what it is."

# Experiment -> what it must find, and what that means.
STEPS: Mapping[str, Mapping[str, str]] = {
    "chaos_ipfs_restart": {
        "recovery": "Publishing works again within 30 s of the kill.",
        "success": "More than 95 % of the operations outside the outage succeeded.",
        "nothing_lost": "Every acknowledged publication resolves, is pinned, and reads back.",
        "retries": "The client tried three times at most, with doubling delays.",
    },
    "chaos_gql_latency": {
        **{
            f"{operation}_{leg}_shift": _DELAYED
            for operation in ("resolve", "store")
            for leg in ("registry", "ipfs")
        },
        **{f"resolve_{leg}_budget": _WITHIN for leg in ("registry", "ipfs")},
    },
    "chaos_gql_backpressure": {
        **dict.fromkeys(
            ("crowd_of_5", "crowd_of_10", "crowd_of_20"),
            "At least 80 % of what so many clients ask at once is answered.",
        ),
        "accepted": "What the registry accepts keeps its budget, at every rate.",
        "refused": "What it refuses gets 503 and Retry-After.",
        "nothing_hangs": "Every request is served or refused.",
        "overloaded": "More arrived than could be served.",
    },
    "chaos_partial_failure": {
        "ipfs_down": "Without its node the registry reads names and refuses changes at once.",
        "ipfs_frozen": "With a node that answers nothing it reads names and ends changes in time.",
        "registry_down": "Without the registry content is there by its CID.",
        "database_locked": "With its database locked it reads names and refuses changes in time.",
        "node_stopped": "With one of three nodes stopped everything is there.",
    },
    "chaos_replication": {
        "replication_factor": "Every content is on three nodes, each asked with all others dead.",
        "one_gone": "With any one node dead everything reads and resolves.",
        "two_gone": "With any two of three dead, too.",
        "repaired": "A node that lost all it had is filled again within a minute.",
    },
    "chaos_region_failover": {
        "rto": "Clients are served by the other region within 30 s of the kill.",
        "failed_requests": "At most 5 % of the operations failed.",
        "failback": "Clients go back to the region once it serves again.",
        "nothing_lost": "Every acknowledged write is there afterwards.",
        "nothing_stale": "Nothing old was read.",
    },
    "chaos_heuristics": dict.fromkeys(
        ("timeout", "reset", "refused", "invalid_response", "corrupt_content", "overload"), _CALLED
    ),
}
# As many faults must have been seen to take hold, at least.
_FAULTS = {"chaos_gql_latency": 2, "chaos_partial_failure": 2, "chaos_heuristics": 6, "chaos_replication": 7}


def chaos_checks(kind: str) -> tuple[Check, ...]:
    """All checks of the experiment `kind`."""
    steps = STEPS[kind]
    return (
        observed(steps),
        faults_took_hold(_FAULTS.get(kind, 1)),
        *(step(name, description) for name, description in steps.items()),
    )


def faults_took_hold(least: int) -> Check:
    """The check that at least `least` faults were seen to take hold; without one nothing was tried."""

    def rule(record: Record, _: Plan) -> Outcome:
        seen = record.values.get("chaos_events")
        if record.status in CUT_SHORT or seen is None:
            return NOTHING
        message = f"{seen:g} faults took hold, at least {least} are needed"
        return Outcome(Status.PASSED if seen >= least else Status.FAILED, message, seen, least, "faults")

    return Check("faults_took_hold", "The faults were seen to take hold.", rule)
