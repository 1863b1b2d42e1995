"""All attempts, in one SQLite file that two may write at once and a kill leaves whole.

What belongs here: tables, transactions, and setting a damaged file aside. What does not:
judging (`judgement`), the files users know (`database_file`).
"""

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from hologram_dagster.errors import HologramError
from hologram_dagster.evidence.record import iso
from hologram_dagster.flakes.attempts import Attempt, Outcome, Phase, TestRun
from hologram_dagster.flakes.judgement import Occasion
from hologram_dagster.locking import exclusive

FILE_NAME = "flakes.sqlite"
SCHEMA_VERSION = 1
_BUSY_TIMEOUT_S = 60.0
_DAMAGE = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_SUFFIXES = ("", "-wal", "-shm")
# Times are text of one width (`evidence.record.iso`), so their order is that of time.
_TABLES = """
CREATE TABLE IF NOT EXISTS tests (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE IF NOT EXISTS runs (
  id INTEGER PRIMARY KEY, run TEXT NOT NULL, revision TEXT NOT NULL, environment TEXT NOT NULL,
  started_at TEXT NOT NULL, UNIQUE (run, revision, environment)
);
CREATE INDEX IF NOT EXISTS runs_by_time ON runs (started_at);
CREATE TABLE IF NOT EXISTS attempts (
  test INTEGER NOT NULL REFERENCES tests, run INTEGER NOT NULL REFERENCES runs, number INTEGER NOT NULL,
  outcome TEXT NOT NULL, phase TEXT NOT NULL, duration_s REAL NOT NULL, fingerprint TEXT NOT NULL,
  started_at TEXT NOT NULL, PRIMARY KEY (test, run, number)
) WITHOUT ROWID;
"""
_OCCASIONS = """
SELECT tests.name, runs.run, runs.revision, runs.environment, min(attempts.started_at) AS at,
  sum(attempts.outcome = 'passed'), sum(attempts.outcome = 'failed'), max(attempts.fingerprint)
FROM attempts JOIN tests ON tests.id = attempts.test JOIN runs ON runs.id = attempts.run
WHERE attempts.outcome <> 'skipped' AND runs.started_at >= ?
GROUP BY tests.name, attempts.run ORDER BY tests.name, at, attempts.run
"""
_ATTEMPTS = """
SELECT tests.name, runs.run, runs.revision, runs.environment, runs.started_at, attempts.number,
  attempts.outcome, attempts.phase, attempts.duration_s, attempts.fingerprint, attempts.started_at
FROM attempts JOIN tests ON tests.id = attempts.test JOIN runs ON runs.id = attempts.run
WHERE runs.started_at >= ? ORDER BY tests.name, attempts.started_at, attempts.run, attempts.number
"""

_Result = TypeVar("_Result")


class Store:
    """The attempts kept in the SQLite file `path`.

    A damaged file is moved aside, as it is, to `<name>.damaged-<n>`, and a new one begun;
    `notes` tells so.
    """

    def __init__(self, path: Path) -> None:
        """Open the file, made where missing.

        Raises:
            HologramError: it cannot be opened, or is of another version.
        """
        self.path = path
        self.notes: list[str] = []
        self._connection: sqlite3.Connection | None = None
        self._run(self._open)

    @classmethod
    def in_folder(cls, folder: Path) -> Self:
        """The store of a state folder."""
        return cls(folder / FILE_NAME)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def add(self, attempts: Iterable[Attempt]) -> int:
        """Keep `attempts`, all or none; how many of them were new. What is there already stays as it is.

        Raises:
            HologramError: the file cannot be written.
        """
        kept = list(attempts)
        return self._run(lambda: self._add(kept))

    def occasions(self, *, since: datetime) -> list[Occasion]:
        """Each test in each run begun since `since`, test by test, oldest first; not what was only skipped.

        Raises:
            HologramError: the file cannot be read.
        """
        return self._run(lambda: self._occasions(since))

    def attempts(self, *, since: datetime) -> list[Attempt]:
        """Every attempt of the runs begun since `since`, test by test, oldest first.

        Raises:
            HologramError: the file cannot be read.
        """
        return self._run(lambda: self._attempts(since))

    def prune(self, *, before: datetime) -> int:
        """Forget the runs begun before `before`; how many they were.

        Raises:
            HologramError: the file cannot be written.
        """
        return self._run(lambda: self._prune(before))

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        connection = self._open()
        # A transaction that reads first and writes then would fail where another wrote in between.
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield connection
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise

    def _add(self, attempts: list[Attempt]) -> int:
        with self._transaction() as connection:
            runs: dict[TestRun, int] = {}
            tests: dict[str, int] = {}
            new = 0
            for each in attempts:
                if each.run not in runs:
                    runs[each.run] = _run_id(connection, each.run)
                if each.test not in tests:
                    tests[each.test] = _test_id(connection, each.test)
                new += connection.execute(
                    "INSERT OR IGNORE INTO attempts VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                    (
                        *(tests[each.test], runs[each.run], each.number, str(each.outcome)),
                        *(str(each.phase), each.duration_s, each.fingerprint, iso(each.at)),
                    ),
                ).rowcount
        return new

    def _occasions(self, since: datetime) -> list[Occasion]:
        rows = self._open().execute(_OCCASIONS, (iso(since),))
        return [
            Occasion(test, run, revision, environment, _moment(at), passes, failures, cause)
            for test, run, revision, environment, at, passes, failures, cause in rows
        ]

    def _attempts(self, since: datetime) -> list[Attempt]:
        rows = self._open().execute(_ATTEMPTS, (iso(since),))
        return [
            Attempt(
                test=test,
                run=TestRun(run, revision, environment, _moment(begun)),
                number=number,
                outcome=Outcome(outcome),
                phase=Phase(phase),
                duration_s=duration_s,
                fingerprint=cause,
                started_at=_moment(at),
            )
            for test, run, revision, environment, begun, number, outcome, phase, duration_s, cause, at in rows
        ]

    def _prune(self, before: datetime) -> int:
        with self._transaction() as connection:
            old = "SELECT id FROM runs WHERE started_at < ?"
            connection.execute(f"DELETE FROM attempts WHERE run IN ({old})", (iso(before),))
            pruned = connection.execute("DELETE FROM runs WHERE started_at < ?", (iso(before),)).rowcount
            connection.execute("DELETE FROM tests WHERE id NOT IN (SELECT test FROM attempts)")
        return pruned

    def _open(self) -> sqlite3.Connection:
        if self._connection is not None:
            return self._connection
        with exclusive(self._lock):
            connection = sqlite3.connect(self.path, timeout=_BUSY_TIMEOUT_S, isolation_level=None)
            try:
                # Attempts cannot be had again: what was told as kept survives a power failure.
                for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
                    connection.execute(f"PRAGMA {pragma}")
                found = connection.execute("PRAGMA user_version").fetchone()[0]
                if found not in {0, SCHEMA_VERSION}:
                    raise HologramError(
                        f"{self.path} has tables of version {found}, this program knows {SCHEMA_VERSION}: "
                        "use the program that made it, or move the file away."
                    )
                if not found:
                    connection.executescript(
                        f"BEGIN IMMEDIATE; {_TABLES} PRAGMA user_version={SCHEMA_VERSION}; COMMIT;"
                    )
            except BaseException:
                connection.close()
                raise
        self._connection = connection
        return connection

    @property
    def _lock(self) -> Path:
        return self.path.with_name(f"{self.path.name}.lock")

    def _run(self, work: Callable[[], _Result]) -> _Result:
        """The result of `work`, run again in a new file where the old one is damaged."""
        try:
            return work()
        except sqlite3.Error as error:
            if (getattr(error, "sqlite_errorcode", 0) & 0xFF) not in _DAMAGE:
                raise self._explain(error) from error
            self._set_aside(str(error))
        try:
            return work()
        except sqlite3.Error as error:
            raise self._explain(error) from error

    def _explain(self, error: sqlite3.Error) -> HologramError:
        return HologramError(
            f"the attempts in {self.path} cannot be used: {error}. Check that the file and its folder are "
            "readable and writable, that the disk has room, and that nothing holds it locked."
        )

    def _set_aside(self, damage: str) -> None:
        self.close()
        with exclusive(self._lock):
            # Another process may have been here first.
            if _is_sound(self.path):
                return
            names = (self.path.with_name(f"{self.path.name}.damaged-{number}") for number in count(1))
            aside = next(path for path in names if not path.exists())
            for suffix in _SUFFIXES:
                part = self.path.with_name(self.path.name + suffix)
                if part.exists():
                    part.rename(aside.with_name(aside.name + suffix))
        self.notes.append(
            f"{self.path} was damaged ({damage}): it is kept as {aside.name}, and a new one was begun, which "
            "lacks the attempts from before."
        )


# Many times faster than `evidence.record.from_iso`, for the very texts that `iso` writes.
_moment = datetime.fromisoformat


def _is_sound(path: Path) -> bool:
    try:
        connection = sqlite3.connect(path, timeout=_BUSY_TIMEOUT_S)
        try:
            return bool(connection.execute("PRAGMA quick_check(1)").fetchone()[0] == "ok")
        finally:
            connection.close()
    except sqlite3.Error:
        return False


def _run_id(connection: sqlite3.Connection, run: TestRun) -> int:
    key = (run.run_id, run.commit, run.environment)
    connection.execute(
        "INSERT OR IGNORE INTO runs (run, revision, environment, started_at) VALUES (?, ?, ?, ?)",
        (*key, iso(run.started_at)),
    )
    found = connection.execute(
        "SELECT id FROM runs WHERE run = ? AND revision = ? AND environment = ?", key
    ).fetchone()
    return int(found[0])


def _test_id(connection: sqlite3.Connection, name: str) -> int:
    connection.execute("INSERT OR IGNORE INTO tests (name) VALUES (?)", (name,))
    return int(connection.execute("SELECT id FROM tests WHERE name = ?", (name,)).fetchone()[0])
