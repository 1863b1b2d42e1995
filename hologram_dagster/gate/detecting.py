"""Flaky tests for an operator: reading results, judging, and changing the quarantine of a working tree.

What belongs here: what the verbs of `hologram flakes` do. What does not: how they look (`cli.flakes`),
what a gate run observes (`flakes` beside this module).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

from hologram_dagster.errors import HologramError
from hologram_dagster.files import make_untracked
from hologram_dagster.flakes.attempts import Attempt, TestRun, known_as
from hologram_dagster.flakes.database_file import FILE_NAME as DATABASE_FILE
from hologram_dagster.flakes.database_file import read_or_set_aside, write_database
from hologram_dagster.flakes.judgement import (
    GREENS_TO_RELEASE,
    QUARANTINE_WINDOW,
    Judged,
    Rate,
    State,
    judge,
    rate_of,
)
from hologram_dagster.flakes.quarantine import (
    FILE_NAME,
    LONGEST_DAYS,
    UNASSIGNED,
    UNASSIGNED_DAYS,
    Entry,
    Proposal,
    Quarantine,
    propose,
    read_quarantine,
    write_quarantine,
    write_reports,
)
from hologram_dagster.flakes.results import read_results
from hologram_dagster.flakes.store import Store
from hologram_dagster.gate.flakes import environment_name, kept_since, revision_of
from hologram_dagster.machine import this_machine
from hologram_dagster.profiles import most_quarantined
from hologram_dagster.secrets.redactor import redact
from hologram_dagster.settings import Settings
from hologram_dagster.target.revision import read_revision, resolve_ref, top_of


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of the tests here: judged over all attempts kept, and the rate of the last 7 days."""

    judged: tuple[Judged, ...]
    rate: Rate
    quarantine: Quarantine
    attempts: int
    notes: tuple[str, ...]

    def get(self, test: str) -> Judged | None:
        """What is known of `test`."""
        return next((each for each in self.judged if each.test == test), None)


def run_now(
    settings: Settings, run_id: str, *, ref: str | None = None, at: datetime | None = None
) -> TestRun:
    """A test run of the working tree as it is, or of `ref`.

    Raises:
        HologramError: no repository, or no such ref.
    """
    if ref:
        commit = resolve_ref(settings.repository, ref)
    else:
        # The quarantine, which this writes, decides no outcome: a test is the same one before and after.
        kept_out = [settings.state_dir, settings.reports_dir, _file(settings)]
        commit = revision_of(read_revision(settings.repository, exclude=kept_out))
    return TestRun(run_id, commit, environment_name(settings, this_machine()), at or datetime.now(UTC))


def keep(settings: Settings, attempts: Iterable[Attempt]) -> tuple[int, list[str]]:
    """Keep `attempts`; how many of them were new, and notes.

    Raises:
        HologramError: the store fails.
    """
    make_untracked(settings.state_dir)
    with Store.in_folder(settings.state_dir) as store:
        return store.add(attempts), store.notes


def read_files(settings: Settings, files: Sequence[Path], *, ref: str | None = None) -> list[str]:
    """Keep the attempts of result files of this revision, or of `ref`; notes on them.

    The same file counts once, however often it is read.

    Raises:
        HologramError: a file cannot be read or is not in its form; nothing of any file is kept then.
    """
    notes: list[str] = []
    attempts: list[Attempt] = []
    for path in files:
        try:
            digest, changed = sha256(path.read_bytes()).hexdigest()[:16], path.stat().st_mtime
        except OSError as error:
            raise HologramError(f"cannot read {path}: {error.strerror}.") from error
        run = run_now(settings, f"file-{digest}", ref=ref, at=datetime.fromtimestamp(changed, UTC))
        results = read_results(path, run)
        attempts += results.attempts
        notes += results.notes
    return notes + keep(settings, attempts)[1]


def known(settings: Settings) -> Known:
    """Judge every test whose attempts are kept, with those of an earlier `reports/flake_database.json`.

    Raises:
        HologramError: store or quarantine cannot be read.
    """
    now = datetime.now(UTC)
    quarantine = read_quarantine(_file(settings))
    earlier = read_or_set_aside(settings.reports_dir / DATABASE_FILE)
    make_untracked(settings.state_dir)
    with Store.in_folder(settings.state_dir) as store:
        new = store.add(earlier.attempts)
        since = kept_since(settings, now)
        store.prune(before=since)
        occasions, attempts = store.occasions(since=since), store.attempts(since=since)
        notes = store.notes
    judged = tuple(judge(occasions, now=now))
    recent = judge((seen for seen in occasions if now - seen.at <= QUARANTINE_WINDOW), now=now)
    held = [entry.test for entry in quarantine.in_force(now.date())]
    if attempts:
        write_database(settings.reports_dir / DATABASE_FILE, attempts, judged)
    write_reports(settings.reports_dir, quarantine.in_force(now.date()))
    told = (*(earlier.notes if new or not earlier.attempts else ()), *notes)
    return Known(judged, rate_of(recent, without=held), quarantine, len(attempts), told)


def detect(settings: Settings) -> tuple[Known, Proposal]:
    """Judge all tests, and change the working tree's quarantine by the users' rule.

    Raises:
        HologramError: store or quarantine cannot be read or written.
    """
    found, today = known(settings), datetime.now(UTC).date()
    proposal = propose(found.quarantine, found.judged, today=today)
    _write(settings, proposal.quarantine)
    return found, proposal


def quarantine(
    settings: Settings,
    test: str,
    *,
    owner: str | None,
    reason: str | None,
    ticket: str | None,
    days: int | None,
) -> Entry:
    """Put `test` into the working tree's quarantine, or renew its entry.

    It lasts `days` days; left out, 30, and without an owner and a ticket 7.

    Raises:
        HologramError: it always fails, there are too many, or the entry is against the rules.
    """
    if not test.strip():
        raise HologramError("a test has a name: give it as `hologram flakes report` shows it.")
    found, today, test = known(settings), datetime.now(UTC).date(), known_as(test)
    judged = found.get(test)
    if judged is not None and judged.state is State.BROKEN:
        raise HologramError(
            f"{test} fails every time: it is broken, not flaky, and is never quarantined. Fix it."
        )
    before = found.quarantine.get(test)
    entry = Entry(
        test=test,
        owner=redact(owner or "") or (before.owner if before else UNASSIGNED),
        reason=redact(reason or "") or (before.reason if before else "quarantined by hand"),
        ticket=redact(ticket or "") or (before.ticket if before else UNASSIGNED),
        since=today,
        expires=today,
    )
    longest = LONGEST_DAYS if entry.assigned else UNASSIGNED_DAYS
    entry = replace(entry, expires=today + timedelta(days=longest if days is None else days))
    changed = found.quarantine.with_entry(entry)
    tests = len(found.judged) or found.quarantine.tests or 0
    if before is None and len(changed.entries) > most_quarantined(tests):
        raise HologramError(
            f"{len(found.quarantine.entries)} of {tests or 'an unknown number of'} tests are in quarantine "
            f"already, and at most {most_quarantined(tests)} may be (5 %, but always one): fix one first."
        )
    _write(settings, Quarantine(changed.entries, len(found.judged) or found.quarantine.tests))
    return entry


def unquarantine(settings: Settings, test: str) -> str | None:
    """Take `test` out of the working tree's quarantine; why that may be too early, if it may.

    Raises:
        HologramError: it is not in it.
    """
    found, test = known(settings), known_as(test)
    entry = found.quarantine.get(test)
    if entry is None:
        raise HologramError(f"{test} is not in quarantine: see `hologram flakes report`.")
    _write(settings, found.quarantine.without(test))
    judged = found.get(test)
    greens = sum(at.date() > entry.since for at in judged.greens) if judged else 0
    if greens >= GREENS_TO_RELEASE:
        return None
    return f"{greens} greens in a row since {entry.since}, of the {GREENS_TO_RELEASE} that the rule asks for"


def faults(found: Known) -> list[str]:
    """What is against the rules of the quarantine here, as its checks in a gate would tell."""
    told = [
        f"{entry.test} expired on {entry.expires} ({entry.owner}): fix it, or take it on with a ticket"
        for entry in found.quarantine.expired(datetime.now(UTC).date())
    ]
    told += [
        f"{entry.test} fails every time: it is broken, not flaky: fix it"
        for entry in found.quarantine.entries
        if (judged := found.get(entry.test)) is not None and judged.state is State.BROKEN
    ]
    tests = len(found.judged) or found.quarantine.tests or 0
    if len(found.quarantine.entries) > most_quarantined(tests):
        told.append(
            f"{len(found.quarantine.entries)} of {tests} tests are in quarantine, at most "
            f"{most_quarantined(tests)} may be"
        )
    return told


def _file(settings: Settings) -> Path:
    return top_of(settings.repository) / FILE_NAME


def _write(settings: Settings, changed: Quarantine) -> None:
    write_quarantine(_file(settings), changed)
    write_reports(settings.reports_dir, changed.in_force(datetime.now(UTC).date()))
