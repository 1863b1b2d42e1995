"""In-toto statements (v1) of what the gate knows: provenance, and the verdict.

What belongs here: their form, as pure functions of what they state. What does not:
collecting it (`gate.vouching`), signing it (`bundle`). Forms: in-toto Statement v1, SLSA
Provenance v1, SLSA Verification Summary v1. Nothing in them names a host or a local path.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

from hologram_dagster.evidence.document import Verdict, Word
from hologram_dagster.supply_chain.locks import Locked
from hologram_dagster.target.revision import Revision

STATEMENT = "https://in-toto.io/Statement/v1"
PROVENANCE = "https://slsa.dev/provenance/v1"
SUMMARY = "https://slsa.dev/verification_summary/v1"
GATE = "urn:hologram:gate"
REVISION_BUILD = "urn:hologram:build:revision:v1"
REPORT_BUILD = "urn:hologram:build:report:v1"

Descriptor = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Sealed:
    """A file or record that a statement is about or rests on; `sha256` (hex) is that of its bytes."""

    name: str
    sha256: str

    @property
    def descriptor(self) -> Descriptor:
        """As an in-toto resource descriptor."""
        return {"name": self.name, "digest": {"sha256": self.sha256}}


@dataclass(frozen=True, slots=True)
class Made:
    """Which run made something, between which times, by which plan, and with which key."""

    run_id: str
    key_id: str
    started_at: datetime
    finished_at: datetime
    profile: str
    environment: str
    plan: Mapping[str, Any]


def revision_uri(revision: Revision) -> str:
    """The revision's intrinsic identifier (SWHID, ISO/IEC 18670): its commit's, else its files'."""
    return f"swh:1:dir:{revision.tree}" if revision.dirty else f"swh:1:rev:{revision.commit}"


def revision_digest(revision: Revision) -> dict[str, str]:
    """The digest set of the revision; uncommitted changes have no commit."""
    tree = {"gitTree": revision.tree}
    return tree if revision.dirty else {**tree, "gitCommit": revision.commit}


def revision_provenance(
    revision: Revision,
    made: Made,
    *,
    locks: Sequence[Sealed],
    locked: Sequence[Locked],
    evidence: Sequence[Sealed],
) -> dict[str, Any]:
    """The provenance of a revision as the gate judged it.

    Materials are its commit, the lock files with what they pin, and the evidence gathered.
    """
    subject = {"name": "revision", "digest": revision_digest(revision)}
    materials = [
        {"name": "revision", "uri": revision_uri(revision), "digest": revision_digest(revision)},
        *(each.descriptor for each in locks),
        *(_package(item) for item in locked),
        *(each.descriptor for each in evidence),
    ]
    return _provenance([subject], made, build_type=REVISION_BUILD, materials=materials)


def report_provenance(
    revision: Revision, made: Made, *, files: Sequence[Sealed], evidence: Sequence[Sealed]
) -> dict[str, Any]:
    """The provenance of the published files: from which evidence, of which revision."""
    materials = [
        {"name": "revision", "uri": revision_uri(revision), "digest": revision_digest(revision)},
        *(each.descriptor for each in evidence),
    ]
    subjects = [each.descriptor for each in files]
    return _provenance(subjects, made, build_type=REPORT_BUILD, materials=materials)


def verdict_summary(
    verdict: Verdict, made: Made, *, evidence: Sequence[Sealed], levels: Sequence[str]
) -> dict[str, Any]:
    """The verdict as a verification summary over the revision's tree and all evidence.

    Only `pass` is `PASSED`. `levels` are those that were verified; a revision that did not
    pass has none.
    """
    passed = verdict.verdict is Word.PASS
    subject = {"name": "revision", "digest": revision_digest(verdict.revision)}
    return {
        "_type": STATEMENT,
        "subject": [subject, *(each.descriptor for each in evidence)],
        "predicateType": SUMMARY,
        "predicate": {
            "verifier": {"id": GATE, "version": _own_version()},
            "timeVerified": _time(made.finished_at),
            "resourceUri": revision_uri(verdict.revision),
            "policy": {"uri": f"urn:hologram:profile:{made.profile}", "digest": _digest(made.plan)},
            "inputAttestations": [
                {"uri": f"urn:hologram:{each.name.replace('/', ':')}", "digest": {"sha256": each.sha256}}
                for each in evidence
            ],
            "verificationResult": "PASSED" if passed else "FAILED",
            "verifiedLevels": list(levels) if passed else ["FAILED"],
            "slsaVersion": "1.1",
            # An extension field, which other readers pass over.
            "hologram_verdict": {
                "verdict": str(verdict.verdict),
                "profile": made.profile,
                "environment": made.environment,
                "run_id": made.run_id,
                "key_id": made.key_id,
                "broken": verdict.broken,
            },
        },
    }


def _provenance(
    subjects: Sequence[Descriptor], made: Made, *, build_type: str, materials: Sequence[Descriptor]
) -> dict[str, Any]:
    return {
        "_type": STATEMENT,
        "subject": list(subjects),
        "predicateType": PROVENANCE,
        "predicate": {
            "buildDefinition": {
                "buildType": build_type,
                "externalParameters": {"profile": made.profile, "environment": made.environment},
                "internalParameters": {"plan": dict(made.plan)},
                "resolvedDependencies": list(materials),
            },
            "runDetails": {
                "builder": {
                    "id": f"{GATE}:key:{made.key_id}",
                    "version": _own_version(),
                },
                "metadata": {
                    "invocationId": made.run_id,
                    "startedOn": _time(made.started_at),
                    "finishedOn": _time(made.finished_at),
                },
            },
        },
    }


def _package(item: Locked) -> Descriptor:
    """A locked package, with its digest where the lock allows one artifact only."""
    if len(item.hashes) != 1:
        return {"uri": item.purl}
    algorithm, _, value = item.hashes[0].partition(":")
    return {"uri": item.purl, "digest": {algorithm: value}}


def _digest(content: Mapping[str, Any]) -> dict[str, str]:
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return {"sha256": hashlib.sha256(text.encode()).hexdigest()}


def _own_version() -> dict[str, str]:
    return {"hologram_dagster": version("hologram_dagster")}


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
