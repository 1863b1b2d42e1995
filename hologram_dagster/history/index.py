"""The indexed figures of every evidence record: add, read the end of a series, rebuild.

What belongs here: rows in and out. What does not: tables (`tables`), damage
(`database`), what the figures say (`trend`), whether a record is what was written
(`evidence`: only verified records are added).

The index proves nothing and can lose nothing: all of it follows from the records.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from sqlalchemy import Connection, bindparam, delete, insert, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL

from hologram_dagster.evidence.record import Record, iso
from hologram_dagster.history.database import INCOMPLETE, Database
from hologram_dagster.history.tables import COLUMNS, figures, meta, points, records, series
from hologram_dagster.protocol.canonical import sha256_hex

if TYPE_CHECKING:
    # pandas takes longer to load than most verbs take altogether.
    import pandas as pd

FILE_NAME = "history.sqlite"
# The fact by which a paired measurement names the commit it was compared with.
BASELINE_FACT = "baseline_commit"
_ROWS_A_CHUNK = 20_000
_TIME_FORMAT = "%Y-%m-%dT%H:%M:%S.%fZ"
_KEY = ("kind", "metric", "environment", "machine", "profile")


@dataclass(frozen=True, slots=True)
class Series:
    """Figures that may be compared: one metric of one kind, environment, machine and profile.

    `metric` is the name of a record's value (`p95_ms`), `machine` a fingerprint.
    """

    kind: str
    metric: str
    environment: str
    machine: str
    profile: str


_END_OF_SERIES = (
    select(
        records.c.run_id,
        figures.c.value,
        records.c.commit,
        records.c.baseline,
        records.c.status,
        figures.c.finished_at,
    )
    .select_from(figures)
    .join(records, figures.c.record_id == records.c.id)
    .where(
        figures.c.series_id
        == select(series.c.id).where(*(series.c[name] == bindparam(name) for name in _KEY)).scalar_subquery()
    )
    .order_by(figures.c.finished_at.desc(), figures.c.record_id.desc())
    .limit(bindparam("last"))
)
_END_COLUMNS = [str(column.key) for column in _END_OF_SERIES.selected_columns]


class History:
    """The figures in one database; any number of processes may read and write it at once.

    Every method raises `HologramError` where the database fails. A damaged SQLite file is
    set aside, and `notes()` says so until `rebuild`.
    """

    def __init__(self, url: str | URL) -> None:
        """Open the database at `url` (SQLAlchemy's form; SQLite or PostgreSQL).

        Raises:
            HologramError: malformed URL, unreachable, or tables of another version.
        """
        self._database = Database(url)

    @classmethod
    def in_folder(cls, state_dir: Path) -> Self:
        """The history kept as a file in the state folder."""
        return cls(URL.create("sqlite", database=str(state_dir.absolute() / FILE_NAME)))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close every connection."""
        self._database.close()

    def notes(self) -> tuple[str, ...]:
        """What is known to be missing, as sentences; empty when all is well."""

        def work() -> tuple[str, ...]:
            with self._database.reading() as connection:
                found = connection.scalars(select(meta.c.value).where(meta.c.name == INCOMPLETE))
                return tuple(found)

        return self._database.run(work)

    def add(self, record: Record) -> bool:
        """Add the figures of `record`, which is verified; False where they are in already."""

        def work() -> bool:
            with self._database.writing() as connection:
                return _Writer(connection).add(record)

        return self._database.run(work)

    def rebuild(self, verified: Iterable[Record]) -> int:
        """Put the figures of the `verified` records in the place of all there are; returns their number.

        Others read what was there before until it is through, and their `add` waits.
        """

        def work() -> int:
            with self._database.writing() as connection:
                for table in (figures, records, series):
                    connection.execute(delete(table))
                connection.execute(delete(meta).where(meta.c.name == INCOMPLETE))
                writer = _Writer(connection)
                return sum(writer.add(record) for record in verified)

        # `verified` may be an iterator that is used up after one go, so damage must be found before.
        self._database.make_sound()
        return self._database.run_once(work)

    def read(self, of: Series, *, last: int = 200) -> "pd.DataFrame":
        """The newest `last` figures of a series, oldest first.

        Columns: run_id, value, commit, baseline (the commit it was compared with, or
        None), status, finished_at (UTC). Its time does not grow with the history.
        """

        def work() -> "pd.DataFrame":
            with self._database.reading() as connection:
                rows = connection.execute(_END_OF_SERIES, {**asdict(of), "last": last}).all()
            return _frame(rows[::-1], _END_COLUMNS)

        return self._database.run(work)

    def series(self, *, kind: str | None = None) -> list[Series]:
        """Every series (of `kind`), sorted by its fields."""
        columns = [series.c[name] for name in _KEY]
        query = select(*columns).order_by(*columns)
        if kind is not None:
            query = query.where(series.c.kind == kind)

        def work() -> list[Series]:
            with self._database.reading() as connection:
                return [Series(*row) for row in connection.execute(query)]

        return self._database.run(work)

    def chunks(self) -> "Iterator[pd.DataFrame]":
        """Every figure as flat rows (`tables.COLUMNS`), by series and time, some thousands at once.

        At least one chunk, which is empty where there is nothing.
        """
        query = points.order_by(*(series.c[name] for name in _KEY), figures.c.finished_at, records.c.sha256)
        empty = True
        with self._database.explained(), self._database.reading() as connection:
            result = connection.execution_options(yield_per=_ROWS_A_CHUNK).execute(query)
            for rows in result.partitions():
                empty = False
                yield _frame(rows, COLUMNS)
        if empty:
            yield _frame([], COLUMNS)


class _Writer:
    """Adds records within one transaction; remembers the numbers of the series it met."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
        self._numbers: dict[Series, int] = {}

    def add(self, record: Record) -> bool:
        number = self._connection.scalar(
            self._insert(records)
            .values(
                sha256=sha256_hex(record.to_bytes()),
                run_id=record.run_id,
                commit=record.revision.commit,
                baseline=record.facts.get(BASELINE_FACT),
                status=str(record.status),
            )
            .on_conflict_do_nothing(index_elements=["sha256"])
            .returning(records.c.id)
        )
        if number is None:
            return False
        if record.values:
            self._connection.execute(insert(figures), self._rows(record, number))
        return True

    def _rows(self, record: Record, number: int) -> list[dict[str, Any]]:
        finished_at = iso(record.finished_at)
        return [
            {
                "series_id": self._series_number(
                    Series(
                        kind=record.kind,
                        metric=metric,
                        environment=record.environment,
                        machine=record.machine.fingerprint,
                        profile=record.profile,
                    )
                ),
                "finished_at": finished_at,
                "record_id": number,
                "value": value,
            }
            for metric, value in record.values.items()
        ]

    def _series_number(self, key: Series) -> int:
        if key not in self._numbers:
            find = select(series.c.id).where(*(series.c[name] == getattr(key, name) for name in _KEY))
            found = self._connection.scalar(find)
            if found is None:
                # PostgreSQL lets two add the same series at once; the second one's does nothing.
                self._connection.execute(
                    self._insert(series).values(**asdict(key)).on_conflict_do_nothing(index_elements=_KEY)
                )
                found = self._connection.execute(find).scalar_one()
            self._numbers[key] = found
        return self._numbers[key]


def _frame(rows: Sequence[Any], columns: Sequence[str]) -> "pd.DataFrame":
    import pandas as pd

    frame = pd.DataFrame.from_records([tuple(row) for row in rows], columns=list(columns))
    frame["value"] = frame["value"].astype(float)
    frame["finished_at"] = pd.to_datetime(frame["finished_at"], format=_TIME_FORMAT, utc=True)
    return frame
