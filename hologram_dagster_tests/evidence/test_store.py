"""A record is stored once, whole or not at all, in a folder and in an object store alike."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from upath import UPath

from hologram_dagster.errors import HologramError, ServiceError
from hologram_dagster.evidence.record import MAX_BYTES, Record
from hologram_dagster.evidence.store import EvidenceStore
from hologram_dagster_tests.evidence.helpers import NOW, identity, observation, signer

pytestmark = pytest.mark.phase9_chaos


def record_of(kind: str = "perf_verify", run_id: str = "run-1") -> Record:
    return Record.from_observation(observation(kind), identity(run_id), signer(), now=NOW)


@pytest.fixture(params=["folder", "file URL", "object store"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[UPath]:
    if request.param == "object store":
        remote = UPath("memory://evidence-test-store")
        yield remote
        remote.fs.rm(remote.path, recursive=True)
    else:
        yield UPath(tmp_path / "records" if request.param == "folder" else (tmp_path / "records").as_uri())


def test_what_is_put_is_got(root: UPath) -> None:
    store, record = EvidenceStore(root), record_of()
    path = store.put(record)
    assert path == "2026/03/04/run-1/perf_verify-0.json"
    assert store.get(path) == record.to_bytes()
    assert UPath(store.uri(path)).read_bytes() == record.to_bytes()


def test_a_second_record_of_a_kind_never_replaces_the_first(root: UPath) -> None:
    store, first = EvidenceStore(root), record_of()
    second = Record.from_observation(observation("perf_verify"), identity(), signer(2), now=NOW)
    paths = [store.put(first), store.put(second)]
    assert paths[1] == "2026/03/04/run-1/perf_verify-1.json"
    assert [store.get(path) for path in paths] == [first.to_bytes(), second.to_bytes()]


def test_what_is_not_there_is_said_to_be_not_there(root: UPath) -> None:
    store = EvidenceStore(root)
    store.put(record_of())
    with pytest.raises(FileNotFoundError):
        store.get("2026/03/04/run-1/perf_gql-0.json")


def test_what_is_removed_is_gone_and_nothing_else(root: UPath) -> None:
    store = EvidenceStore(root)
    first, second = store.put(record_of()), store.put(record_of())
    store.remove(first)
    store.remove(first)
    with pytest.raises(FileNotFoundError):
        store.get(first)
    assert store.get(second) == record_of().to_bytes()
    third = store.put(replace(record_of(), run_id="run-2"))
    store.remove(second)
    assert [path.name for path in (root / "2026/03/04").iterdir()] == ["run-2"]
    assert store.get(third)


def test_a_huge_object_is_read_only_as_far_as_needed_to_refuse_it(root: UPath) -> None:
    store = EvidenceStore(root)
    path = store.put(record_of())
    (root / path).write_bytes(b" " * (3 * MAX_BYTES))
    assert len(store.get(path)) == MAX_BYTES + 1


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "records").write_text("a file where the folder should be")
    with pytest.raises(HologramError, match="records"):
        EvidenceStore(tmp_path / "records").put(record_of())


def test_a_store_that_cannot_be_read_is_no_missing_record(tmp_path: Path) -> None:
    store = EvidenceStore(tmp_path / "records")
    path = store.put(record_of())
    (tmp_path / "records" / path).unlink()
    (tmp_path / "records" / path).mkdir()
    with pytest.raises(ServiceError, match="perf_verify-0"):
        store.get(path)


def test_a_relative_folder_gives_a_full_uri(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    store = EvidenceStore(Path("records"))
    assert store.uri(store.put(record_of())).startswith(f"{tmp_path.as_uri()}/records/2026/")
