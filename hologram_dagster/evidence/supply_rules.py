"""The rules for supply-chain evidence. Beside `rules`, which has the rest."""

from collections.abc import Callable

from hologram_dagster.evidence.check import NOTHING, Check, Outcome, Severity
from hologram_dagster.evidence.record import Record
from hologram_dagster.evidence.rules import CUT_SHORT, OBSERVED, figure, observed, step
from hologram_dagster.observation import Status
from hologram_dagster.profiles import Plan

# Of the gate's own components, the share that has its artifact's hash.
LEAST_HASHED_PCT = 95
# Whoever runs the gate holds its key, so no higher level holds (SLSA 1.1, Build track).
LEVEL_OF_A_LOCAL_KEY = "SLSA_BUILD_LEVEL_1"
NOT_AUDITED = "not audited: no source is configured (HOLOGRAM_AUDIT_SOURCE)"
_FOUND = ("target_not_vulnerable", "gate_not_vulnerable")


def gate_hashed() -> Check:
    """The check, a warning, that the gate's own components have hashes from its lock."""

    def rule(record: Record, plan: Plan) -> Outcome:
        share = record.values.get("gate_hashed_pct")
        if share is None:
            return NOTHING
        message = f"{figure(share)} % of the gate's components have a hash"
        if share < LEAST_HASHED_PCT:
            message += ": install it from its requirements.lock"
        status = Status.PASSED if share >= LEAST_HASHED_PCT else Status.FAILED
        return Outcome(status, message, share, LEAST_HASHED_PCT, "%", Severity.WARN)

    return Check("gate_hashed", "The gate's own components have hashes from its lock.", rule)


def target_hashed() -> Check:
    """The check, a warning, that what the target's lock files pin has hashes; without locks, that is said."""

    def rule(record: Record, plan: Plan) -> Outcome:
        share = record.values.get("target_hashed_pct")
        if "target_components" not in record.values:
            return NOTHING
        if share is None:
            why = "the target has no lock file, so nothing is known of its components"
            return Outcome(Status.NOT_APPLICABLE, why, severity=Severity.WARN)
        status = Status.PASSED if share >= LEAST_HASHED_PCT else Status.NOT_APPLICABLE
        message = f"{figure(share)} % of the target's components have a hash"
        return Outcome(status, message, share, LEAST_HASHED_PCT, "%", Severity.WARN)

    return Check("target_hashed", "What the target's lock files pin has hashes.", rule)


def _unless_unaudited(name: str, description: str, rule: Callable[[Record, Plan], Outcome]) -> Check:
    def guarded(record: Record, plan: Plan) -> Outcome:
        if record.status is Status.PASSED and record.facts.get("source") == "none":
            return Outcome(Status.NOT_APPLICABLE, NOT_AUDITED, severity=Severity.WARN)
        return rule(record, plan)

    return Check(name, description, guarded)


def audited() -> Check:
    """The check that an audit was made; a warning, and never green, where no source is configured."""
    observing = observed(_FOUND)
    return _unless_unaudited(OBSERVED, "A configured source was asked for vulnerabilities.", observing.rule)


def target_not_vulnerable() -> Check:
    """The check that nothing is known against the target's pinned packages."""
    found = step("target_not_vulnerable", "Nothing is known against the target's pinned packages.")
    return _unless_unaudited(found.name, found.description, found.rule)


def gate_not_vulnerable() -> Check:
    """The check, a warning, that nothing is known against the gate's own packages: no fault of the target."""
    found = step("gate_not_vulnerable", "Nothing is known against the gate's own packages.")

    def rule(record: Record, plan: Plan) -> Outcome:
        outcome = found.rule(record, plan)
        if outcome is NOTHING:
            return outcome
        return Outcome(outcome.status, outcome.message, severity=Severity.WARN)

    return _unless_unaudited(found.name, found.description, rule)


def level_holds() -> Check:
    """The check that the provenance claims the level that its key allows, no other."""

    def rule(record: Record, plan: Plan) -> Outcome:
        level = record.facts.get("level")
        if record.status in CUT_SHORT:
            return NOTHING
        if level is None:
            return Outcome(Status.FAILED, "no level is claimed")
        if level != LEVEL_OF_A_LOCAL_KEY:
            return Outcome(Status.FAILED, f"claims {level}; a local key makes it {LEVEL_OF_A_LOCAL_KEY}")
        return Outcome(Status.PASSED, f"{level}, as a local key makes it")

    return Check("level_holds", "The level claimed is the one that holds.", rule)
