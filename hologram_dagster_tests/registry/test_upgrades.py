"""A database of an older version is upgraded whole or not at all; one of a newer version is refused."""

import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from hologram_dagster.errors import HologramError
from hologram_dagster.ipfs.node import IpfsNode
from hologram_dagster.registry import proofs
from hologram_dagster.registry.process import RegistryProcess
from hologram_dagster.registry.store import Store
from hologram_dagster.registry.tables import SCHEMA_VERSION
from hologram_dagster_tests.postgres import running_postgres
from hologram_dagster_tests.registry.conftest import poster

pytestmark = [pytest.mark.phase5_graphql, pytest.mark.phase2_5_hardening]

VERSION_1 = Path(__file__).with_name("version_1.sql")
NAMES = {"demo/object/alpha", "secure/object/admin-only", "docs/strict"}


@pytest.fixture
def old(tmp_path: Path) -> Path:
    path = tmp_path / "registry.sqlite"
    with closing(sqlite3.connect(path)) as raw:
        raw.executescript(VERSION_1.read_text())
    return path


def tables(path: Path) -> tuple[int, set[str]]:
    with closing(sqlite3.connect(path)) as raw:
        (version,) = raw.execute("SELECT version FROM schema_version").fetchone()
        return version, {name for (name,) in raw.execute("SELECT name FROM sqlite_master")}


def check_upgraded(url: str) -> None:
    for _ in range(2):
        store = Store(url)
        for name in NAMES:
            entry = store.get(name)
            assert entry is not None
            assert proofs.check(entry).fault is None
        assert store.count_contents() == 0
        store.close()


def test_version_1_is_upgraded_and_keeps_all_it_had(old: Path) -> None:
    check_upgraded(f"sqlite:///{old}")
    assert tables(old)[0] == SCHEMA_VERSION


def test_an_upgraded_database_has_the_tables_of_a_new_one(old: Path, tmp_path: Path) -> None:
    Store(f"sqlite:///{old}").close()
    Store(f"sqlite:///{tmp_path / 'new.sqlite'}").close()
    assert tables(old) == tables(tmp_path / "new.sqlite")


@pytest.mark.system("postgresql")
def test_version_1_is_upgraded_in_postgresql(tmp_path_factory: pytest.TempPathFactory) -> None:
    # The same rows, spelled as PostgreSQL spells bytes and booleans.
    script = VERSION_1.read_text().replace("BLOB", "BYTEA")
    script = re.sub(r"X'([0-9A-F]*)'", r"'\\x\1'", script)
    script = re.sub(r"',([01]),([01]),'Qm", r"','\1','\2','Qm", script)
    statements = re.sub(r"^(BEGIN TRANSACTION|COMMIT);$", "", script, flags=re.MULTILINE)
    with running_postgres(tmp_path_factory.mktemp("postgres")) as url:
        engine = create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
        with engine.begin() as connection:
            connection.execute(text(statements.replace(": ", r"\: ")))
        engine.dispose()
        check_upgraded(url)


def test_an_upgrade_that_fails_changes_nothing(old: Path) -> None:
    with closing(sqlite3.connect(old)) as raw, raw:
        # Half of the upgrade works: the table is made, the last of its indices is not.
        raw.execute("CREATE INDEX ix_contents_mime_type ON names (size)")
    before = tables(old)
    with pytest.raises(HologramError, match="cannot open the registry's database"):
        Store(f"sqlite:///{old}")
    assert tables(old) == before
    with closing(sqlite3.connect(old)) as raw, raw:
        raw.execute("DROP INDEX ix_contents_mime_type")
    check_upgraded(f"sqlite:///{old}")


@pytest.mark.parametrize("version", [SCHEMA_VERSION + 1, 99, 0, -1])
def test_tables_of_an_unknown_version_are_refused(old: Path, version: int) -> None:
    with closing(sqlite3.connect(old)) as raw, raw:
        raw.execute("UPDATE schema_version SET version = ?", [version])
    before = tables(old)
    with pytest.raises(HologramError, match=rf"version {version}, this program knows .*another --database"):
        Store(f"sqlite:///{old}")
    assert tables(old) == before


def test_a_registry_serves_an_upgraded_database(old: Path, node: IpfsNode) -> None:
    with RegistryProcess.start(old.parent, ipfs_api=node.api_url) as registry:
        post = poster(registry.url)
        name = {"n": "demo/object/alpha"}
        resolve = "query($n:String!){ resolve(name:$n){ encoding proofChain{ valid } } }"
        before = post(resolve, name)["data"]["resolve"]
        assert all(layer["valid"] for layer in before["proofChain"])
        # Version 1 kept no texts: stored again, it is content of the second dialect, too.
        content = "query($n:String!){ resolveContent(name:$n){ id data } }"
        assert post(content, name)["data"]["resolveContent"] is None
        store = "mutation($n:String!,$d:String!){ storeContent(name:$n,data:$d){ id } }"
        stored = post(store, {**name, "d": "Hello Hologram"})["data"]["storeContent"]["id"]
        assert stored == before["encoding"]
        found = post(content, name)["data"]["resolveContent"]
        assert found == {"id": stored, "data": "Hello Hologram"}
