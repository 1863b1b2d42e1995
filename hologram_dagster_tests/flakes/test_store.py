"""The store keeps what it was told: under two writers, a kill, damage, and when read twice."""

import os
import signal
import sqlite3
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from hologram_dagster.errors import HologramError
from hologram_dagster.flakes.attempts import Attempt, Outcome, Phase
from hologram_dagster.flakes.store import FILE_NAME, Store
from hologram_dagster_tests.flakes.suites import HANG_S, NOW, attempts, run_of

pytestmark = pytest.mark.phase9_chaos

SINCE = NOW - timedelta(days=30)
# Adds runs of 20 attempts, telling each when it is kept.
WRITER = """
import sys
from pathlib import Path
from hologram_dagster.flakes.store import Store
from hologram_dagster_tests.flakes.suites import attempts, run_of
name, runs = sys.argv[2], int(sys.argv[3])
with Store(Path(sys.argv[1])) as store:
    for number in range(runs):
        run = run_of(f"{name}-{number}")
        store.add([each for test in range(10) for each in attempts(f"t{test}", "F.", run)])
        print(number, flush=True)
"""


def start_writer(path: Path, name: str, runs: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path), name, str(runs)], stdout=subprocess.PIPE, text=True
    )


def test_what_is_kept_comes_back(tmp_path: Path) -> None:
    told = Attempt(
        "a::b[1]", run_of(), 3, Outcome.FAILED, Phase.SETUP, 0.25, "OSError: N", NOW + timedelta(seconds=3)
    )
    with Store.in_folder(tmp_path) as store:
        assert store.add([told]) == 1
    with Store.in_folder(tmp_path) as store:
        assert store.attempts(since=SINCE) == [told]
        assert store.notes == []
    assert (tmp_path / FILE_NAME).exists()


def test_the_same_file_read_twice_counts_once(tmp_path: Path) -> None:
    with Store.in_folder(tmp_path) as store:
        assert store.add(attempts("t", "FF.")) == 3
        assert store.add(attempts("t", "FF..")) == 1
        (seen,) = store.occasions(since=SINCE)
    assert (seen.passes, seen.failures) == (2, 2)


def test_occasions_come_test_by_test_oldest_first_without_what_was_only_skipped(tmp_path: Path) -> None:
    runs = [run_of(f"r{day}", at=NOW - timedelta(days=day)) for day in (1, 3, 2, 40)]
    with Store.in_folder(tmp_path) as store:
        for run in runs:
            store.add([*attempts("b", ".", run), *attempts("a", "F", run), *attempts("c", "s", run)])
        seen = store.occasions(since=SINCE)
    assert [(each.test, each.run_id) for each in seen] == [
        (test, run) for test in ("a", "b") for run in ("r3", "r2", "r1")
    ]


def test_old_runs_are_forgotten(tmp_path: Path) -> None:
    old = run_of("old", at=NOW - timedelta(days=100))
    with Store.in_folder(tmp_path) as store:
        store.add([*attempts("gone", ".", old), *attempts("kept", "."), *attempts("kept", ".", old)])
        assert store.prune(before=SINCE) == 1
        assert {each.test for each in store.attempts(since=NOW - timedelta(days=1000))} == {"kept"}


def test_an_addition_that_fails_leaves_nothing(tmp_path: Path) -> None:
    naive = Attempt("t", run_of(), 1, Outcome.PASSED, started_at=NOW.replace(tzinfo=None))
    with Store.in_folder(tmp_path) as store:
        with pytest.raises(ValueError, match="time zone"):
            store.add([*attempts("t", "."), naive])
        assert store.attempts(since=SINCE) == []
        assert store.add(attempts("t", ".")) == 1


def test_two_writers_at_once_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / FILE_NAME
    writers = [start_writer(path, name, 15) for name in ("one", "two")]
    for writer in writers:
        writer.communicate(timeout=HANG_S)
        assert writer.returncode == 0
    with Store(path) as store:
        assert len(store.attempts(since=SINCE)) == 2 * 15 * 20
        assert len(store.occasions(since=SINCE)) == 2 * 15 * 10
        assert store.notes == []


def test_a_killed_writer_leaves_what_it_told_as_kept_and_no_half_run(tmp_path: Path) -> None:
    path = tmp_path / FILE_NAME
    writer = start_writer(path, "killed", 10_000)
    assert writer.stdout is not None
    for _ in range(12):
        told = int(writer.stdout.readline())
    os.kill(writer.pid, signal.SIGKILL)
    writer.communicate(timeout=HANG_S)
    with Store(path) as store:
        kept = store.attempts(since=SINCE)
        store.add(attempts("after", "."))
        assert store.notes == []
    assert len(kept) % 20 == 0
    assert {f"killed-{number}" for number in range(told + 1)} <= {each.run.run_id for each in kept}


@pytest.mark.parametrize("damage", ["no database at all", "pages"])
def test_a_damaged_file_is_kept_aside_and_told(tmp_path: Path, damage: str) -> None:
    path = tmp_path / FILE_NAME
    with Store(path) as store:
        for number in range(60):
            store.add(attempts(f"t{number}", "F." * 20, run_of(f"r{number}")))
    sqlite3.connect(path).execute("PRAGMA wal_checkpoint(TRUNCATE)").connection.close()
    whole = bytearray(path.read_bytes())
    if damage == "pages":
        whole[4096:] = b"\xff" * (len(whole) - 4096)
        path.write_bytes(bytes(whole))
    else:
        path.write_bytes(b"no database at all" * 100)
    broken = path.read_bytes()
    with Store(path) as store:
        assert store.occasions(since=SINCE) == []
        assert store.add(attempts("new", ".")) == 1
        (note,) = store.notes
    assert "damaged-1" in note
    assert (tmp_path / f"{FILE_NAME}.damaged-1").read_bytes() == broken
    with Store(path) as store:
        assert [each.test for each in store.attempts(since=SINCE)] == ["new"]
        assert store.notes == []


def test_a_store_of_another_version_or_place_is_refused(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "newer.sqlite") as connection:
        connection.execute("PRAGMA user_version=7")
    connection.close()
    with pytest.raises(HologramError, match="version 7"):
        Store(tmp_path / "newer.sqlite")
    (tmp_path / "folder").mkdir()
    with pytest.raises(HologramError, match="cannot be used"):
        Store(tmp_path / "folder")
