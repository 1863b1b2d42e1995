"""What a run says of its supply chain: the bills, the provenance, and the attestation of its verdict.

What belongs here: collecting what they state from the run, keeping them, and checking that
the attestation holds. What does not: their forms (`supply_chain`).
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from hologram_dagster.errors import HologramError
from hologram_dagster.evidence.check import CheckResult
from hologram_dagster.evidence.gathered import Stored
from hologram_dagster.evidence.record import iso
from hologram_dagster.evidence.run import run_json
from hologram_dagster.evidence.supply_rules import LEVEL_OF_A_LOCAL_KEY
from hologram_dagster.evidence.tail import find_data
from hologram_dagster.evidence.verdict import KIND as VERDICT
from hologram_dagster.evidence.verdict import Verdict
from hologram_dagster.evidence.verdict_record import recorded_word
from hologram_dagster.files import write_whole
from hologram_dagster.gate.run import GateRun
from hologram_dagster.observation import Artifact, Observation, Status
from hologram_dagster.protocol.canonical import sha256_hex
from hologram_dagster.secrets.redactor import redact_tree
from hologram_dagster.supply_chain.bom import gate_bom, target_bom
from hologram_dagster.supply_chain.bundle import open_bundle, public_pem, seal
from hologram_dagster.supply_chain.locks import Lock, Locked, is_lock, read_lock
from hologram_dagster.supply_chain.observing import (
    PROVENANCE,
    installed_packages,
    observe_provenance,
    observe_sbom,
    observe_vulnerabilities,
    packages_of,
)
from hologram_dagster.supply_chain.statements import (
    Made,
    Sealed,
    report_provenance,
    revision_digest,
    revision_provenance,
    verdict_summary,
)
from hologram_dagster.target.git import git
from hologram_dagster.target.revision import show_file, top_of

KIND = "attestation"
METHOD = "1"
FOLDER = "supply_chain"
OF_VERDICT, OF_REPORT = "verdict.sigstore.json", "report.sigstore.json"
PUBLIC_KEY = "public.pem"
LOCK_NAME = "requirements.lock"
# What the report's provenance is of.
_PUBLISHED = ("index.html", "junit.xml", "summary.md", "verdict.json")
CHECKS = {
    "signed": "The run's key signed both statements, and the files are those kept as evidence.",
    "covers": "The verdict's statement says what was concluded, of this tree and all its evidence.",
    "report": "The report's statement names the published files as they are.",
}


def own_lock() -> tuple[Locked, ...]:
    """What the gate's own lock pins: beside the package in a checkout, inside it when installed."""
    package = Path(__file__).resolve().parents[1]
    beside = package.parent / LOCK_NAME
    path = beside if beside.exists() else package / LOCK_NAME
    return read_lock(LOCK_NAME, path.read_bytes())


def locks_of(run: GateRun) -> tuple[Lock, ...]:
    """The lock files at the top of the revision, and those among its target's `dependencies`.

    Raises:
        FormatError: one cannot be read.
        HologramError: the revision cannot be.
    """
    named = run.policy.target.dependencies if run.policy.target else ()
    paths = sorted(filter(is_lock, {*_top_files(run), *named}))
    found = ((path, _content(run, path)) for path in paths)
    return tuple(
        Lock(path, sha256_hex(content), read_lock(path, content))
        for path, content in found
        if content is not None
    )


def _top_files(run: GateRun) -> list[str]:
    repository, revision = run.settings.repository, run.identity.revision
    if revision.dirty:
        return [path.name for path in top_of(repository).iterdir() if path.is_file()]
    listed = git(repository, "ls-tree", "-z", "--name-only", "--full-tree", revision.commit)
    return [name for name in listed.decode(errors="surrogateescape").split("\0") if name]


def _content(run: GateRun, path: str) -> bytes | None:
    repository, revision = run.settings.repository, run.identity.revision
    if not revision.dirty:
        return show_file(repository, revision.commit, path)
    file = top_of(repository) / path
    return file.read_bytes() if file.is_file() else None


def sbom(run: GateRun) -> Observation:
    """Evidence of kind `sbom`."""
    revision = run.identity.revision
    name = run.policy.target.name if run.policy.target else "target"
    return observe_sbom(
        partial(locks_of, run),
        lambda packages: target_bom(name, commit=revision.commit, tree=revision.tree, locked=packages),
        partial(gate_bom, own_lock()),
        partial(_keep, run),
    )


def vulnerabilities(run: GateRun) -> Observation:
    """Evidence of kind `vulnerabilities`."""
    return observe_vulnerabilities(
        run.settings.audit_source, packages_of(locks_of(run)), installed_packages()
    )


def provenance(run: GateRun) -> Observation:
    """Evidence of kind `provenance`: of the revision, with all other evidence among its materials."""
    kinds = [kind for kind in run.recorded.required if kind != PROVENANCE]
    locks = locks_of(run)
    gathered = run.evidence.gather_for(run.recorded, kinds, now=datetime.now(UTC))
    evidence = [Sealed(f"evidence/{each.record.kind}", each.sha256) for each in gathered.evidence]
    statement = revision_provenance(
        run.identity.revision,
        _made(run, datetime.now(UTC)),
        locks=[Sealed(lock.path, lock.sha256) for lock in locks],
        locked=packages_of(locks),
        evidence=evidence,
    )
    return observe_provenance(
        partial(_seal, run, statement), partial(_keep, run), required=kinds, locks=locks, evidence=evidence
    )


def _made(run: GateRun, finished_at: datetime) -> Made:
    return Made(
        run_id=run.identity.run_id,
        key_id=run.key_id,
        started_at=run.identity.started_at,
        finished_at=finished_at,
        profile=str(run.identity.profile),
        environment=str(run.identity.environment),
        plan=run_json(run.recorded)["plan"],
    )


def _seal(run: GateRun, statement: dict[str, Any]) -> bytes:
    return seal(redact_tree(statement), run.signer)


def _keep(run: GateRun, name: str, data: bytes) -> Artifact:
    path = run.evidence.store.put_artifact(data, name)
    write_whole(_folder(run) / name, data)
    return Artifact(run.evidence.store.uri(path), sha256_hex(data))


def _folder(run: GateRun) -> Path:
    return run.settings.reports_dir / FOLDER


def withdraw_attestation(run: GateRun) -> None:
    """Remove the statements on an earlier verdict: they are not of this run."""
    for name in (OF_VERDICT, OF_REPORT):
        (_folder(run) / name).unlink(missing_ok=True)


def attest(run: GateRun, verdict: Verdict) -> Stored:
    """State and sign what `verdict` says, and what the published files rest on; kept as evidence.

    Raises:
        HologramError: the verdict's record is not there, or nothing can be written.
    """
    withdraw_attestation(run)
    kept = _own(run, VERDICT)
    if kept is None or verdict.finished_at is None:
        raise HologramError("this run has no verdict to attest: run the gate, or materialize `verdict`.")
    made = _made(run, verdict.finished_at)
    evidence = [Sealed(f"evidence/{item.kind}", item.sha256) for item in verdict.evidence]
    evidence.append(Sealed(f"evidence/{VERDICT}", kept.sha256))
    proven = any(i.kind == PROVENANCE and i.status is Status.PASSED for i in verdict.evidence)
    levels = [f"HOLOGRAM_{made.profile.upper()}", *([LEVEL_OF_A_LOCAL_KEY] if proven else [])]
    of_report = report_provenance(
        verdict.revision,
        replace(made, finished_at=datetime.now(UTC)),
        files=_published(run),
        evidence=evidence,
    )
    statements = {
        OF_VERDICT: verdict_summary(verdict, made, evidence=evidence, levels=levels),
        OF_REPORT: of_report,
    }
    write_whole(_folder(run) / PUBLIC_KEY, public_pem(run.signer.public_hex))
    started_at = datetime.now(UTC)
    artifacts = tuple(_keep(run, name, _seal(run, each)) for name, each in statements.items())
    observation = Observation(
        kind=KIND,
        status=Status.PASSED,
        method=METHOD,
        started_at=started_at,
        finished_at=datetime.now(UTC),
        values={"evidence": len(evidence), "files": len(of_report["subject"])},
        facts={"verdict": str(verdict.verdict), "verdict_sha256": kept.sha256},
        artifacts=artifacts,
    )
    return run.evidence.add(observation, run.identity)


def _published(run: GateRun) -> list[Sealed]:
    paths = [(name, run.settings.reports_dir / name) for name in _PUBLISHED]
    return [Sealed(name, sha256_hex(path.read_bytes())) for name, path in paths if path.is_file()]


def _own(run: GateRun, kind: str) -> Stored | None:
    stored = run.evidence.gather(run.identity, [kind], now=datetime.now(UTC)).get(kind)
    return stored if stored is not None and stored.record.run_id == run.identity.run_id else None


def attestation_results(run: GateRun) -> list[CheckResult]:
    """What `CHECKS` find of this run's attestation, as it is published.

    Beside another run, which publishes in the same folder, as it was kept as evidence: what is published
    then may be that run's, and is that run's to attest.
    """
    kept, verdict = _own(run, KIND), _own(run, VERDICT)
    if kept is None or verdict is None:
        return _results(dict.fromkeys(CHECKS, "this run has no attestation, or no verdict"))
    faults = _faults(run, kept, verdict, lambda name, _: (_folder(run) / name).read_bytes())
    if any(faults.values()) and _beside_another(run):
        store = run.evidence.store
        faults = _faults(
            run, kept, verdict, lambda name, sha256: store.get(store.artifact_path(sha256, name))
        )
        faults["report"] = ""
    return _results(faults)


def _beside_another(run: GateRun) -> bool:
    """Whether another run has entered anything in the ledger since this one started."""
    entered = find_data(run.evidence.ledger.path, '"run_id"', since=iso(run.identity.started_at))
    return any(data.get("run_id") not in (None, run.identity.run_id) for data in entered)


def _faults(run: GateRun, kept: Stored, verdict: Stored, read: Callable[[str, str], bytes]) -> dict[str, str]:
    """What is wrong with both statements, by check; `read` gives a bundle by name and digest."""
    opened: dict[str, dict[str, Any]] = {}
    faults: list[str] = []
    for name, artifact in zip((OF_VERDICT, OF_REPORT), kept.record.artifacts, strict=True):
        try:
            data = read(name, artifact.sha256)
            opened[name] = open_bundle(data, run.signer.public_hex).statement
        except (OSError, HologramError) as error:
            faults.append(f"{name}: {error}")
            continue
        if sha256_hex(data) != artifact.sha256:
            faults.append(f"{name} is not the file that was kept as evidence")
    if len(opened) < len(CHECKS) - 1:
        return {**dict.fromkeys(CHECKS, "cannot be read"), "signed": "; ".join(faults)}
    return {
        "signed": "; ".join(faults),
        "covers": _not_covered(run, opened[OF_VERDICT], verdict),
        "report": _changed(run, opened[OF_REPORT]),
    }


def _results(faults: dict[str, str]) -> list[CheckResult]:
    return [
        CheckResult(Status.FAILED if fault else Status.PASSED, fault or CHECKS[name], kind=KIND, check=name)
        for name, fault in faults.items()
    ]


def _not_covered(run: GateRun, statement: dict[str, Any], verdict: Stored) -> str:
    said = statement["predicate"]["hologram_verdict"]["verdict"]
    if said != recorded_word(verdict.record):
        return f"it says {said}, and the run concluded {recorded_word(verdict.record)}"
    digests = [subject["digest"] for subject in statement["subject"]]
    if revision_digest(run.identity.revision) not in digests:
        return "it is not of this revision"
    wanted: Collection[str] = {verdict.sha256, *(artifact.sha256 for artifact in verdict.record.artifacts)}
    missing = set(wanted) - {digest.get("sha256") for digest in digests}
    return f"{len(missing)} of {len(wanted)} records are not among its subjects" if missing else ""


def _changed(run: GateRun, statement: dict[str, Any]) -> str:
    said = {subject["name"]: subject["digest"]["sha256"] for subject in statement["subject"]}
    there: Sequence[Sealed] = _published(run)
    changed = sorted({each.name for each in there if said.get(each.name) != each.sha256})
    missing = sorted(set(said) - {each.name for each in there})
    return "; ".join(
        f"{what}: {', '.join(names)}" for what, names in (("changed", changed), ("gone", missing)) if names
    )
