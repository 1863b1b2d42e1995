"""`verdict.json`: the verdict of one run as a document.

What belongs here: its fields, and reading and writing them. What does not: what the
verdict follows from (`verdict`).
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import IntEnum, StrEnum
from pathlib import Path
from typing import Any

from hologram_dagster.errors import FormatError
from hologram_dagster.evidence.check import CheckResult
from hologram_dagster.evidence.record import from_iso, iso, machine_json
from hologram_dagster.files import write_whole
from hologram_dagster.machine import Machine
from hologram_dagster.observation import Status
from hologram_dagster.profiles import Override
from hologram_dagster.secrets.redactor import redact_tree
from hologram_dagster.target.revision import Revision

SCHEMA_VERSION = 1


class Word(StrEnum):
    """The verdict."""

    PASS = "pass"
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"


class State(StrEnum):
    """Whether the run that the verdict is of has ended."""

    RUNNING = "running"
    FINAL = "final"


class ExitCode(IntEnum):
    """What `hologram gate` and `hologram verdict` exit with (design, *Exit codes*)."""

    PASS = 0
    FAIL = 1
    USAGE = 2
    INCONCLUSIVE = 3
    NO_VERDICT = 4
    WAIVED = 5


_EXIT_CODES = {Word.PASS: ExitCode.PASS, Word.FAIL: ExitCode.FAIL, Word.INCONCLUSIVE: ExitCode.INCONCLUSIVE}
_REASON = ("kind", "check", "message", "value", "limit", "unit")


@dataclass(frozen=True, slots=True)
class Waiver:
    """Somebody's word that a red `check` (`KIND.CHECK`) may ship all the same, until `expires_at`.

    It changes no verdict.
    """

    check: str
    who: str
    why: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class EvidenceItem:
    """A record that the verdict rests on; `sha256` (hex) is that of its bytes."""

    kind: str
    status: Status
    uri: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Earlier:
    """A verdict that another run gave of the same revision, profile and environment before."""

    verdict: Word
    run_id: str
    finished_at: datetime


@dataclass(frozen=True, slots=True)
class Verdict:
    """The verdict of one run: the fields of `verdict.json`.

    `reasons` are all results, worst first, those that passed last. `finished_at` is None
    while the run is running. `earlier` are newest first. `baseline_rule` says in words why
    that baseline; None in documents from before it was recorded.
    """

    verdict: Word
    state: State
    revision: Revision
    baseline_commit: str | None
    profile: str
    environment: str
    machine: Machine
    run_id: str
    started_at: datetime
    finished_at: datetime | None
    reasons: tuple[CheckResult, ...]
    overrides: tuple[Override, ...]
    waivers: tuple[Waiver, ...]
    evidence: tuple[EvidenceItem, ...]
    ledger_head: str
    key_id: str
    earlier: tuple[Earlier, ...] = ()
    baseline_rule: str | None = None

    @property
    def exit_code(self) -> ExitCode:
        """0 pass, 1 fail, 3 inconclusive, 5 fail but waived."""
        return ExitCode.WAIVED if self.waived else _EXIT_CODES[self.verdict]

    @property
    def waived(self) -> bool:
        """Whether it is a fail of which every red check is waived; the verdict is still `fail`."""
        red = {f"{reason.kind}.{reason.check}" for reason in self.reasons if reason.red}
        waived = {waiver.check for waiver in self.waivers}
        return self.verdict is Word.FAIL and bool(red) and red <= waived

    @property
    def broken(self) -> str:
        """The worst reason as one line; empty for a pass."""
        worst = next((reason for reason in self.reasons if reason.red), None)
        if worst is None:
            return ""
        first, *_ = worst.message.splitlines() or [""]
        return f"{worst.kind} {worst.check}: {first}"

    @property
    def after_fail(self) -> str:
        """That this pass follows a fail of the same revision, as one sentence; else empty."""
        fails = [earlier for earlier in self.earlier if earlier.verdict is Word.FAIL]
        if self.verdict is not Word.PASS or not fails:
            return ""
        times = "once" if len(fails) == 1 else f"{len(fails)} times"
        last = fails[0]
        return (
            f"a pass after a fail: this revision has failed {times} before ({self.profile}, "
            f"{self.environment}), last in run {last.run_id} at {last.finished_at:%Y-%m-%d %H:%M} UTC"
        )

    def to_json(self) -> dict[str, Any]:
        """The document, as design gives it."""
        return {
            "schema_version": SCHEMA_VERSION,
            "verdict": str(self.verdict),
            "state": str(self.state),
            "revision": asdict(self.revision),
            "baseline": {"commit": self.baseline_commit, "rule": self.baseline_rule},
            "profile": self.profile,
            "environment": self.environment,
            "machine": machine_json(self.machine),
            "run_id": self.run_id,
            "started_at": iso(self.started_at),
            "finished_at": iso(self.finished_at) if self.finished_at else None,
            "reasons": [
                {**{name: getattr(reason, name) for name in _REASON}, "status": str(reason.status)}
                for reason in self.reasons
            ],
            "overrides": [asdict(override) for override in self.overrides],
            "waivers": [{**asdict(waiver), "expires_at": iso(waiver.expires_at)} for waiver in self.waivers],
            "evidence": [{**asdict(item), "status": str(item.status)} for item in self.evidence],
            "ledger_head": self.ledger_head,
            "key_id": self.key_id,
            "earlier": [
                {
                    "verdict": str(earlier.verdict),
                    "run_id": earlier.run_id,
                    "finished_at": iso(earlier.finished_at),
                }
                for earlier in self.earlier
            ],
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "Verdict":
        """The verdict that `to_json` wrote.

        Raises:
            FormatError: not in that form, or of a version this release does not know.
        """
        if content.get("schema_version") != SCHEMA_VERSION:
            raise FormatError("the verdict's schema_version is unknown: use the release that wrote it")
        try:
            return _from_json(content)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise FormatError(f"the verdict is malformed: {type(error).__name__}: {error}") from None


def _from_json(content: Mapping[str, Any]) -> Verdict:
    finished_at = content["finished_at"]
    machine = {name: value for name, value in content["machine"].items() if name != "fingerprint"}
    return Verdict(
        verdict=Word(content["verdict"]),
        state=State(content["state"]),
        revision=Revision(**content["revision"]),
        baseline_commit=content["baseline"]["commit"],
        profile=content["profile"],
        environment=content["environment"],
        machine=Machine(**machine),
        run_id=content["run_id"],
        started_at=from_iso(content["started_at"]),
        finished_at=None if finished_at is None else from_iso(finished_at),
        reasons=tuple(
            CheckResult(**{**reason, "status": Status(reason["status"])}) for reason in content["reasons"]
        ),
        overrides=tuple(Override(**override) for override in content["overrides"]),
        waivers=tuple(
            Waiver(**{**waiver, "expires_at": from_iso(waiver["expires_at"])})
            for waiver in content["waivers"]
        ),
        evidence=tuple(
            EvidenceItem(**{**item, "status": Status(item["status"])}) for item in content["evidence"]
        ),
        ledger_head=content["ledger_head"],
        key_id=content["key_id"],
        # Not in documents from before these were recorded.
        earlier=tuple(
            Earlier(Word(earlier["verdict"]), earlier["run_id"], from_iso(earlier["finished_at"]))
            for earlier in content.get("earlier", ())
        ),
        baseline_rule=content["baseline"].get("rule"),
    )


def write_verdict(path: Path, verdict: Verdict) -> None:
    """Replace the document at `path` by `verdict`, redacted, whole or not at all.

    Raises:
        HologramError: it cannot be written.
    """
    write_whole(path, json.dumps(redact_tree(verdict.to_json()), indent=2) + "\n")


def read_verdict(path: Path) -> Verdict:
    """The document at `path`.

    Raises:
        FileNotFoundError: there is none.
        FormatError: it is not a verdict; names the file.
    """
    try:
        content = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise FormatError(f"{path} is not valid JSON ({error}): run the gate again.") from None
    if not isinstance(content, dict):
        raise FormatError(f"{path} holds no verdict: run the gate again.")
    try:
        return Verdict.from_json(content)
    except FormatError as error:
        raise FormatError(f"{path}: {error}") from None
