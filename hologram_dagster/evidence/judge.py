"""Which checks each kind of evidence has, and judging a record by them.

What belongs here: the table. What does not: the rules themselves (`rules`), what
follows from the results (`verdict`).
"""

from collections.abc import Mapping
from dataclasses import asdict

from hologram_dagster.evidence.chaos_rules import chaos_checks
from hologram_dagster.evidence.check import NOTHING, Check, CheckResult, Outcome, Severity
from hologram_dagster.evidence.flake_rules import (
    attempts_recorded,
    flake_rate_within_limit,
    no_broken_entry,
    no_new_flake,
    nothing_broken,
    nothing_expired,
    quarantine_within_limits,
)
from hologram_dagster.evidence.gathered import Gathered
from hologram_dagster.evidence.load_rules import (
    all_timed,
    delivery,
    errors,
    load_complete,
    p95_under_load,
    p99_within_limit,
    send_lag,
    throughput,
    traffic_complete,
)
from hologram_dagster.evidence.record import Record
from hologram_dagster.evidence.rules import (
    evidence_complete,
    no_regression,
    observed,
    p95_within_budget,
    step,
)
from hologram_dagster.evidence.supply_rules import (
    audited,
    gate_hashed,
    gate_not_vulnerable,
    level_holds,
    target_hashed,
    target_not_vulnerable,
)
from hologram_dagster.observation import Status
from hologram_dagster.profiles import CHAOS, DRIFTS, OPERATIONS, REGRESSIONS, TRAFFIC, Operation, Plan

__all__ = ["CHECKS", "Check", "CheckResult", "Severity", "judge", "judge_gathered"]

_STEPS = {
    "perf_self_test": {
        "no_false_alarm": "A worker beside itself is not found slower.",
        "slowdown_found": "A worker that is 20 % slower by real work is found slower.",
    },
    "e2e_publish": {
        "ipfs_publish": "The manifest is added to IPFS, pinned, and read back byte for byte.",
        "ipfs_publish_tampered": "One flipped byte changes the CID.",
        "marketplace_publish": "The registry publishes the name with that CID.",
    },
    "e2e_install": {"marketplace_install": "What was published can be installed."},
    "e2e_use": {
        "resolve": "The name resolves, and its bytes are still the published ones.",
        "search": "The registry finds the app by the first part of its name.",
        "uninstall": "The app can be uninstalled.",
    },
    "e2e_strict": {
        "ipfs_add_file": "The file is added to IPFS and read back.",
        "ipfs_add_manifest": "The manifest is added under a CID of its own.",
        "publishApp": "The registry publishes name, CID, manifest and digest in the strict form.",
        "resolve": "The name resolves to the same CIDs, with an encoding, a Merkle root and witnesses.",
        "tamper_manifest": "A changed manifest has another CID.",
        "resolve_repeat": "A second resolve gives the same answer.",
    },
    "ctp96_replay": {
        "replay": "An operation is done once: not again at once, elsewhere, after many more or a restart.",
        "window": "What is expired or from the future is refused, and clocks may differ a little.",
        "tampered": "A change in any field is refused, and does not spend the genuine operation.",
        "forged": "What was made without the keys is refused.",
        "race": "Of copies that race exactly one is done.",
        "flood": "A flood of forged frames is refused, and honest operations are done meanwhile.",
    },
    "proof_chain": {
        "missing": "A mutation without a proof is refused, whichever it is.",
        "stranger": "A proof by a stranger's, a retired or a revoked key is refused.",
        "content": "A proof of other content, of another mutation or of another sending is refused.",
        "chain": "A name's proof chain that is cut, or ends in another's, does not verify.",
        "ledger": "An operation taken out, swapped, changed or forged in the registry's ledger is found.",
    },
    "access_control": {
        "tokens": "A mutation without a token, or with a wrong, expired or lesser one, is refused.",
        "protected": "Protected names are read by who has a token and changed by admins alone.",
        "graphql": "Queries that nest, alias or cost too much, and batches, are refused; honest ones pass.",
        "manifests": "Manifests that lie, or that readers would read differently, are refused.",
        "names": "Names that deceive are refused; those that are only odd come back as they were.",
    },
    "secrets_scan": {
        "tree_clean": "No file of the revision holds a secret that was not accepted before.",
        "commits_clean": "No new commit added one, even if a later one took it out again.",
        "outputs_clean": "Nothing that this run wrote or logged holds one.",
    },
}


_BOM_STEPS = {
    "locks_read": "The lock files of the revision can be read.",
    "strict_valid": "Both bills of materials are CycloneDX 1.6 by the strict schema.",
    "reproducible": "Both bills have the same bytes when they are made again.",
}
_RIGHT = "Every answer was the right one."


def _perf(operation: Operation) -> tuple[Check, ...]:
    return (
        observed({"answers_correct"}),
        p95_within_budget(operation),
        step("answers_correct", _RIGHT),
        evidence_complete(operation.name, has_payload=operation.suite == "core"),
    )


def _traffic(kind: str) -> tuple[Check, ...]:
    return (
        observed({"answers_correct"}),
        step("answers_correct", "No operation got other bytes or another CID than it published."),
        delivery(kind),
        throughput(kind),
        *((p99_within_limit(kind),) if TRAFFIC[kind].below_p99_ms else ()),
        *((errors(kind),) if TRAFFIC[kind].below_errors else ()),
        traffic_complete(kind),
    )


# Evidence kind -> its checks; `observed` comes first.
CHECKS: Mapping[str, tuple[Check, ...]] = {
    **{operation.kind: _perf(operation) for operation in OPERATIONS.values()},
    **{
        kind: (observed({"no_regression"}), no_regression(name))
        for kinds in (REGRESSIONS, DRIFTS)
        for name, kind in kinds.items()
    },
    "perf_load": (
        observed({"answers_correct"}),
        step("answers_correct", _RIGHT),
        send_lag(),
        p95_under_load(),
        load_complete(),
    ),
    "perf_cold_warm": (
        observed(OPERATIONS),
        *(
            step(name, f"`{name}` was answered right, by a fresh process and by a warm one.")
            for name in OPERATIONS
        ),
        all_timed(),
    ),
    **{kind: _traffic(kind) for kind in TRAFFIC},
    **{kind: chaos_checks(kind) for kind in CHAOS},
    "test_attempts": (observed(()), attempts_recorded()),
    "flake_database": (
        observed({"exported"}),
        step("exported", "Every test was judged, and the flake database written."),
    ),
    "flake_detection": (
        observed(()),
        no_new_flake(),
        flake_rate_within_limit(),
        nothing_broken(),
    ),
    "quarantine": (
        observed({"well_formed"}),
        step("well_formed", "The quarantine is in its form, every entry with owner, reason, ticket, expiry."),
        nothing_expired(),
        quarantine_within_limits(),
        no_broken_entry(),
    ),
    "sbom": (
        observed(_BOM_STEPS),
        *(step(name, description) for name, description in _BOM_STEPS.items()),
        target_hashed(),
        gate_hashed(),
    ),
    "vulnerabilities": (audited(), target_not_vulnerable(), gate_not_vulnerable()),
    "provenance": (
        observed({"materials"}),
        step("materials", "Its materials are the commit, the lock files and all evidence."),
        level_holds(),
    ),
    **{
        kind: (observed(steps), *(step(name, description) for name, description in steps.items()))
        for kind, steps in _STEPS.items()
    },
}


def judge(record: Record, plan: Plan) -> list[CheckResult]:
    """One result for each check of the record's kind, in the order of `CHECKS`.

    A check that finds nothing to judge is red, unless another is red already: a cause is
    told once. Pure: no clock, no files.

    Raises:
        KeyError: no checks are written for this kind, so nothing may pass for it.
    """
    checks = CHECKS[record.kind]
    if record.status is Status.NOT_APPLICABLE:
        outcomes = [checks[0].rule(record, plan), *(NOTHING for _ in checks[1:])]
        cause: str | None = outcomes[0].message
    else:
        outcomes = [check.rule(record, plan) for check in checks]
        cause = next(
            (outcome.message for outcome in outcomes if outcome.red and outcome is not NOTHING), None
        )
    if cause is not None:
        skipped = Outcome(Status.NOT_APPLICABLE, f"not judged: {cause}")
        outcomes = [skipped if outcome is NOTHING else outcome for outcome in outcomes]
    return [_result(record.kind, check, outcome) for check, outcome in zip(checks, outcomes, strict=True)]


def judge_gathered(kind: str, gathered: Gathered, plan: Plan) -> list[CheckResult]:
    """The results for `kind`, whatever was gathered: where no record counts, every check is red.

    Raises:
        KeyError: no checks are written for this kind.
    """
    fault = gathered.fault(kind)
    stored = gathered.get(kind)
    if fault is None and stored is not None:
        return judge(stored.record, plan)
    outcome = (
        Outcome(fault.status, fault.message)
        if fault
        else Outcome(Status.FAILED, "there is no fresh evidence")
    )
    return [_result(kind, check, outcome) for check in CHECKS[kind]]


def _result(kind: str, check: Check, outcome: Outcome) -> CheckResult:
    return CheckResult(kind=kind, check=check.name, **asdict(outcome))
