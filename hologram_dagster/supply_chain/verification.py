"""Whether a bundle says what it is taken to say: signed by the key, about these files, of this commit.

Needs the public key and the bundle only: no clock, no network, no state of the gate.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hologram_dagster.errors import FormatError, TamperedError
from hologram_dagster.protocol.signing import key_id_of
from hologram_dagster.supply_chain.bundle import open_bundle
from hologram_dagster.supply_chain.statements import PROVENANCE, SUMMARY

_NAMES = {PROVENANCE: "provenance", SUMMARY: "verdict"}


@dataclass(frozen=True, slots=True)
class Verification:
    """What came of it. `faults` is empty if all holds; `authentic` is the signature alone.

    `says` is the verdict of a verdict's statement; only `pass` holds. `subjects` are the
    digests it is about, by name.
    """

    authentic: bool
    key_id: str
    faults: tuple[str, ...]
    kind: str = ""
    says: str = ""
    commit: str = ""
    subjects: Mapping[str, Mapping[str, str]] | None = None

    @property
    def holds(self) -> bool:
        """Whether nothing is wrong with it."""
        return not self.faults

    def to_json(self) -> dict[str, Any]:
        """As a JSON object."""
        return {
            "holds": self.holds,
            "authentic": self.authentic,
            "key_id": self.key_id,
            "kind": self.kind,
            "verdict": self.says,
            "commit": self.commit,
            "subjects": self.subjects or {},
            "faults": list(self.faults),
        }


def verify(
    data: bytes, public_hex: str, *, files: Mapping[str, str] | None = None, commit: str | None = None
) -> Verification:
    """Verify `data` by the key; `files` (name -> sha256) and `commit` must be among its subjects."""
    key_id = key_id_of(public_hex)
    try:
        statement = open_bundle(data, public_hex).statement
    except (FormatError, TamperedError) as error:
        return Verification(False, key_id, (str(error),))
    try:
        return _verify_statement(statement, key_id, files or {}, commit)
    except (KeyError, TypeError, AttributeError) as error:
        why = f"the statement is malformed ({type(error).__name__}: {error})"
        return Verification(True, key_id, (why,))


def _verify_statement(
    statement: dict[str, Any], key_id: str, files: Mapping[str, str], commit: str | None
) -> Verification:
    faults = []
    kind = _NAMES.get(statement["predicateType"], "")
    if not kind:
        faults.append(f"a statement of the unknown type {statement['predicateType']!r}")
    subjects = {subject["name"]: dict(subject["digest"]) for subject in statement["subject"]}
    digests = {digest.get("sha256") for digest in subjects.values()}
    faults += [f"{name} is not what it is about" for name, sha256 in files.items() if sha256 not in digests]
    commits = {digest["gitCommit"] for digest in _of_revision(statement, subjects) if "gitCommit" in digest}
    if commit is not None and commit not in commits:
        faults.append(f"it is not of commit {commit[:12]}")
    says = ""
    if kind == _NAMES[SUMMARY]:
        predicate = statement["predicate"]
        says = str(predicate["hologram_verdict"]["verdict"])
        if predicate["verificationResult"] != "PASSED" or says != "pass":
            faults.append(f"the verdict is {says}")
    return Verification(True, key_id, tuple(faults), kind, says, next(iter(sorted(commits)), ""), subjects)


def _of_revision(
    statement: dict[str, Any], subjects: Mapping[str, dict[str, str]]
) -> list[Mapping[str, str]]:
    # A report is about files; the revision is among its materials.
    definition = statement["predicate"].get("buildDefinition", {})
    materials = [each.get("digest", {}) for each in definition.get("resolvedDependencies", [])]
    return [*subjects.values(), *materials]
