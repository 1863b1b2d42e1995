"""Secrets in what a run judges and in what it writes: the revision's files, its new commits, the outputs.

What belongs here: which texts are read, and what is told of them. What does not: what a
secret is (`secrets`), whether a finding fails the run (`evidence.judge`).
"""

import io
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from hologram_dagster.evidence.check import CheckResult
from hologram_dagster.gate.run import GateRun
from hologram_dagster.observation import Finding, Observation, Status
from hologram_dagster.secrets.accepted import FILE_NAME, Accepted, parse_accepted
from hologram_dagster.secrets.kinds import Kind
from hologram_dagster.secrets.known import places
from hologram_dagster.secrets.scan import Leak, find_in, scan_file, scan_stream
from hologram_dagster.target.contents import added_in_commits, files_of_commit, files_of_tree
from hologram_dagster.target.revision import show_file

KIND = "secrets_scan"
METHOD = "1"
TREE, COMMITS, OUTPUTS = "tree_clean", "commits_clean", "outputs_clean"
_TOLD = 10
# Of the state folder, what is written for people and tools to read; the rest is keys, checkouts and
# databases, whose texts came through the same hands.
_WRITTEN = ("evidence", "logs")


@dataclass(slots=True)
class _Seen:
    """What was found in one sort of place: (place, kind), and how much was read and accepted."""

    read: int = 0
    accepted: int = 0
    leaks: list[tuple[str, Kind]] = field(default_factory=list)
    digests: set[tuple[str, str]] = field(default_factory=set)

    def finding(self, name: str, one: str, what: str) -> Finding:
        if not self.leaks:
            read = one if self.read == 1 else f"{self.read} {what}"
            return Finding(name, Status.PASSED, f"no secret in {read}")
        places = ", ".join(f"{place} ({kind})" for place, kind in self.leaks[:_TOLD])
        more = f" and {len(self.leaks) - _TOLD} more" if len(self.leaks) > _TOLD else ""
        return Finding(name, Status.FAILED, f"{_secrets(len(self.leaks))} in {what}: {places}{more}")


def _secrets(number: int) -> str:
    return "1 secret" if number == 1 else f"{number} secrets"


def scan_run(run: GateRun, logged: Callable[[], Iterable[str]]) -> Observation:
    """What there is of secrets in the revision of `run`, its new commits, and what the run has written.

    `logged` gives the texts of the run's own log, however that is kept.

    Raises:
        HologramError: something could not be read; that is never "clean".
    """
    started_at = datetime.now(UTC)
    accepted = _accepted(run)
    tree = _in_tree(run, accepted)
    commits = _in_commits(run, accepted, tree.digests)
    outputs = _in_outputs(run, logged())
    findings = (
        tree.finding(TREE, "1 file of the revision", "files of the revision"),
        commits.finding(COMMITS, "1 new commit", "new commits"),
        outputs.finding(OUTPUTS, "1 output of the run", "outputs of the run"),
    )
    return Observation(
        kind=KIND,
        status=Status.FAILED if any(each.status is Status.FAILED for each in findings) else Status.PASSED,
        method=METHOD,
        started_at=started_at,
        finished_at=datetime.now(UTC),
        values={
            "files": tree.read,
            "commits": commits.read,
            "outputs": outputs.read,
            "secrets": len(tree.leaks) + len(commits.leaks) + len(outputs.leaks),
            "accepted": tree.accepted + commits.accepted,
        },
        findings=findings,
    )


def report_check(run: GateRun) -> CheckResult:
    """Whether the reports folder, as the run has written it by now, is free of secrets.

    Raises:
        HologramError: a file in it could not be read.
    """
    seen = _Seen()
    _scan_folder(seen, run.settings.reports_dir, run)
    told = seen.finding("no_secret", "1 file of the reports", "files of the reports")
    return CheckResult(kind="report", check=told.name, status=told.status, message=told.message)


def _accepted(run: GateRun) -> Accepted:
    """What was accepted before this change: a revision cannot accept its own findings.

    Its own file is read, too: a malformed one would stop every gate that has it as its baseline.
    """
    identity = run.identity
    own = _accepted_at(run, identity.revision.commit)
    return _accepted_at(run, identity.baseline_commit) if identity.baseline_commit else own


def _accepted_at(run: GateRun, commit: str) -> Accepted:
    content = show_file(run.settings.repository, commit, FILE_NAME)
    if content is None:
        return Accepted()
    return parse_accepted(content, where=f"{FILE_NAME} at {commit[:12]}")


def _in_tree(run: GateRun, accepted: Accepted) -> _Seen:
    seen, revision, repository = _Seen(), run.identity.revision, run.settings.repository
    if revision.dirty:
        own = [run.settings.state_dir, run.settings.reports_dir]
        for path, file in files_of_tree(repository, exclude=own):
            _take(seen, path, scan_file(file), accepted)
    else:
        for path, content in files_of_commit(repository, revision.commit):
            _take(seen, path, scan_stream(io.BytesIO(content)), accepted)
    return seen


def _take(seen: _Seen, path: str, leaks: Iterable[Leak], accepted: Accepted) -> None:
    seen.read += 1
    for leak in leaks:
        if accepted.holds(path, leak):
            seen.accepted += 1
        else:
            seen.leaks.append((f"{path}:{leak.line}", leak.kind))
        seen.digests.add((path, leak.digest))


def _in_commits(run: GateRun, accepted: Accepted, told: set[tuple[str, str]]) -> _Seen:
    """What the new commits added, but for what is still in the tree and told there (`told`)."""
    seen, identity = _Seen(), run.identity
    for commit, added in added_in_commits(
        run.settings.repository, identity.baseline_commit, identity.revision.commit
    ):
        seen.read += 1
        for path, line, text in added:
            for leak in find_in([text]):
                if accepted.holds(path, leak):
                    seen.accepted += 1
                elif (path, leak.digest) not in told:
                    where = f"{commit[:12]}:{path}:{line + leak.line - 1}"
                    seen.leaks.append((where, leak.kind))
    return seen


def _in_outputs(run: GateRun, logged: Iterable[str]) -> _Seen:
    seen, settings = _Seen(), run.settings
    for folder in (settings.reports_dir, *(settings.state_dir / name for name in _WRITTEN)):
        _scan_folder(seen, folder, run)
    for number, text in enumerate(logged, start=1):
        seen.read += 1
        found = {leak.kind for leak in find_in([text])} | ({Kind.KNOWN} if any(places(text)) else set())
        seen.leaks += [(f"entry {number} of the run's log", kind) for kind in sorted(found)]
    return seen


def _scan_folder(seen: _Seen, folder: Path, run: GateRun) -> None:
    for path in _written_since(folder, run.identity.started_at):
        seen.read += 1
        seen.leaks += [(f"{path}:{leak.line}", leak.kind) for leak in scan_file(path)]
        if any(places(path.read_bytes().decode(errors="replace"))):
            seen.leaks.append((str(path), Kind.KNOWN))


def _written_since(folder: Path, start: datetime) -> Iterator[Path]:
    """The files below `folder` that were written since `start`, to the second."""
    for parent, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            path = Path(parent, name)
            try:
                fresh = path.is_file() and path.stat().st_mtime >= int(start.timestamp())
            except FileNotFoundError:
                continue
            if fresh:
                yield path
