"""The three kinds of supply-chain evidence, as observations: `sbom`, `vulnerabilities`, `provenance`."""

from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime
from importlib.metadata import distributions

from packaging.utils import canonicalize_name

from hologram_dagster.errors import FormatError
from hologram_dagster.evidence.supply_rules import LEVEL_OF_A_LOCAL_KEY
from hologram_dagster.observation import Artifact, Finding, Observation, Status
from hologram_dagster.supply_chain.audit import Vulnerability, audit
from hologram_dagster.supply_chain.bom import OWN_NAME, components_in, schema_fault
from hologram_dagster.supply_chain.locks import NPM, PYPI, Lock, Locked, merged
from hologram_dagster.supply_chain.statements import Sealed

SBOM, VULNERABILITIES, PROVENANCE = "sbom", "vulnerabilities", "provenance"
METHOD = "1"
_MOST_NAMED = 20

# Keeps a document under a name, for people and as evidence.
Keep = Callable[[str, bytes], Artifact]
MakeBom = Callable[[], bytes]


def observe_sbom(
    locks: Callable[[], Sequence[Lock]],
    target: Callable[[Sequence[Locked]], bytes],
    gate: MakeBom,
    keep: Keep,
) -> Observation:
    """The bills of the target, from its lock files, and of the gate; each is made twice and compared."""
    started_at = datetime.now(UTC)
    try:
        read = locks()
    except FormatError as error:
        found = (Finding("locks_read", Status.FAILED, str(error)),)
        return Observation(SBOM, Status.FAILED, METHOD, started_at, datetime.now(UTC), findings=found)
    packages = packages_of(read)
    bills = {"target": lambda: target(packages), "gate": gate}
    values: dict[str, float] = {}
    faults: list[str] = []
    changing: list[str] = []
    artifacts = []
    for name, make in bills.items():
        bill = make()
        if fault := schema_fault(bill):
            faults.append(f"{name}: {fault}")
            continue
        if make() != bill:
            changing.append(name)
        count, hashed = components_in(bill)
        values[f"{name}_components"] = count
        if count:
            values[f"{name}_hashed_pct"] = 100 * hashed / count
        artifacts.append(keep(f"{name}.cdx.json", bill))
    named = ", ".join(lock.path for lock in read)
    findings = (
        Finding("locks_read", Status.PASSED, f"read {named}" if named else "the revision has no lock file"),
        _finding("strict_valid", faults, "both are CycloneDX 1.6"),
        _finding("reproducible", changing, "both have the same bytes when made again"),
    )
    status = Status.FAILED if faults or changing else Status.PASSED
    facts = {"locks": named or "none"}
    return Observation(
        *(SBOM, status, METHOD, started_at, datetime.now(UTC), values, facts, findings, tuple(artifacts))
    )


def _finding(name: str, faults: Sequence[str], otherwise: str) -> Finding:
    return Finding(name, Status.FAILED if faults else Status.PASSED, "; ".join(faults) or otherwise)


def packages_of(locks: Sequence[Lock]) -> tuple[Locked, ...]:
    """All that the lock files pin, each version once."""
    return merged([item for lock in locks for item in lock.packages])


def installed_packages() -> tuple[Locked, ...]:
    """What is installed beside the gate, without itself."""
    own = canonicalize_name(OWN_NAME)
    named = {(canonicalize_name(each.metadata["Name"] or ""), each.version) for each in distributions()}
    return tuple(Locked(PYPI, name, version) for name, version in sorted(named) if name and name != own)


def observe_vulnerabilities(
    source: str | None, target: Collection[Locked], gate: Collection[Locked]
) -> Observation:
    """What `source` knows against the target's pinned packages and against the gate's installed ones.

    Raises:
        ServiceError: the source did not answer for every one of them.
    """
    started_at = datetime.now(UTC)
    facts = {"source": source or "none"}
    if source is None:
        return Observation(VULNERABILITIES, Status.PASSED, METHOD, started_at, datetime.now(UTC), facts=facts)
    asked = {
        "target": [item for item in target if item.ecosystem == PYPI and item.version],
        "gate": list(gate),
    }
    found = audit([*asked["target"], *asked["gate"]], source)
    values: dict[str, float] = {}
    findings = []
    for name, packages in asked.items():
        versions = {(item.name, item.version) for item in packages}
        known = [each for each in found if (each.name, each.version) in versions]
        values[f"{name}_audited"], values[f"{name}_vulnerabilities"] = len(versions), len(known)
        findings.append(Finding(f"{name}_not_vulnerable", *_told(known, len(versions))))
    values["target_not_audited"] = len(target) - len(asked["target"])
    of_npm = sum(item.ecosystem == NPM for item in target)
    facts["not_audited"] = f"{of_npm} npm packages: pip-audit reads Python's only" if of_npm else "none"
    status = Status.FAILED if values["target_vulnerabilities"] else Status.PASSED
    return Observation(
        *(VULNERABILITIES, status, METHOD, started_at, datetime.now(UTC), values, facts, tuple(findings))
    )


def _told(known: Sequence[Vulnerability], audited: int) -> tuple[Status, str]:
    if not known:
        return Status.PASSED, f"nothing is known against {audited} packages"
    more = f" and {len(known) - _MOST_NAMED} more" if len(known) > _MOST_NAMED else ""
    return Status.FAILED, "; ".join(str(each) for each in known[:_MOST_NAMED]) + more


def observe_provenance(
    seal: Callable[[], bytes],
    keep: Keep,
    *,
    required: Collection[str],
    locks: Sequence[Lock],
    evidence: Sequence[Sealed],
) -> Observation:
    """The signed provenance of the revision; evidence of the `required` kinds must be among its materials."""
    started_at = datetime.now(UTC)
    have = {each.name for each in evidence}
    missing = [kind for kind in required if f"evidence/{kind}" not in have]
    artifact = keep("provenance.sigstore.json", seal())
    findings = (
        _finding(
            "materials", [f"without the evidence {kind}" for kind in missing], "commit, locks and evidence"
        ),
    )
    return Observation(
        kind=PROVENANCE,
        status=Status.FAILED if missing else Status.PASSED,
        method=METHOD,
        started_at=started_at,
        finished_at=datetime.now(UTC),
        values={
            "evidence": len(evidence),
            "locks": len(locks),
            "locked_packages": len(packages_of(locks)),
        },
        facts={"level": LEVEL_OF_A_LOCAL_KEY, "signed_by": "local key"},
        findings=findings,
        artifacts=(artifact,),
    )
