"""One signed, schema-versioned record of one thing observed, in its one byte form.

What belongs here: a record's fields, bytes and strict parsing. What does not: where
records lie (`store`), whose keys count (`trust`), what a record means (`judge`).
"""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, Literal

from pydantic import ConfigDict, Field, FiniteFloat, StringConstraints, TypeAdapter, ValidationError

from hologram_dagster.errors import FormatError, TamperedError
from hologram_dagster.machine import Machine
from hologram_dagster.observation import Artifact, Finding, Observation, Status
from hologram_dagster.profiles import ProfileName
from hologram_dagster.protocol import proof_chain
from hologram_dagster.protocol.signing import Signer
from hologram_dagster.secrets.redactor import redact_tree
from hologram_dagster.target.revision import Revision

SCHEMA_VERSION = 1
MAX_BYTES = 1024 * 1024
_ISO = "%Y-%m-%dT%H:%M:%S.%fZ"

# Both become parts of a file's name, so neither may leave its folder.
Kind = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
RunId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$")]


@dataclass(frozen=True, slots=True)
class RunIdentity:
    """One gate run: what it judges, by which profile, where and since when (UTC)."""

    run_id: str
    profile: ProfileName
    environment: str
    revision: Revision
    machine: Machine
    started_at: datetime
    baseline_commit: str | None = None
    # In words, why that baseline.
    baseline_rule: str | None = None


@dataclass(frozen=True, slots=True)
class Proof:
    """The record's `proof_chain` (contract section 5.1, with Ed25519 and an order-keeping digest)."""

    hash: str
    timestamp: int
    signature: str
    validator: str
    key_id: str
    public_key: str
    order_hash: str


@dataclass(frozen=True, slots=True)
class Record:
    """One observation of one run, signed.

    `self_made_key` marks evidence whose key this machine made for itself; such a key
    proves that the record was not changed since, not who wrote it.
    """

    __pydantic_config__: ClassVar = ConfigDict(extra="forbid", strict=True)

    schema_version: Literal[1]
    kind: Kind
    status: Status
    revision: Revision
    environment: str
    machine: Machine
    profile: str
    method: str
    run_id: RunId
    started_at: datetime
    finished_at: datetime
    self_made_key: bool
    values: Mapping[str, FiniteFloat]
    facts: Mapping[str, str]
    findings: tuple[Finding, ...]
    artifacts: tuple[Artifact, ...]
    proof_chain: Annotated[Proof, Field(repr=False)]

    @classmethod
    def from_observation(
        cls, observation: Observation, run: RunIdentity, signer: Signer, *, now: datetime
    ) -> "Record":
        """Redact and sign `observation` as evidence of `run`; `now` goes into the proof.

        Raises:
            FormatError: a value is not a finite number, a name is malformed, or the record
                would be larger than `MAX_BYTES`: the observer has a bug.
        """
        body = redact_tree(_body(observation, run, self_made_key=signer.self_made))
        return parse(_to_bytes(proof_chain.attach(body, signer, now=int(now.timestamp()))))

    def to_json(self) -> dict[str, Any]:
        """The record as a JSON object."""
        return {
            **asdict(self),
            "status": str(self.status),
            "machine": machine_json(self.machine),
            "started_at": iso(self.started_at),
            "finished_at": iso(self.finished_at),
            "values": dict(self.values),
            "facts": dict(self.facts),
            "findings": [_finding(finding) for finding in self.findings],
            "artifacts": [asdict(artifact) for artifact in self.artifacts],
        }

    def to_bytes(self) -> bytes:
        """The record's one byte form: what was parsed gives the same bytes again."""
        return _to_bytes(self.to_json())

    def check(self) -> str | None:
        """Why the record's own proof does not hold; None if it does. Needs no clock and trusts no key."""
        return proof_chain.check(self.to_json())

    @property
    def why(self) -> str:
        """The first finding that is not a pass, as one sentence; empty when all is well."""
        return next((f.message for f in self.findings if f.status is not Status.PASSED), "")


def parse(data: bytes) -> Record:
    """The record in `data`, of any schema version ever written.

    Form only: signatures are `Record.check`'s.

    Raises:
        FormatError: not JSON, duplicate keys, unknown or mistyped fields, a version of the
            future, or larger than `MAX_BYTES`.
        TamperedError: well-formed, but not in the byte form records are written in.
    """
    if len(data) > MAX_BYTES:
        raise FormatError(
            f"the record has {len(data)} bytes, more than the {MAX_BYTES} allowed: use an artifact"
        )
    content = _load(data)
    version = content.get("schema_version")
    # `is int`: JSON's true equals 1 in Python.
    if type(version) is not int or version not in _READERS:
        raise FormatError(
            f"the record's schema_version {version!r} is unknown: use the release that wrote it"
        )
    record = _READERS[version](content)
    if record.to_bytes() != data:
        raise TamperedError("the record is not in the byte form it was written in")
    return record


def iso(moment: datetime) -> str:
    """`moment` in the one form evidence uses: UTC, microseconds, `Z`.

    Raises:
        ValueError: `moment` has no time zone.
    """
    if moment.tzinfo is None:
        raise ValueError("evidence needs times with a time zone")
    return moment.astimezone(UTC).strftime(_ISO)


def from_iso(text: str) -> datetime:
    """The moment that `iso` wrote.

    Raises:
        ValueError: not in that form.
    """
    return datetime.strptime(text, _ISO).replace(tzinfo=UTC)


def machine_json(machine: Machine) -> dict[str, Any]:
    """The fields of `machine` and their fingerprint."""
    return {**asdict(machine), "fingerprint": machine.fingerprint}


def _body(observation: Observation, run: RunIdentity, *, self_made_key: bool) -> dict[str, Any]:
    values = {name: float(value) for name, value in observation.values.items()}
    wrong = sorted(name for name, value in values.items() if not math.isfinite(value))
    if wrong:
        raise FormatError(f"{observation.kind}: {', '.join(wrong)} is not a finite number")
    return {
        "schema_version": SCHEMA_VERSION,
        "kind": observation.kind,
        "status": str(observation.status),
        "revision": asdict(run.revision),
        "environment": str(run.environment),
        "machine": machine_json(run.machine),
        "profile": str(run.profile),
        "method": observation.method,
        "run_id": run.run_id,
        "started_at": iso(observation.started_at),
        "finished_at": iso(observation.finished_at),
        "self_made_key": self_made_key,
        "values": values,
        "facts": dict(observation.facts),
        "findings": [_finding(finding) for finding in observation.findings],
        "artifacts": [asdict(artifact) for artifact in observation.artifacts],
    }


def _finding(finding: Finding) -> dict[str, str]:
    return {"name": finding.name, "status": str(finding.status), "message": finding.message}


def _to_bytes(content: Mapping[str, Any]) -> bytes:
    text = json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False)
    try:
        return f"{text}\n".encode()
    except UnicodeEncodeError as error:
        raise FormatError(f"the record holds a text that is not Unicode: {error.reason}") from None


def _load(data: bytes) -> dict[str, Any]:
    try:
        content = json.loads(data.decode(), object_pairs_hook=_unique, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise FormatError(f"the record is not valid JSON: {error}") from None
    if not isinstance(content, dict):
        raise FormatError("the record is no JSON object")
    return content


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) != len(pairs):
        raise ValueError("a key appears twice in one object")
    return content


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a finite number")


# Strings become enums and times only in pydantic's JSON mode, so the object goes through JSON again.
_V1 = TypeAdapter(Record)


def _read_v1(content: dict[str, Any]) -> Record:
    machine = content.get("machine")
    # The fingerprint follows from the other fields; the byte form compares it.
    if isinstance(machine, dict):
        content = {**content, "machine": {k: v for k, v in machine.items() if k != "fingerprint"}}
    try:
        return _V1.validate_json(json.dumps(content))
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in fault["loc"])
        raise FormatError(f"the record's field {where}: {fault['msg']}") from None


_READERS = {1: _read_v1}
