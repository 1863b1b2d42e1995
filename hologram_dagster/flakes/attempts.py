"""One attempt of one test, as every reader gives it and the store keeps it.

What belongs here: the attempt, its run, the name of its test and the fingerprint of a failure. What does not:
file formats (`reportlog`, `junit`, `database_file`).
"""

import hashlib
import re
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from functools import lru_cache

from hologram_dagster.secrets.redactor import redact

# Longer messages are cut: what tells failures apart stands at their beginning.
FINGERPRINT_CHARS = 200
# What `known_as` makes of a name with secrets.
_TOLD = re.compile(r"(.*\[REDACTED].*) #[0-9a-f]{8}", re.DOTALL)
_VARYING = (
    (re.compile(r"0x[0-9a-fA-F]+"), "<address>"),
    (re.compile(r"\b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b"), "<uuid>"),
    (re.compile(r"(?<![\w.])/(?:[\w.+-]+/)+"), "…/"),
    (re.compile(r"\b[0-9a-f]{12,}\b"), "<hex>"),
    (re.compile(r"\d+(?:\.\d+)?"), "N"),
)


class Outcome(StrEnum):
    """How an attempt ended; what is skipped or expected to fail says nothing about flakes."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"


class Phase(StrEnum):
    """The phase that decided an attempt: the first that failed, else the call."""

    COLLECT = "collect"
    SETUP = "setup"
    CALL = "call"
    TEARDOWN = "teardown"


@dataclass(frozen=True, slots=True)
class TestRun:
    """One run of a test suite.

    `commit` names the revision (see `revision_name`), empty where it is unknown; `environment`
    is what else may change an outcome (system, Python), empty where unknown.
    """

    __test__ = False

    run_id: str
    commit: str
    environment: str
    started_at: datetime


@lru_cache(1 << 16)
def known_as(name: str) -> str:
    """The name by which a test is kept and told: without the secrets in its parameters.

    A digest keeps tests apart that differ in them only. Of a name that has none, and of what this
    returned, it is the same name.
    """
    before = _TOLD.fullmatch(name)
    if before and redact(before[1]) == before[1]:
        return name
    told = redact(name)
    if told == name:
        return name
    return f"{told} #{hashlib.sha256(name.encode(errors='replace')).hexdigest()[:8]}"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt of `test` in a run; `number` counts from 0, `duration_s` is all phases together.

    Whatever `test` is made with, it is what `known_as` says.
    """

    test: str
    run: TestRun
    number: int
    outcome: Outcome
    phase: Phase = Phase.CALL
    duration_s: float = 0.0
    fingerprint: str = ""
    started_at: datetime | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "test", known_as(self.test))

    @property
    def at(self) -> datetime:
        """When it began; its run's beginning where the source does not say."""
        return self.started_at or self.run.started_at

    def numbered(self, number: int) -> "Attempt":
        """The same as attempt `number`."""
        return replace(self, number=number)


@dataclass(slots=True)
class Results:
    """What a source held: attempts, and notes on what it did not tell or could not be read."""

    attempts: list[Attempt] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def fingerprint(message: str) -> str:
    """The first line of a failure without what varies (numbers, addresses, paths), redacted."""
    first = next((line.strip() for line in message.splitlines() if line.strip()), "")
    first = redact(first[: 10 * FINGERPRINT_CHARS])
    for varying, kept in _VARYING:
        first = varying.sub(kept, first)
    return first[:FINGERPRINT_CHARS]


def revision_name(commit: str, tree: str, *, dirty: bool) -> str:
    """The revision that attempts are of: a commit, and for uncommitted changes the digest of the tree."""
    return f"{commit}+{tree[:12]}" if dirty else commit
