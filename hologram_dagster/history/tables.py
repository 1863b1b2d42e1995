"""The history's tables and how its database is opened; rows are `index`.

SQLite (WAL, so that readers and a writer do not wait for each other) or PostgreSQL, by
the URL. A series is numbered once, and its figures lie side by side in the order of
time, so that reading its end costs the same however much lies before it. The view
`points` shows everything in one flat table.
"""

from pathlib import Path
from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    Double,
    Engine,
    ForeignKey,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    UniqueConstraint,
    create_engine,
    event,
    func,
    insert,
    select,
    text,
)
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from hologram_dagster.errors import HologramError

SCHEMA_VERSION = 1
# What the view `points` and the exports show, in this order.
COLUMNS = (
    "run_id",
    "kind",
    "metric",
    "value",
    "commit",
    "baseline",
    "environment",
    "machine",
    "profile",
    "status",
    "finished_at",
    "record",
)
_BUSY_TIMEOUT_MS = 10_000
# Key of the PostgreSQL advisory lock: "hist" in ASCII.
_LOCK_KEY = 0x68697374

_metadata = MetaData()

# Names and values: the version of the tables, and what is known to be missing.
meta = Table(
    "history_meta",
    _metadata,
    Column("name", String(32), primary_key=True),
    Column("value", Text, nullable=False),
)

series = Table(
    "history_series",
    _metadata,
    Column("id", Integer, primary_key=True),
    Column("kind", String(64), nullable=False),
    Column("metric", String(128), nullable=False),
    Column("environment", String(64), nullable=False),
    Column("machine", String(64), nullable=False),
    Column("profile", String(64), nullable=False),
    UniqueConstraint("kind", "metric", "environment", "machine", "profile"),
)

records = Table(
    "history_records",
    _metadata,
    Column("id", Integer, primary_key=True),
    Column("sha256", String(64), nullable=False, unique=True),
    Column("run_id", String(128), nullable=False),
    Column("commit", String(64), nullable=False),
    Column("baseline", String(64)),
    Column("status", String(16), nullable=False),
)

# The time is text of one width (`evidence.record.iso`), so its order is that of time.
figures = Table(
    "history_figures",
    _metadata,
    Column("series_id", Integer, ForeignKey(series.c.id), nullable=False),
    Column("finished_at", String(32), nullable=False),
    Column("record_id", Integer, ForeignKey(records.c.id), nullable=False),
    Column("value", Double, nullable=False),
    PrimaryKeyConstraint("series_id", "finished_at", "record_id"),
    sqlite_with_rowid=False,
)

points = (
    select(
        records.c.run_id,
        series.c.kind,
        series.c.metric,
        figures.c.value,
        records.c.commit,
        records.c.baseline,
        series.c.environment,
        series.c.machine,
        series.c.profile,
        records.c.status,
        figures.c.finished_at,
        records.c.sha256.label("record"),
    )
    .select_from(figures)
    .join(series, figures.c.series_id == series.c.id)
    .join(records, figures.c.record_id == records.c.id)
)


def first_line(error: SQLAlchemyError) -> str:
    """What the database said, without SQL and parameters."""
    said = str(getattr(error, "orig", None) or error).strip()
    return said.splitlines()[0] if said else type(error).__name__


def parse_url(url: str | URL) -> URL:
    """The database that `url` (SQLAlchemy's form) names.

    Raises:
        HologramError: malformed, or neither a file of SQLite's nor PostgreSQL.
    """
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise HologramError(
            "the history's database is no URL: use sqlite:////folder/history.sqlite or postgresql://host/name."
        ) from None
    if parsed.drivername == "postgresql":
        parsed = parsed.set(drivername="postgresql+psycopg")
    backend = parsed.get_backend_name()
    if backend not in {"sqlite", "postgresql"}:
        raise HologramError(f"the history's database is a {backend} URL: use sqlite or postgresql.")
    if backend == "sqlite" and parsed.database in {None, "", ":memory:"}:
        raise HologramError("the history's database names no file: use sqlite:////folder/history.sqlite.")
    return parsed


def file_of(url: URL) -> Path | None:
    """The file of an SQLite database; None for PostgreSQL."""
    return Path(url.database or "") if url.get_backend_name() == "sqlite" else None


def connect(url: URL) -> Engine:
    """An engine for `url`; nothing is opened yet.

    Raises:
        HologramError: the driver is not installed.
    """
    try:
        engine = create_engine(url)
    except (ModuleNotFoundError, NoSuchModuleError) as error:
        raise HologramError(
            f"the history's database needs a driver ({error}): pip install 'hologram_dagster[postgres]'."
        ) from error
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _configure_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    return engine


def create_tables(engine: Engine) -> None:
    """Make what is missing of this version's tables.

    Raises:
        HologramError: they are of another version.
        SQLAlchemyError: the database failed.
    """
    with writing(engine).begin() as connection:
        if engine.dialect.name == "postgresql":
            # Two that create at once would fail on each other's names.
            connection.execute(select(func.pg_advisory_xact_lock(_LOCK_KEY)))
        _metadata.create_all(connection)
        found = connection.scalar(select(meta.c.value).where(meta.c.name == "schema_version"))
        if found is None:
            connection.execute(insert(meta).values(name="schema_version", value=str(SCHEMA_VERSION)))
            connection.execute(text(f"CREATE VIEW points AS {points.compile(dialect=engine.dialect)}"))
    if found not in {None, str(SCHEMA_VERSION)}:
        raise HologramError(
            f"the history's database has tables of version {found}, this program knows {SCHEMA_VERSION}: "
            "use the program that made it, or name another database and rebuild it from the evidence."
        )


def writing(engine: Engine) -> Engine:
    """`engine` for transactions that write: in SQLite they take their turn at their beginning."""
    return engine.execution_options(hologram_writing=True)


def _configure_sqlite(connection: Any, _record: Any) -> None:
    # No implicit transactions of the driver: see _begin_sqlite.
    connection.isolation_level = None
    # The history can be rebuilt, so a power failure may cost its last transactions.
    for pragma in (f"busy_timeout={_BUSY_TIMEOUT_MS}", "journal_mode=WAL", "synchronous=NORMAL"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    # A transaction that reads first and writes then would fail where another wrote in between.
    writes = connection.get_execution_options().get("hologram_writing", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
