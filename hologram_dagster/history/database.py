"""One history database as a file that may be damaged: open, run work in it, set it aside.

What belongs here: transactions, and what becomes of their errors. What does not: tables
and connections (`tables`), rows (`index`).
"""

import logging
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection, insert, select, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import SQLAlchemyError

from hologram_dagster.errors import HologramError
from hologram_dagster.history import tables
from hologram_dagster.history.tables import meta
from hologram_dagster.locking import exclusive

# The name in `meta` of the sentence that says what is missing.
INCOMPLETE = "incomplete"
_DAMAGE = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_SUFFIXES = ("", "-wal", "-shm")

_Result = TypeVar("_Result")
_log = logging.getLogger(__name__)


class Database:
    """A database of SQLite's or PostgreSQL's with the history's tables in it.

    A damaged SQLite file is moved aside, as it is, to `<name>.damaged-<n>`, and a new one
    begun, which says in `meta` what it lacks.
    """

    def __init__(self, url: str | URL) -> None:
        """Open the database at `url` (SQLAlchemy's form), and make its tables where missing.

        Raises:
            HologramError: malformed URL, unreachable, or tables of another version.
        """
        parsed = tables.parse_url(url)
        self._file = tables.file_of(parsed)
        self._engine = tables.connect(parsed)
        self.dialect = self._engine.dialect.name
        self.run(self._create)

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection that reads."""
        with self._engine.connect() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that writes: all of it is kept, or nothing after an error."""
        with tables.writing(self._engine).begin() as connection:
            yield connection

    def run(self, work: Callable[[], _Result]) -> _Result:
        """The result of `work`, which is run again in a new file where the old one is damaged.

        Raises:
            HologramError: the database failed otherwise.
        """
        try:
            return work()
        except SQLAlchemyError as error:
            if self._file is None or not _is_damage(error):
                raise self._explain(error) from error
            damage = tables.first_line(error)
        self._set_aside(self._file, damage)
        return self.run_once(work)

    def run_once(self, work: Callable[[], _Result]) -> _Result:
        """The result of `work`, which cannot be run again.

        Raises:
            HologramError: the database failed.
        """
        with self.explained():
            return work()

    @contextmanager
    def explained(self) -> Iterator[None]:
        """What fails within is a `HologramError`."""
        try:
            yield
        except SQLAlchemyError as error:
            raise self._explain(error) from error

    def make_sound(self) -> None:
        """Set a file that is damaged anywhere aside, although nobody met the damage yet.

        Raises:
            HologramError: the new file cannot be made.
        """
        if self._file is not None:
            self._set_aside(self._file, "found by a check of all of it")

    def _create(self) -> None:
        if self._file is None:
            tables.create_tables(self._engine)
            return
        with exclusive(_lock_of(self._file)):
            tables.create_tables(self._engine)

    def _set_aside(self, file: Path, damage: str) -> None:
        self._engine.dispose()
        with exclusive(_lock_of(file)):
            # Another process may have been here first.
            if self._is_sound():
                return
            self._engine.dispose()
            names = (file.with_name(f"{file.name}.damaged-{number}") for number in count(1))
            aside = next(path for path in names if not path.exists())
            for suffix in _SUFFIXES:
                part = file.with_name(file.name + suffix)
                if part.exists():
                    part.rename(aside.with_name(aside.name + suffix))
            note = (
                f"the history {file} was damaged ({damage}): it is kept as {aside.name}, and a new one was "
                "begun, which lacks what was there before. Rebuild it from the evidence: "
                "hologram history rebuild."
            )
            _log.warning("%s", note)
            self.run_once(lambda: self._begin_anew(note))

    def _begin_anew(self, note: str) -> None:
        tables.create_tables(self._engine)
        with self.writing() as connection:
            connection.execute(insert(meta).values(name=INCOMPLETE, value=note))

    def _is_sound(self) -> bool:
        try:
            with self.reading() as connection:
                connection.execute(select(meta.c.name)).all()
                return bool(connection.scalar(text("PRAGMA quick_check(1)")) == "ok")
        except SQLAlchemyError:
            return False

    def _explain(self, error: SQLAlchemyError) -> HologramError:
        where = f" {self._file}" if self._file else ""
        remedy = (
            "Rebuild it from the evidence: hologram history rebuild."
            if self._file and _is_damage(error)
            else "Check that it is reachable and writable, and that nothing holds it locked."
        )
        return HologramError(f"the history's database{where} failed: {tables.first_line(error)}. {remedy}")


def _lock_of(file: Path) -> Path:
    return file.with_name(f"{file.name}.lock")


def _is_damage(error: SQLAlchemyError) -> bool:
    code = getattr(getattr(error, "orig", None), "sqlite_errorcode", None)
    # The low byte is the primary code; the rest says where it was met.
    return isinstance(code, int) and (code & 0xFF) in _DAMAGE
