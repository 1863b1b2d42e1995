"""The registry's rows: names and what they name, their proofs, installations.

What belongs here: reading and writing rows, each write durable when it returns.
What does not: what they mean (`catalogue`), and bytes, which are in IPFS.
"""

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from sqlalchemy import Row, Table, bindparam, delete, false, func, or_, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import SQLAlchemyError

from hologram_dagster.registry.faults import Code, RefusedError
from hologram_dagster.registry.tables import first_line, installations, names, open_database

# Key of the PostgreSQL advisory lock: "holo" in ASCII.
_LOCK_KEY = 0x686F6C6F
_LOCK_WAIT_S = 5

_Parameters = ParamSpec("_Parameters")
_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class Entry:
    """One name and what it names. `layers`: the proof chain's names and hashes when published."""

    name: str
    protected: bool
    app: bool
    cid: str
    manifest_cid: str | None
    manifest: bytes | None
    sha256: str
    size: int
    encoding: str
    atlas: Mapping[str, Any]
    layers: tuple[tuple[str, str], ...]


_COLUMNS = tuple(names.c[field] for field in Entry.__dataclass_fields__)
_BY_NAME = select(*_COLUMNS).where(names.c.name == bindparam("key"))
_BY_ENCODING = select(*_COLUMNS).where(names.c.encoding == bindparam("key"))


def _entry(row: Row[Any]) -> Entry:
    fields = row._mapping
    layers = tuple((layer, digest) for layer, digest in json.loads(fields["layers"]))
    return Entry(**{**fields, "atlas": json.loads(fields["atlas"]), "layers": layers})


def _now() -> str:
    # Of fixed width, so that the order of the texts is that of the times.
    return datetime.now(UTC).isoformat(timespec="microseconds")


def _storage(method: Callable[_Parameters, _Result]) -> Callable[_Parameters, _Result]:
    """Let a failure of the database be a refusal that says so."""

    @wraps(method)
    def guarded(*arguments: _Parameters.args, **named: _Parameters.kwargs) -> _Result:
        try:
            return method(*arguments, **named)
        except SQLAlchemyError as error:
            raise RefusedError(
                Code.STORAGE_UNAVAILABLE, f"the registry's database failed: {first_line(error)}."
            ) from error

    return guarded


class Store:
    """One database. Every method raises `RefusedError` (STORAGE_UNAVAILABLE) if it fails."""

    def __init__(self, url: str) -> None:
        """Open the database at `url`; see `tables.open_database` for its errors."""
        self._engine = open_database(url)
        self._insert = postgresql.insert if self._engine.dialect.name == "postgresql" else sqlite.insert
        self._mutex = threading.Lock()

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()

    @_storage
    def check(self) -> None:
        """Make sure that the database answers."""
        with self._engine.connect() as connection:
            connection.execute(select(1))

    @contextmanager
    def changing_pins(self) -> Iterator[None]:
        """Let nobody else change names and pins meanwhile.

        A publication pins, then writes its row; a removal looks whether a row needs the
        pin, then unpins: the two must not mix. Holds for all registries of one
        PostgreSQL database, and for the one registry of an SQLite file.
        """
        if not self._mutex.acquire(timeout=_LOCK_WAIT_S):
            raise RefusedError(
                Code.OVERLOADED, "other changes are still waiting for the IPFS node; try again."
            )
        try:
            with ExitStack() as held:
                if self._engine.dialect.name == "postgresql":
                    self._lock_for_all(held)
                yield
        finally:
            self._mutex.release()

    @_storage
    def _lock_for_all(self, held: ExitStack) -> None:
        connection = held.enter_context(self._engine.connect())
        connection.execute(select(func.set_config("lock_timeout", f"{_LOCK_WAIT_S}s", True)))
        connection.execute(select(func.pg_advisory_xact_lock(_LOCK_KEY)))

    @_storage
    def put(self, entry: Entry) -> None:
        """Write `entry` under its name, in the place of what had the name."""
        values = {field: getattr(entry, field) for field in Entry.__dataclass_fields__}
        values |= {
            "atlas": json.dumps(entry.atlas),
            "layers": json.dumps(entry.layers),
            "published_at": _now(),
        }
        self._upsert(names, values)

    def _upsert(self, table: Table, values: Mapping[str, Any]) -> None:
        statement = self._insert(table).values(**values)
        others = {column: statement.excluded[column] for column in values if column != "name"}
        with self._engine.begin() as connection:
            connection.execute(statement.on_conflict_do_update(index_elements=["name"], set_=others))

    @_storage
    def get(self, name: str) -> Entry | None:
        """What has the name `name`."""
        with self._engine.connect() as connection:
            row = connection.execute(_BY_NAME, {"key": name}).one_or_none()
        return None if row is None else _entry(row)

    @_storage
    def get_by_encoding(self, encoding: str) -> Entry | None:
        """What has the encoding `encoding`."""
        with self._engine.connect() as connection:
            row = connection.execute(_BY_ENCODING, {"key": encoding}).one_or_none()
        return None if row is None else _entry(row)

    @_storage
    def latest_app_with(self, cid: str, *, protected: bool) -> Entry | None:
        """The app last published with `cid`; protected ones only with `protected`."""
        statement = select(*_COLUMNS).where(names.c.cid == cid, names.c.app)
        if not protected:
            statement = statement.where(names.c.protected == false())
        with self._engine.connect() as connection:
            row = connection.execute(
                statement.order_by(names.c.published_at.desc(), names.c.name).limit(1)
            ).one_or_none()
        return None if row is None else _entry(row)

    @_storage
    def search(self, part: str, *, protected: bool, limit: int) -> list[tuple[str, str]]:
        """Name and CID of up to `limit` apps whose name holds `part`, newest first."""
        statement = select(names.c.name, names.c.cid).where(
            names.c.app, names.c.name.icontains(part, autoescape=True)
        )
        if not protected:
            statement = statement.where(names.c.protected == false())
        with self._engine.connect() as connection:
            rows = connection.execute(
                statement.order_by(names.c.published_at.desc(), names.c.name).limit(limit)
            ).all()
        return [(row.name, row.cid) for row in rows]

    @_storage
    def needs(self, cid: str, *, besides: str) -> bool:
        """Whether a name other than `besides` names `cid`, as content or as manifest."""
        statement = (
            select(names.c.name)
            .where(or_(names.c.cid == cid, names.c.manifest_cid == cid), names.c.name != besides)
            .limit(1)
        )
        with self._engine.connect() as connection:
            return connection.execute(statement).first() is not None

    @_storage
    def remove(self, name: str) -> None:
        """Remove `name` and its installation; none there is fine."""
        with self._engine.begin() as connection:
            connection.execute(delete(names).where(names.c.name == name))
            connection.execute(delete(installations).where(installations.c.name == name))

    @_storage
    def install(self, name: str, cid: str) -> None:
        """Note that `name` is installed with the content `cid`."""
        self._upsert(installations, {"name": name, "cid": cid, "installed_at": _now()})

    @_storage
    def uninstall(self, name: str) -> bool:
        """Forget that `name` is installed; returns whether it was."""
        with self._engine.begin() as connection:
            gone = connection.execute(delete(installations).where(installations.c.name == name))
            return gone.rowcount > 0
