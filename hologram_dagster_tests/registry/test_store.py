"""Rows are what was written, over reopening, in SQLite and in PostgreSQL alike."""

import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from hologram_dagster.errors import HologramError
from hologram_dagster.registry import proofs, store
from hologram_dagster.registry.faults import Code, RefusedError
from hologram_dagster.registry.names import is_protected
from hologram_dagster.registry.store import Entry, Store
from hologram_dagster_tests.postgres import POSTGRESQL, running_postgres

pytestmark = pytest.mark.phase5_graphql


def made(name: str, *, cid: str = "QmX", app: bool = True, manifest_cid: str | None = None) -> Entry:
    return proofs.entry_for(
        name,
        name.encode(),
        protected=is_protected(name),
        app=app,
        cid=cid,
        manifest_cid=manifest_cid,
        manifest=None if manifest_cid is None else b'{"a":"\xc3\xbc"}',
    )


@pytest.fixture(scope="module", params=["sqlite", POSTGRESQL])
def url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("database")
    if request.param == "sqlite":
        yield f"sqlite:///{folder / 'registry.sqlite'}"
        return
    with running_postgres(folder) as url:
        yield url


@pytest.fixture
def database(url: str) -> Iterator[Store]:
    database = Store(url)
    yield database
    for found in database.search("", protected=True, limit=1000):
        database.remove(found.name)
    database.close()


def test_an_entry_is_read_as_it_was_written_also_after_reopening(database: Store, url: str) -> None:
    entry = made("größe/名前", manifest_cid="QmM")
    database.put(entry)
    assert database.get(entry.name) == entry
    again = Store(url)
    assert again.get(entry.name) == entry
    assert again.get_by_encoding(entry.encoding) == entry
    again.close()


def test_what_is_not_there_is_none(database: Store) -> None:
    assert database.get("does/not/exist/") is None
    assert database.get_by_encoding("uor:sha256:" + "0" * 64) is None
    assert database.latest_app_with("QmX", protected=True) is None


def test_a_name_is_written_over(database: Store) -> None:
    database.put(made("a", cid="QmOld"))
    database.put(made("a", cid="QmNew"))
    found = database.get("a")
    assert found is not None
    assert found.cid == "QmNew"
    assert len(database.search("", protected=True, limit=10)) == 1


def test_search_takes_wildcards_literally_and_the_newest_first(database: Store) -> None:
    for name in ("app_1", "appX1", "app%1", "APP_2", "app\\1"):
        database.put(made(name))

    def hits(part: str, limit: int = 10) -> list[str]:
        return [found.name for found in database.search(part, protected=False, limit=limit)]

    assert hits("app_") == ["APP_2", "app_1"]
    assert hits("%") == ["app%1"]
    assert hits("\\") == ["app\\1"]
    assert hits("app", limit=2) == ["app\\1", "APP_2"]
    assert hits("'; drop table names; --") == []
    database.put(made("app_1"))
    assert hits("app", limit=1) == ["app_1"]


def test_search_shows_apps_and_protected_ones_only_when_asked(database: Store) -> None:
    database.put(made("secure/app"))
    database.put(made("object", app=False))
    assert database.search("", protected=False, limit=10) == []
    assert database.search("", protected=True, limit=10) == [made("secure/app")]
    database.remove("object")


def test_the_app_of_a_cid_is_the_one_published_last(database: Store) -> None:
    for name in ("first", "second", "secure/third"):
        database.put(made(name))
    for protected, name in ((False, "second"), (True, "secure/third")):
        found = database.latest_app_with("QmX", protected=protected)
        assert found is not None
        assert found.name == name


def test_a_cid_is_needed_while_another_name_uses_it(database: Store) -> None:
    database.put(made("a", cid="QmA", manifest_cid="QmM"))
    assert not database.needs("QmA", besides="a")
    database.put(made("b", cid="QmM"))
    assert database.needs("QmM", besides="a")
    database.remove("b")
    assert not database.needs("QmM", besides="a")


def test_installing_and_uninstalling(database: Store) -> None:
    database.put(made("a"))
    assert not database.uninstall("a")
    database.install("a", "QmX")
    database.install("a", "QmX")
    assert database.uninstall("a")
    assert not database.uninstall("a")
    database.install("a", "QmX")
    database.remove("a")
    assert not database.uninstall("a")


def test_pins_are_changed_by_one_at_a_time(
    database: Store, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "_LOCK_WAIT_S", 1)
    # Another registry of the same PostgreSQL; of an SQLite file there is only one.
    other = Store(url) if url.startswith("postgresql") else database
    refused: list[object] = []

    def try_too() -> None:
        try:
            with other.changing_pins():
                pass
        except RefusedError as error:
            refused.append(error.code)

    with database.changing_pins():
        thread = threading.Thread(target=try_too)
        thread.start()
        thread.join()
    assert refused
    try_too()
    assert len(refused) == 1
    if other is not database:
        other.close()


def test_sqlite_is_set_to_be_durable(tmp_path: Path) -> None:
    database = Store(f"sqlite:///{tmp_path / 'r.sqlite'}")
    with database._engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
    database.close()


@pytest.mark.parametrize(
    "url",
    ["", "no url", "mysql://a/b", "sqlite://", "sqlite:////no/such/folder/r.sqlite", "sqlite:////dev/null"],
)
def test_an_unusable_database_is_named(url: str) -> None:
    with pytest.raises(HologramError, match="database"):
        Store(url)


def test_a_broken_database_is_a_refusal(tmp_path: Path) -> None:
    path = tmp_path / "r.sqlite"
    database = Store(f"sqlite:///{path}")
    with sqlite3.connect(path) as raw:
        raw.execute("DROP TABLE names")
    raw.close()
    with pytest.raises(RefusedError, match="no such table") as refused:
        database.get("a")
    assert refused.value.code is Code.STORAGE_UNAVAILABLE
    assert "SELECT" not in str(refused.value)
    with pytest.raises(RefusedError, match="no such table"):
        database.put(made("a"))
    database.close()
