"""The flaky tests of a target in a gate run: attempts, database, detection, quarantine.

What belongs here: what a gate observes of them. What does not: the rules for tests and entries
(`flakes`), and what must hold of the evidence (`evidence.flake_rules`).
"""

import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from hologram_dagster.errors import FormatError
from hologram_dagster.flakes.attempts import Outcome, TestRun, revision_name
from hologram_dagster.flakes.database_file import FILE_NAME as DATABASE_FILE
from hologram_dagster.flakes.database_file import write_database
from hologram_dagster.flakes.judgement import QUARANTINE_WINDOW, Judged, State, judge, rate_of
from hologram_dagster.flakes.quarantine import (
    FILE_NAME,
    Entry,
    Quarantine,
    parse_quarantine,
    read_quarantine,
    write_reports,
)
from hologram_dagster.flakes.running import run_tests
from hologram_dagster.flakes.score import Score, power, seen_from
from hologram_dagster.flakes.store import Store
from hologram_dagster.gate.run import GateRun
from hologram_dagster.gate.sides import candidate_side, environment_of, target_of
from hologram_dagster.machine import Machine
from hologram_dagster.observation import Finding, Observation, Status
from hologram_dagster.settings import Settings
from hologram_dagster.target.revision import Revision, show_file, top_of

METHOD = "1"
_NAMED = 10
NO_TESTS = (
    "the target names no test command: say in hologram.toml, [target.tests], how its tests are run, and the "
    "flaky ones among them are found"
)


def environment_name(settings: Settings, machine: Machine) -> str:
    """What else may change an outcome: a pass here and a failure elsewhere are no flake."""
    return f"{settings.environment} {sys.platform} python{machine.python}"


def revision_of(revision: Revision) -> str:
    """The name by which the store knows `revision`."""
    return revision_name(revision.commit, revision.tree, dirty=revision.dirty)


def kept_since(settings: Settings, now: datetime) -> datetime:
    """Since when attempts are kept and looked at."""
    return now - timedelta(days=settings.keep_runs_days)


def observe_attempts(run: GateRun) -> Observation:
    """Run the target's tests as often as it says, and keep every attempt.

    Raises:
        HologramError: the candidate cannot be checked out or set up, or the store fails.
    """
    started_at = datetime.now(UTC)
    target = target_of(run)
    if target.tests is None:
        return _not_applicable("test_attempts", started_at)
    side = candidate_side(run, target)
    attempts = failed = runs = 0
    notes: list[str] = []
    faults: list[str] = []
    tests: set[str] = set()
    with Store.in_folder(run.settings.state_dir) as store:
        for number in range(target.tests.runs):
            ran = run_tests(
                side.command(target.tests.command),
                cwd=side.tree,
                env=environment_of(side),
                run=TestRun(
                    f"{run.identity.run_id}-{number}",
                    revision_of(run.identity.revision),
                    environment_name(run.settings, run.identity.machine),
                    datetime.now(UTC),
                ),
                timeout_s=target.tests.timeout_s,
            )
            store.add(ran.attempts)
            attempts += len(ran.attempts)
            failed += sum(each.outcome is Outcome.FAILED for each in ran.attempts)
            tests.update(each.test for each in ran.attempts)
            runs += bool(ran.attempts)
            notes += ran.notes
            if ran.fault:
                faults.append(f"run {number + 1} of {target.tests.runs}: {ran.fault}")
                break
        notes += store.notes
    return Observation(
        kind="test_attempts",
        status=Status.ERROR if faults else Status.PASSED,
        method=METHOD,
        started_at=started_at,
        finished_at=datetime.now(UTC),
        values={
            "attempts": attempts,
            "failed": failed,
            "tests": len(tests),
            "runs": runs,
            "planned_runs": target.tests.runs,
        },
        facts={"power": power(runs)},
        findings=(*(Finding("tests", Status.ERROR, fault) for fault in faults), *_told(notes)),
    )


def observe_database(run: GateRun) -> Observation:
    """Judge every test whose attempts are kept, and write `reports/flake_database.json`.

    Raises:
        HologramError: the store cannot be read, or the file not be written.
    """
    started_at = datetime.now(UTC)
    since = kept_since(run.settings, started_at)
    with Store.in_folder(run.settings.state_dir) as store:
        store.prune(before=since)
        attempts, occasions = store.attempts(since=since), store.occasions(since=since)
        notes = store.notes
    if not attempts:
        return _not_applicable("flake_database", started_at, notes)
    judged = list(judge(occasions, now=started_at))
    path = run.settings.reports_dir / DATABASE_FILE
    write_database(path, attempts, judged)
    states = {state: sum(each.state is state for each in judged) for state in State}
    return Observation(
        kind="flake_database",
        status=Status.PASSED,
        method=METHOD,
        started_at=started_at,
        finished_at=datetime.now(UTC),
        values={
            "tests": len(judged),
            "runs": sum(each.runs for each in judged),
            "flakes": sum(each.score.flakes for each in judged),
            **{str(state): count for state, count in states.items()},
        },
        findings=(Finding("exported", Status.PASSED, f"{len(attempts)} attempts in {path}"), *_told(notes)),
    )


def observe_detection(run: GateRun) -> Observation:
    """The flakes of the last 7 days, and what fails every time on this revision.

    Raises:
        HologramError: the store or the quarantine cannot be read.
    """
    now = datetime.now(UTC)
    if target_of(run).tests is None:
        return _not_applicable("flake_detection", now)
    with Store.in_folder(run.settings.state_dir) as store:
        occasions = store.occasions(since=now - QUARANTINE_WINDOW)
        notes = store.notes
    this = revision_of(run.identity.revision)
    here = list(judge((each for each in occasions if each.commit == this), now=now))
    judged = list(judge(occasions, now=now))
    held = {entry.test for entry in in_force(run, now)}
    new = [each for each in judged if each.quarantine_due and each.test not in held]
    # What is known to flake, and excused, may by chance have failed each time tonight.
    excused = {each.test for each in judged if each.state is State.FLAKY} & held
    broken = [each for each in here if each.state is State.BROKEN and each.test not in excused]
    rate, every = rate_of(judged, without=held), rate_of(judged)
    low, high = Score(rate.flakes, rate.runs).interval()
    fewest = min((each.runs for each in here), default=0)
    return Observation(
        kind="flake_detection",
        status=Status.PASSED,
        method=METHOD,
        started_at=now,
        finished_at=datetime.now(UTC),
        values={
            "tests": len(here),
            "runs": rate.runs,
            "flakes": rate.flakes,
            "flake_rate_pct": rate.pct,
            "flake_rate_low_pct": 100 * low,
            "flake_rate_high_pct": 100 * high,
            "flake_rate_all_pct": every.pct,
            "new_flakes": len(new),
            "broken": len(broken),
            "seen_from_pct": 100 * seen_from(fewest),
        },
        facts={
            "new_flakes": _names(_flaky(each) for each in new),
            "broken": _names(f"{each.test}: {each.fingerprint or 'no cause told'}" for each in broken),
            "power": f"on this revision, of the test run least often: {power(fewest)}",
        },
        findings=_told(notes),
    )


def observe_quarantine(run: GateRun) -> Observation:
    """The candidate's quarantine against its rules; writes the names of those in force for other tools.

    Raises:
        HologramError: the store cannot be read, or a file not be written.
    """
    started_at = datetime.now(UTC)
    try:
        quarantine, held = candidates_quarantine(run), in_force(run, started_at)
    except FormatError as error:
        return _quarantine(
            started_at, Status.FAILED, {}, {}, Finding("well_formed", Status.FAILED, str(error))
        )
    write_reports(run.settings.reports_dir, held)
    since = kept_since(run.settings, started_at)
    with Store.in_folder(run.settings.state_dir) as store:
        judged = {each.test: each for each in judge(store.occasions(since=since), now=started_at)}
        notes = store.notes
    expired = quarantine.expired(started_at.date())
    broken = [entry for entry in quarantine.entries if _is_broken(judged.get(entry.test))]
    values: dict[str, float] = {
        "quarantined": len(quarantine.entries),
        "in_force": len(held),
        "expired": len(expired),
        "broken": len(broken),
    }
    tests = len(judged) or quarantine.tests
    if tests is not None:
        values["tests"] = tests
    facts = {
        "quarantined": _names(entry.test for entry in quarantine.entries),
        "expired": _names(f"{entry.test} ({entry.owner}, {entry.expires})" for entry in expired),
        "broken": _names(entry.test for entry in broken),
    }
    found = (
        f"{len(quarantine.entries)} in {FILE_NAME}"
        if quarantine.entries
        else f"none: no entry in {FILE_NAME}"
    )
    return _quarantine(
        started_at, Status.PASSED, values, facts, Finding("well_formed", Status.PASSED, found), *_told(notes)
    )


def candidates_quarantine(run: GateRun) -> Quarantine:
    """What the revision's own `quarantine.json` says.

    Raises:
        FormatError: not in its form, or against the rules.
        HologramError: it cannot be read.
    """
    repository, revision = run.settings.repository, run.identity.revision
    if revision.dirty:
        return read_quarantine(top_of(repository) / FILE_NAME)
    return _at(repository, revision.commit)


def in_force(run: GateRun, now: datetime) -> list[Entry]:
    """The entries that may fail in this run: those of the baseline that the candidate still has.

    So a change can take a test out of the quarantine, and cannot excuse one of its own. A
    malformed quarantine of the baseline, which the change may be about to mend, excuses nothing.

    Raises:
        FormatError, HologramError: as `candidates_quarantine`.
    """
    candidate = before = candidates_quarantine(run)
    if run.identity.baseline_commit is not None:
        try:
            before = _at(run.settings.repository, run.identity.baseline_commit)
        except FormatError:
            before = Quarantine()
    return [entry for entry in candidate.in_force(now.date()) if before.get(entry.test) is not None]


def _at(repository: Path, commit: str) -> Quarantine:
    content = show_file(repository, commit, FILE_NAME)
    return (
        Quarantine() if content is None else parse_quarantine(content, where=f"{FILE_NAME} at {commit[:12]}")
    )


def _is_broken(judged: Judged | None) -> bool:
    return judged is not None and judged.state is State.BROKEN


def _flaky(judged: Judged) -> str:
    low, high = (100 * bound for bound in judged.score.interval())
    return f"{judged.test} ({judged.recent_flakes} flakes in 7 days, {low:.2g} to {high:.2g} % of its runs)"


def _names(names: Iterable[str]) -> str:
    told = list(names)
    more = f" and {len(told) - _NAMED} more" if len(told) > _NAMED else ""
    return ", ".join(told[:_NAMED]) + more


def _told(notes: Sequence[str]) -> tuple[Finding, ...]:
    return tuple(Finding("note", Status.PASSED, note) for note in notes)


def _not_applicable(kind: str, started_at: datetime, notes: Sequence[str] = ()) -> Observation:
    finding = Finding("tests", Status.NOT_APPLICABLE, NO_TESTS)
    return Observation(
        kind=kind,
        status=Status.NOT_APPLICABLE,
        method=METHOD,
        started_at=started_at,
        finished_at=datetime.now(UTC),
        findings=(finding, *_told(notes)),
    )


def _quarantine(
    started_at: datetime,
    status: Status,
    values: dict[str, float],
    facts: dict[str, str],
    *findings: Finding,
) -> Observation:
    return Observation(
        "quarantine",
        status,
        METHOD,
        started_at,
        datetime.now(UTC),
        values=values,
        facts=facts,
        findings=findings,
    )
