"""The registry's rows: names and what they name, their proofs, contents, installations.

What belongs here: reading and writing rows, each write durable when it returns.
What does not: what they mean (`catalogue`), and bytes, which are in IPFS.
"""

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache, wraps
from typing import Any, ParamSpec, TypeVar

from sqlalchemy import Connection, Engine, Row, Select, Table, bindparam, delete, false, func, or_, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import SQLAlchemyError

from hologram_dagster.protocol.ledger_entry import LedgerError
from hologram_dagster.registry.faults import AlteredError, Code, RefusedError, Violation
from hologram_dagster.registry.journal import Journal
from hologram_dagster.registry.tables import (
    LOCK_KEY,
    contents,
    first_line,
    for_single_reads,
    installations,
    names,
    open_database,
)

_LOCK_WAIT_S = 5
_KEPT = 2_048

_Parameters = ParamSpec("_Parameters")
_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class Entry:
    """One name and what it names.

    `atlas`: the Atlas metadata as pairs, in their order. `layers`: the proof chain's names
    and hashes when published.
    """

    name: str
    protected: bool
    app: bool
    cid: str
    manifest_cid: str | None
    manifest: bytes | None
    sha256: str
    size: int
    encoding: str
    atlas: tuple[tuple[str, Any], ...]
    layers: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Content:
    """What was stored with its text: its entry, the text's bytes, where it is found, its times.

    `created_at` and `updated_at` are ISO-8601, UTC; `seal` covers what the entry's proof
    chain does not.
    """

    entry: Entry
    data: bytes
    mime_type: str | None
    page: int
    cycle: int
    r96_class: int
    created_at: str
    updated_at: str
    seal: str


@dataclass(frozen=True, slots=True)
class Filters:
    """What a search of contents asks for; None asks nothing."""

    mime_type: str | None = None
    r96_class: int | None = None
    page: int | None = None
    cycle: int | None = None


_COLUMNS = tuple(names.c[field] for field in Entry.__dataclass_fields__)
_BY_NAME = select(*_COLUMNS).where(names.c.name == bindparam("key"))
_BY_ENCODING = select(*_COLUMNS).where(names.c.encoding == bindparam("key"))

_CONTENT_FIELDS = tuple(field for field in Content.__dataclass_fields__ if field != "entry")
_CONTENTS = select(*_COLUMNS, *(contents.c[field] for field in _CONTENT_FIELDS)).join(
    contents, contents.c.name == names.c.name
)
_CONTENT_BY_NAME = _CONTENTS.where(names.c.name == bindparam("key"))
_CONTENT_BY_ENCODING = _CONTENTS.where(names.c.encoding == bindparam("key"))
_NEWEST_FIRST = (contents.c.updated_at.desc(), contents.c.name.desc())


@lru_cache(_KEPT)
def _parsed(atlas: str, layers: str) -> tuple[tuple[tuple[str, Any], ...], tuple[tuple[str, str], ...]]:
    pairs = json.loads(layers)
    return tuple(json.loads(atlas).items()), tuple((layer, digest) for layer, digest in pairs)


def _entry(row: Row[Any]) -> Entry:
    fields = {field: row._mapping[field] for field in Entry.__dataclass_fields__}
    try:
        atlas, layers = _parsed(fields["atlas"], fields["layers"])
        entry = Entry(**{**fields, "atlas": atlas, "layers": layers})
        hash(entry)
    except (ValueError, TypeError, AttributeError, RecursionError):
        raise AlteredError(
            str(fields["name"]),
            str(fields["encoding"]),
            Violation.CONSERVATION,
            "its metadata or proof chain cannot be read",
        ) from None
    return entry


def _content(row: Row[Any]) -> Content:
    entry = _entry(row)
    fields = {field: row._mapping[field] for field in _CONTENT_FIELDS}
    if not isinstance(fields["data"], bytes):
        raise AlteredError(entry.name, entry.encoding, Violation.CONSERVATION, "its data are no bytes")
    return Content(entry=entry, **fields)


def matching(filters: Filters, *, protected: bool) -> Select[Any]:
    """The names of the contents that `filters` let through, newest first."""
    statement = select(contents.c.name, func.length(contents.c.data).label("bytes"))
    for field in Filters.__dataclass_fields__:
        wanted = getattr(filters, field)
        if wanted is not None:
            statement = statement.where(contents.c[field] == wanted)
    if not protected:
        statement = statement.where(contents.c.protected == false())
    return statement.order_by(*_NEWEST_FIRST)


def now() -> str:
    """The time as rows hold it: ISO-8601, UTC, microseconds."""
    # Of fixed width, so that the order of the texts is that of the times.
    return datetime.now(UTC).isoformat(timespec="microseconds")


def storage_guarded(method: Callable[_Parameters, _Result]) -> Callable[_Parameters, _Result]:
    """Let a failure of the database be a refusal that says so."""

    @wraps(method)
    def guarded(*arguments: _Parameters.args, **named: _Parameters.kwargs) -> _Result:
        try:
            return method(*arguments, **named)
        except SQLAlchemyError as error:
            raise RefusedError(
                Code.STORAGE_UNAVAILABLE, f"the registry's database failed: {first_line(error)}."
            ) from error
        except LedgerError as error:
            raise RefusedError(
                Code.TAMPERED, "the registry's journal was altered in the database: nothing is changed."
            ) from error

    return guarded


class Store:
    """One database. Every method raises `RefusedError` (STORAGE_UNAVAILABLE) if it fails."""

    def __init__(self, url: str, journal: Journal | None = None) -> None:
        """Open the database at `url`; see `tables.open_database` for its errors.

        Each change is entered in `journal`, if there is one.
        """
        self._journal = journal
        self._engine = open_database(url)
        self._reading = for_single_reads(self._engine)
        self._insert = postgresql.insert if self._engine.dialect.name == "postgresql" else sqlite.insert
        self._mutex = threading.Lock()

    @property
    def engine(self) -> Engine:
        """The database, for the tables that are not this module's."""
        return self._engine

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()

    @storage_guarded
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

    @storage_guarded
    def _lock_for_all(self, held: ExitStack) -> None:
        connection = held.enter_context(self._engine.connect())
        connection.execute(select(func.set_config("lock_timeout", f"{_LOCK_WAIT_S}s", True)))
        connection.execute(select(func.pg_advisory_xact_lock(LOCK_KEY)))

    @storage_guarded
    def put(self, entry: Entry, content: Content | None = None, *, replaced: str | None = None) -> None:
        """Write `entry` under its name, in the place of what had the name; `content` if it has one.

        `replaced` is the id of the content that it is an update of.
        """
        values = {field: getattr(entry, field) for field in Entry.__dataclass_fields__}
        values |= {
            "atlas": json.dumps(dict(entry.atlas)),
            "layers": json.dumps(entry.layers),
            "published_at": now(),
        }
        with self._engine.begin() as connection:
            self._upsert(connection, names, values)
            if content is None:
                connection.execute(delete(contents).where(contents.c.name == entry.name))
            else:
                of_content = {field: getattr(content, field) for field in _CONTENT_FIELDS}
                of_content |= {"name": entry.name, "protected": entry.protected}
                self._upsert(connection, contents, of_content)
            stored = "store" if replaced is None else "update"
            facts = {"name": entry.name, "encoding": entry.encoding, "cid": entry.cid}
            self._note(connection, "publish" if content is None else stored, {**facts, "replaced": replaced})

    def _note(self, connection: Connection, operation: str, facts: Mapping[str, Any]) -> None:
        if self._journal is not None:
            self._journal.append(connection, operation, facts)

    def _upsert(self, connection: Connection, table: Table, values: Mapping[str, Any]) -> None:
        statement = self._insert(table).values(**values)
        others = {column: statement.excluded[column] for column in values if column != "name"}
        connection.execute(statement.on_conflict_do_update(index_elements=["name"], set_=others))

    @storage_guarded
    def get(self, name: str) -> Entry | None:
        """What has the name `name`."""
        with self._reading.connect() as connection:
            row = connection.execute(_BY_NAME, {"key": name}).one_or_none()
        return None if row is None else _entry(row)

    @storage_guarded
    def get_by_encoding(self, encoding: str) -> Entry | None:
        """What has the encoding `encoding`."""
        with self._reading.connect() as connection:
            row = connection.execute(_BY_ENCODING, {"key": encoding}).one_or_none()
        return None if row is None else _entry(row)

    @storage_guarded
    def content(self, name: str) -> Content | None:
        """The content that has the name `name`."""
        with self._reading.connect() as connection:
            row = connection.execute(_CONTENT_BY_NAME, {"key": name}).one_or_none()
        return None if row is None else _content(row)

    @storage_guarded
    def content_by_encoding(self, encoding: str) -> Content | None:
        """The content that has the encoding `encoding`."""
        with self._reading.connect() as connection:
            row = connection.execute(_CONTENT_BY_ENCODING, {"key": encoding}).one_or_none()
        return None if row is None else _content(row)

    @storage_guarded
    def find_contents(
        self, filters: Filters, *, protected: bool, limit: int, offset: int, max_bytes: int
    ) -> list[Content]:
        """Up to `limit` contents from the `offset`th on, newest first.

        Raises:
            RefusedError: BAD_REQUEST, their data are more than `max_bytes` bytes together.
        """
        page = matching(filters, protected=protected).limit(limit).offset(offset)
        with self._engine.begin() as connection:
            found = connection.execute(page).all()
            size = sum(row.bytes for row in found)
            if size > max_bytes:
                raise RefusedError(
                    Code.BAD_REQUEST,
                    f"what was found has {size} bytes, {max_bytes} are left for this answer: "
                    "ask for fewer with a smaller `limit`.",
                )
            chosen = [row.name for row in found]
            rows = connection.execute(
                _CONTENTS.where(contents.c.name.in_(chosen)).order_by(*_NEWEST_FIRST)
            ).all()
        return [_content(row) for row in rows]

    @storage_guarded
    def newest_content(self, filters: Filters, *, protected: bool) -> Content | None:
        """The newest content that `filters` let through."""
        newest = matching(filters, protected=protected).limit(1).subquery()
        with self._reading.connect() as connection:
            row = connection.execute(_CONTENTS.where(names.c.name == select(newest.c.name).scalar_subquery()))
            found = row.one_or_none()
        return None if found is None else _content(found)

    @storage_guarded
    def count_contents(self) -> int:
        """How many contents there are."""
        with self._reading.connect() as connection:
            return connection.scalar(select(func.count()).select_from(contents)) or 0

    @storage_guarded
    def latest_app_with(self, cid: str, *, protected: bool) -> Entry | None:
        """The app last published with `cid`; protected ones only with `protected`."""
        statement = select(*_COLUMNS).where(names.c.cid == cid, names.c.app)
        if not protected:
            statement = statement.where(names.c.protected == false())
        with self._reading.connect() as connection:
            row = connection.execute(
                statement.order_by(names.c.published_at.desc(), names.c.name).limit(1)
            ).one_or_none()
        return None if row is None else _entry(row)

    @storage_guarded
    def search(self, part: str, *, protected: bool, limit: int) -> list[Entry]:
        """Up to `limit` apps whose name holds `part`, newest first."""
        statement = select(*_COLUMNS).where(names.c.app, names.c.name.icontains(part, autoescape=True))
        if not protected:
            statement = statement.where(names.c.protected == false())
        with self._reading.connect() as connection:
            rows = connection.execute(
                statement.order_by(names.c.published_at.desc(), names.c.name).limit(limit)
            ).all()
        return [_entry(row) for row in rows]

    @storage_guarded
    def needs(self, cid: str, *, besides: str) -> bool:
        """Whether a name other than `besides` names `cid`, as content or as manifest."""
        statement = (
            select(names.c.name)
            .where(or_(names.c.cid == cid, names.c.manifest_cid == cid), names.c.name != besides)
            .limit(1)
        )
        with self._reading.connect() as connection:
            return connection.execute(statement).first() is not None

    @storage_guarded
    def needed_cids(self) -> frozenset[str]:
        """All that names name, as content or as manifest."""
        of_content, of_manifest = select(names.c.cid), select(names.c.manifest_cid)
        statement = of_content.union(of_manifest.where(names.c.manifest_cid.is_not(None)))
        with self._reading.connect() as connection:
            return frozenset(connection.execute(statement).scalars())

    @storage_guarded
    def remove(self, name: str) -> None:
        """Remove `name`, its content and its installation; none there is fine."""
        with self._engine.begin() as connection:
            for table in (contents, installations):
                connection.execute(delete(table).where(table.c.name == name))
            if connection.execute(delete(names).where(names.c.name == name)).rowcount:
                self._note(connection, "delete", {"name": name})

    @storage_guarded
    def install(self, name: str, cid: str) -> None:
        """Note that `name` is installed with the content `cid`."""
        values = {"name": name, "cid": cid, "installed_at": now()}
        with self._engine.begin() as connection:
            self._upsert(connection, installations, values)
            self._note(connection, "install", {"name": name, "cid": cid})

    @storage_guarded
    def uninstall(self, name: str) -> bool:
        """Forget that `name` is installed; returns whether it was."""
        with self._engine.begin() as connection:
            gone = connection.execute(delete(installations).where(installations.c.name == name))
            if gone.rowcount:
                self._note(connection, "uninstall", {"name": name})
            return gone.rowcount > 0
