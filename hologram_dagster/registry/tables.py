"""The registry's tables, their version, and how a database is opened.

SQLite (WAL, synchronous=FULL: a commit is on disk before it is acknowledged) or
PostgreSQL, by the URL. What belongs here: columns and connections; rows are `store`.
"""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Engine,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    create_engine,
    event,
    insert,
    select,
)
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from hologram_dagster.errors import HologramError

SCHEMA_VERSION = 1
_BUSY_TIMEOUT_MS = 5_000
# A connection for each thread of both lanes, and some for the readiness check.
_CONNECTIONS = 16

_metadata = MetaData()

schema_version = Table("schema_version", _metadata, Column("version", Integer, primary_key=True))

names = Table(
    "names",
    _metadata,
    Column("name", String(512), primary_key=True),
    Column("protected", Boolean, nullable=False),
    Column("app", Boolean, nullable=False),
    Column("cid", String(128), nullable=False, index=True),
    Column("manifest_cid", String(128), index=True),
    Column("manifest", LargeBinary),
    Column("sha256", String(64), nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("encoding", String(128), nullable=False, unique=True),
    Column("atlas", Text, nullable=False),
    Column("layers", Text, nullable=False),
    Column("published_at", String(32), nullable=False, index=True),
)

installations = Table(
    "installations",
    _metadata,
    Column("name", String(512), primary_key=True),
    Column("cid", String(128), nullable=False),
    Column("installed_at", String(32), nullable=False),
)


def first_line(error: SQLAlchemyError) -> str:
    """What the database said, without SQL and parameters."""
    said = str(getattr(error, "orig", None) or error).strip()
    return said.splitlines()[0] if said else type(error).__name__


def open_database(url: str) -> Engine:
    """Open a database, and create the tables of this version if it has none.

    `url` is SQLAlchemy's: `sqlite:////folder/registry.sqlite`, `postgresql://user@host/name`.

    Raises:
        HologramError: the URL is malformed, the database cannot be opened, or its tables
            are of another version of this program.
    """
    engine = _engine(url)
    try:
        with engine.begin() as connection:
            _metadata.create_all(connection)
            found = connection.scalar(select(schema_version.c.version))
            if found is None:
                connection.execute(insert(schema_version).values(version=SCHEMA_VERSION))
    except SQLAlchemyError as error:
        engine.dispose()
        raise HologramError(
            f"cannot open the registry's database: {first_line(error)}. Check --database."
        ) from error
    if found not in {None, SCHEMA_VERSION}:
        engine.dispose()
        raise HologramError(
            f"the registry's database has tables of version {found}, this program knows version "
            f"{SCHEMA_VERSION}: use the program that made it, or another --database."
        )
    return engine


def _engine(url: str) -> Engine:
    try:
        parsed = make_url(url)
        if parsed.drivername == "postgresql":
            parsed = parsed.set(drivername="postgresql+psycopg")
        backend = parsed.get_backend_name()
        if backend not in {"sqlite", "postgresql"}:
            raise HologramError(f"--database is a {backend} URL; use sqlite or postgresql.")
        if backend == "sqlite" and not parsed.database:
            raise HologramError("--database names no file: use sqlite:////folder/registry.sqlite.")
        engine = create_engine(
            parsed, pool_size=_CONNECTIONS, max_overflow=0, pool_timeout=5, pool_pre_ping=backend != "sqlite"
        )
    except (ArgumentError, NoSuchModuleError) as error:
        raise HologramError("--database is not a database URL: use sqlite:////folder/file.") from error
    except ModuleNotFoundError as error:
        raise HologramError(
            f"the database needs the package {error.name}: pip install 'hologram_dagster[postgres]'."
        ) from error
    if backend == "sqlite":
        event.listen(engine, "connect", _configure_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    return engine


def _configure_sqlite(connection: Any, _record: Any) -> None:
    # No implicit transactions of the driver: they leave DDL outside (see _begin_sqlite).
    connection.isolation_level = None
    for pragma in (
        f"busy_timeout={_BUSY_TIMEOUT_MS}",
        "journal_mode=WAL",
        "synchronous=FULL",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN")
