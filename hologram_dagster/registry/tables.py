"""The registry's tables, their version, and how a database is opened.

SQLite (WAL, synchronous=FULL: a commit is on disk before it is acknowledged) or
PostgreSQL, by the URL. What belongs here: columns and connections; rows are `store`.
"""

from collections.abc import Callable
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Engine,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    create_engine,
    event,
    func,
    insert,
    inspect,
    select,
    update,
)
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from hologram_dagster.errors import HologramError

SCHEMA_VERSION = 4
_BUSY_TIMEOUT_MS = 5_000
# A connection for each thread of both lanes, and some for the readiness check.
_CONNECTIONS = 16
# Key of the PostgreSQL advisory lock: "holo" in ASCII.
LOCK_KEY = 0x686F6C6F
# And of the one that keeps appends to the journal apart.
JOURNAL_LOCK_KEY = LOCK_KEY + 1
# Execution option of a connection that will write: it takes SQLite's write lock at its beginning.
_WRITES = "hologram_writes"
# Of one that reads by single statements: no transaction around each.
_SINGLE_READS = "hologram_single_reads"

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

# What was stored with its text: the second dialect's content. Each filter of a search has an index that
# also gives the order, newest first.
contents = Table(
    "contents",
    _metadata,
    Column("name", String(512), primary_key=True),
    Column("protected", Boolean, nullable=False),
    Column("data", LargeBinary, nullable=False),
    Column("mime_type", String(128)),
    Column("page", Integer, nullable=False),
    Column("cycle", Integer, nullable=False),
    Column("r96_class", Integer, nullable=False),
    Column("created_at", String(32), nullable=False),
    Column("updated_at", String(32), nullable=False),
    Column("seal", String(64), nullable=False),
    Index("ix_contents_newest", "updated_at", "name"),
    Index("ix_contents_coordinates", "page", "cycle", "updated_at", "name"),
    Index("ix_contents_page", "page", "updated_at", "name"),
    Index("ix_contents_cycle", "cycle", "updated_at", "name"),
    Index("ix_contents_r96_class", "r96_class", "updated_at", "name"),
    Index("ix_contents_mime_type", "mime_type", "updated_at", "name"),
)

# The nonces that were used, shared by all registries of the database, until their times are over.
nonces = Table(
    "nonces",
    _metadata,
    Column("nonce", String(128), primary_key=True),
    Column("timestamp", BigInteger, nullable=False, index=True),
)

# One row: no nonce with a timestamp up to `floor` is accepted any more, as those are forgotten.
nonce_floor = Table(
    "nonce_floor",
    _metadata,
    Column("id", Integer, primary_key=True),
    Column("floor", BigInteger, nullable=False),
)

# What was done, as a signed hash ledger: see `journal`.
operations = Table(
    "operations",
    _metadata,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("line", Text, nullable=False),
)


def first_line(error: SQLAlchemyError) -> str:
    """What the database said, without SQL and parameters."""
    said = str(getattr(error, "orig", None) or error).strip()
    return said.splitlines()[0] if said else type(error).__name__


def open_database(url: str) -> Engine:
    """Open a database: make the tables if it has none, upgrade those of an older version.

    `url` is SQLAlchemy's: `sqlite:////folder/registry.sqlite`, `postgresql://user@host/name`.

    Raises:
        HologramError: the URL is malformed, the database cannot be opened or upgraded, or
            its tables are of a newer version of this program.
    """
    engine = _engine(url)
    try:
        with engine.connect().execution_options(**{_WRITES: True}) as connection, connection.begin():
            _bring_up_to_date(connection)
    except SQLAlchemyError as error:
        engine.dispose()
        raise HologramError(
            f"cannot open the registry's database: {first_line(error)}. Check --database."
        ) from error
    except HologramError:
        engine.dispose()
        raise
    return engine


def for_single_reads(engine: Engine) -> Engine:
    """The same database, for reading by one statement a connection: half the cost."""
    if engine.dialect.name == "postgresql":
        return engine.execution_options(isolation_level="AUTOCOMMIT")
    return engine.execution_options(**{_SINGLE_READS: True})


def _bring_up_to_date(connection: Connection) -> None:
    """All in the caller's transaction: an upgrade that fails leaves the database as it was."""
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(LOCK_KEY)))
    found = None
    if inspect(connection).has_table(schema_version.name):
        found = connection.scalar(select(schema_version.c.version))
    if found is None:
        _metadata.create_all(connection)
        connection.execute(insert(nonce_floor).values(id=1, floor=-1))
        connection.execute(insert(schema_version).values(version=SCHEMA_VERSION))
        return
    if found not in {*_UPGRADES, SCHEMA_VERSION}:
        raise HologramError(
            f"the registry's database has tables of version {found}, this program knows version "
            f"{SCHEMA_VERSION}: use the program that made it, or another --database."
        )
    for version in range(found, SCHEMA_VERSION):
        _UPGRADES[version](connection)
    connection.execute(update(schema_version).values(version=SCHEMA_VERSION))


def _add_contents(connection: Connection) -> None:
    # Version 1 kept texts in IPFS alone: what it stored resolves as before, and is content of the
    # second dialect once it is stored again.
    contents.create(connection)


def _add_nonces(connection: Connection) -> None:
    # Version 2 asked for no nonces: none was used before.
    nonces.create(connection)
    nonce_floor.create(connection)
    connection.execute(insert(nonce_floor).values(id=1, floor=-1))


def _add_operations(connection: Connection) -> None:
    # Version 3 kept no account: the ledger begins with what is done from now on.
    operations.create(connection)


# How to get from each older version to the next one.
_UPGRADES: dict[int, Callable[[Connection], None]] = {1: _add_contents, 2: _add_nonces, 3: _add_operations}


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
    options = connection.get_execution_options()
    if not options.get(_SINGLE_READS):
        connection.exec_driver_sql("BEGIN IMMEDIATE" if options.get(_WRITES) else "BEGIN")
