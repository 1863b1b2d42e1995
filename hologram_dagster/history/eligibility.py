"""May this revision become the baseline? The conditions of contract 2.6, in its order, as pure rules.

What belongs here: what is asked of a candidate, and why each refusal. What does not:
files and the ledger (`rolling`).

Where the contract's tool measured again and overwrote the baseline as it compared, these
rules only read what the gate has signed.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from hologram_dagster.errors import HologramError
from hologram_dagster.evidence.gathered import Stored
from hologram_dagster.evidence.record import Record
from hologram_dagster.evidence.verdict import KIND as VERDICT_KIND
from hologram_dagster.history.baseline import Baseline, Place
from hologram_dagster.observation import Status
from hologram_dagster.profiles import OPERATIONS, Override, ProfileName
from hologram_dagster.protocol.canonical import sha256_hex

MAIN_REF = "refs/heads/main"


@dataclass(frozen=True, slots=True)
class PairedResult:
    """One operation measured beside the baseline in force; `message` says how it came out.

    `stored`: that baseline cannot be run any more, so only its number could be looked at.
    """

    operation: str
    baseline_commit: str
    regressed: bool
    message: str
    stored: bool = False


@dataclass(frozen=True, slots=True)
class Candidate:
    """What is to become the baseline, and what speaks for it.

    `verdict` is the stored record of its main gate's verdict, `measurements` the perf
    records that verdict lists, `overrides` those of its run (in the ledger's entry of
    it), `comparisons` its operations against the baseline in force, `ref` the branch
    being built (`refs/heads/main`).
    """

    verdict: Stored
    measurements: Sequence[Record]
    overrides: Sequence[Override]
    comparisons: Sequence[PairedResult]
    ref: str | None


def must_be_main(candidate: Candidate) -> None:
    """Refuse a candidate that is not main as it is committed.

    Raises:
        HologramError: another branch, none, or uncommitted changes.
    """
    if candidate.ref != MAIN_REF:
        branch = candidate.ref or "no branch (a detached commit)"
        raise HologramError(f"a baseline is rolled forward on main only, not on {branch}: check out main.")
    if candidate.verdict.record.revision.dirty:
        raise HologramError(
            "the verdict is of a tree with uncommitted changes: commit them and gate main again."
        )


def must_be_green(candidate: Candidate, place: Place, trusted: Collection[str] | None = None) -> None:
    """Refuse a candidate whose main gate did not pass at `place`, by main's own budgets.

    `trusted` holds the key ids that may have signed the verdict; None lets any.

    Raises:
        HologramError: the verdict is not a passed one of profile main, of this
            environment and machine, not as it was signed, or rests on a looser budget.
    """
    record = candidate.verdict.record
    if record.kind != VERDICT_KIND or record.profile != ProfileName.MAIN:
        raise HologramError(
            f"a baseline needs the verdict of a main gate, not {record.kind} of profile {record.profile}: "
            "run hologram gate --profile main."
        )
    if fault := _fault(candidate.verdict, trusted):
        raise HologramError(f"the verdict {candidate.verdict.uri} is not what was signed: {fault}.")
    if record.status is not Status.PASSED:
        raise HologramError(
            f"the main gate of {record.revision.commit[:12]} is {record.status}, not passed ({record.why}): "
            "a baseline needs a green one."
        )
    if looser := [override.variable for override in candidate.overrides if override.looser]:
        raise HologramError(
            f"the main gate passed with {', '.join(looser)} looser than main's own: unset it and gate again."
        )
    if (seen := _place_of(record)) != place:
        raise HologramError(
            f"the main gate ran in {seen.environment} on machine {seen.machine}, the baseline to set is of "
            f"{place.environment} on machine {place.machine}: run the gate here."
        )


def numbers_of(candidate: Candidate, place: Place) -> dict[str, float]:
    """p95 in ms by `suite.metric`, from the measurements that the verdict rests on.

    Raises:
        HologramError: an operation has none, or two, or one that the verdict does not list.
    """
    listed = {artifact.sha256 for artifact in candidate.verdict.record.artifacts}
    by_kind: dict[str, Record] = {}
    for record in candidate.measurements:
        if sha256_hex(record.to_bytes()) not in listed:
            raise HologramError(f"the verdict does not rest on the {record.kind} of run {record.run_id}.")
        if record.kind in by_kind:
            raise HologramError(f"there are two measurements of {record.kind}: give those of one run.")
        if _place_of(record) != place:
            raise HologramError(f"{record.kind} was measured elsewhere: {_place_of(record)}.")
        by_kind[record.kind] = record
    wanted = [operation.kind for operation in OPERATIONS.values()]
    if missing := [kind for kind in wanted if kind not in by_kind]:
        raise HologramError(f"{', '.join(missing)} was not measured: a baseline has every operation's p95.")
    return dict(_number(by_kind[kind]) for kind in wanted)


def must_not_regress(candidate: Candidate, current: Baseline | None) -> None:
    """Refuse a candidate that was found slower than the baseline in force, or not compared with it.

    The gate compares with the commit before, and many small steps pass it; only the
    baseline in force shows their sum. Stored numbers are not compared: they are noise.

    Raises:
        HologramError: an operation regressed, or was not compared.
    """
    if current is None or current.commit == candidate.verdict.record.revision.commit:
        return
    against = [result for result in candidate.comparisons if result.baseline_commit == current.commit]
    if regressed := [result for result in against if result.regressed]:
        raise HologramError(
            f"slower than the baseline {current.commit[:12]}: "
            f"{'; '.join(f'{result.operation}: {result.message}' for result in regressed)}"
        )
    compared = {result.operation for result in against}
    if missing := [name for name in OPERATIONS if name not in compared]:
        raise HologramError(
            f"{', '.join(missing)} was not compared with the baseline in force, {current.commit[:12]}: run "
            f"hologram gate --profile main --baseline {current.commit[:12]}."
        )


def _fault(verdict: Stored, trusted: Collection[str] | None) -> str | None:
    proof = verdict.record.proof_chain
    if fault := verdict.record.check():
        return fault
    if verdict.sha256 != sha256_hex(verdict.record.to_bytes()):
        return "its digest is another's"
    if trusted is not None and proof.key_id not in trusted:
        return f"key {proof.key_id} is not trusted"
    return None


def _place_of(record: Record) -> Place:
    return Place(record.environment, record.machine.fingerprint)


def _number(record: Record) -> tuple[str, float]:
    key, value = record.facts.get("metric"), record.values.get("p95_ms")
    if record.status is not Status.PASSED or key is None or value is None:
        raise HologramError(
            f"the {record.kind} of run {record.run_id} has no p95: {record.why or record.status}."
        )
    return key, value
