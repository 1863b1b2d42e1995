"""Figures come out as they went in: once each, in order, whoever writes and whatever breaks."""

import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from datetime import timedelta
from multiprocessing import get_context
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine, text

from hologram_dagster.errors import FormatError, HologramError
from hologram_dagster.history import tables
from hologram_dagster.history.index import FILE_NAME, History, Series
from hologram_dagster.observation import Status
from hologram_dagster_tests.evidence.helpers import MACHINE, NOW, OTHER_MACHINE
from hologram_dagster_tests.history.helpers import commit, record, temporary_history
from hologram_dagster_tests.postgres import POSTGRESQL, running_postgres

pytestmark = pytest.mark.phase6_perf

P95 = Series("perf_verify", "p95_ms", "local", MACHINE.fingerprint, "dev")
MINUTE = timedelta(minutes=1)


@pytest.fixture(scope="module", params=["sqlite", POSTGRESQL])
def url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("history")
    if request.param == "sqlite":
        yield f"sqlite:///{folder / FILE_NAME}"
        return
    with running_postgres(folder) as url:
        yield url


@pytest.fixture
def history(url: str) -> Iterator[History]:
    with History(url) as history:
        yield history
        history.rebuild([])


def test_a_record_is_added_once(history: History) -> None:
    seen = record(values={"p95_ms": 2.5, "n": 60})
    assert history.add(seen)
    assert not history.add(seen)
    assert list(history.read(P95)["value"]) == [2.5]
    assert [series.metric for series in history.series()] == ["n", "p95_ms"]


def test_every_column_is_the_records(history: History) -> None:
    history.add(record(number=7, run_id="run-7", status=Status.FAILED, facts={"baseline_commit": commit(3)}))
    (row,) = history.read(P95).to_dict("records")
    assert row == {
        "run_id": "run-7",
        "value": 2.0,
        "commit": commit(7),
        "baseline": commit(3),
        "status": "failed",
        "finished_at": NOW,
    }


def test_the_newest_are_read_oldest_first(history: History) -> None:
    for number in (3, 1, 4, 2):
        history.add(record(values={"p95_ms": number}, run_id=f"run-{number}", at=NOW + number * MINUTE))
    assert list(history.read(P95, last=3)["value"]) == [2, 3, 4]


def test_series_are_apart(history: History) -> None:
    history.add(record())
    history.add(record("perf_encode", {"p95_ms": 40}))
    history.add(record(values={"p95_ms": 3}, machine=OTHER_MACHINE))
    history.add(record(values={"p95_ms": 4}, environment="staging"))
    history.add(record(values={"p95_ms": 5}, profile="main"))
    assert list(history.read(P95)["value"]) == [2.0]
    assert len(history.series()) == 5
    assert [series.kind for series in history.series(kind="perf_encode")] == ["perf_encode"]


def test_an_unknown_series_is_empty(history: History) -> None:
    frame = history.read(P95)
    assert frame.empty
    assert str(frame["finished_at"].dt.tz) == "UTC"


def test_a_record_without_figures_is_known(history: History) -> None:
    seen = record("e2e_publish", {})
    assert history.add(seen)
    assert not history.add(seen)
    assert history.series() == []


def test_anyone_can_read_the_flat_view(history: History, url: str) -> None:
    history.add(record())
    engine = create_engine(tables.parse_url(url))
    with engine.connect() as connection:
        (row,) = connection.execute(text("SELECT * FROM points")).mappings()
    engine.dispose()
    assert tuple(row) == tables.COLUMNS
    assert (row["kind"], row["metric"], row["value"]) == ("perf_verify", "p95_ms", 2.0)


def test_a_rebuild_puts_the_records_in_the_place_of_all(history: History) -> None:
    history.add(record(run_id="gone"))
    assert history.rebuild(record(run_id=f"run-{number}") for number in range(3)) == 3
    assert set(history.read(P95)["run_id"]) == {"run-0", "run-1", "run-2"}


def test_a_rebuild_that_fails_leaves_what_was_there(history: History) -> None:
    def records() -> Iterator[object]:
        yield record(run_id="new")
        raise FormatError("the store holds something else")

    history.add(record(run_id="old"))
    with pytest.raises(FormatError, match="something else"):
        history.rebuild(records())  # type: ignore[arg-type]
    assert list(history.read(P95)["run_id"]) == ["old"]


def _write(url: str, writer: int) -> int:
    """Thirty records of this writer's, and thirty that every writer adds."""
    with History(url) as history:
        own = [record(run_id=f"run-{writer}-{number}") for number in range(30)]
        shared = [record(run_id=f"shared-{number}") for number in range(30)]
        return sum(history.add(seen) for pair in zip(own, shared, strict=True) for seen in pair)


def test_two_processes_write_at_once(history: History, url: str) -> None:
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        added = sum(pool.map(_write, [url] * 2, range(2)))
    assert added == 90
    assert len(history.read(P95)) == 90


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 9), st.floats(-1e9, 1e9)), max_size=12), st.integers(1, 8))
def test_reading_is_the_tail_of_all(points: list[tuple[int, float]], last: int) -> None:
    with temporary_history() as history:
        for number, (minute, value) in enumerate(points):
            history.add(record(values={"p95_ms": value}, run_id=f"run-{number}", at=NOW + minute * MINUTE))
        # Equal times keep the order in which they were added.
        expected = [value for _, value in sorted(points, key=lambda point: point[0])][-last:]
        assert list(history.read(P95, last=last)["value"]) == expected


def _damage(file: Path) -> bytes:
    """Overwrite everything but the header, as a failing disk might."""
    with sqlite3.connect(file) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    data = file.read_bytes()
    damaged = data[:100] + b"\xa5" * (len(data) - 100)
    file.write_bytes(damaged)
    return damaged


@pytest.mark.parametrize("content", [None, b"not a database at all" * 100])
def test_a_damaged_file_is_kept_and_reported_until_rebuilt(
    tmp_path: Path, content: bytes | None, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / FILE_NAME
    with History.in_folder(tmp_path) as history:
        history.add(record())
    if content is None:
        content = _damage(file)
    else:
        file.write_bytes(content)
    with History.in_folder(tmp_path) as history:
        aside = file.with_name(f"{FILE_NAME}.damaged-1")
        assert aside.read_bytes() == content
        assert "damaged" in caplog.text
        assert "history.sqlite.damaged-1" in history.notes()[0]
        assert history.read(P95).empty
        history.add(record(run_id="later"))
    with History.in_folder(tmp_path) as history:
        assert len(history.notes()) == 1
        history.rebuild([record(), record(run_id="later")])
        assert history.notes() == ()
        assert len(history.read(P95)) == 2


def test_damage_that_shows_while_open_is_set_aside_once(tmp_path: Path) -> None:
    with History.in_folder(tmp_path) as history, History.in_folder(tmp_path) as other:
        for number in range(50):
            history.add(record(run_id=f"run-{number}"))
        _damage(tmp_path / FILE_NAME)
        assert history.add(record(run_id="after"))
        assert other.add(record(run_id="too"))
        assert set(other.read(P95)["run_id"]) == {"after", "too"}
    assert not (tmp_path / f"{FILE_NAME}.damaged-2").exists()


def test_damage_that_nobody_met_stops_an_export_and_no_rebuild(tmp_path: Path) -> None:
    with History.in_folder(tmp_path) as history:
        for number in range(50):
            history.add(record(run_id=f"run-{number}"))
        _damage(tmp_path / FILE_NAME)
        with pytest.raises(HologramError, match="hologram history rebuild"):
            list(history.chunks())
        assert history.rebuild([record()]) == 1
        assert history.notes() == ()
        assert len(history.read(P95)) == 1
    assert (tmp_path / f"{FILE_NAME}.damaged-1").exists()


def test_a_killed_rebuild_leaves_what_was_there(tmp_path: Path) -> None:
    with History.in_folder(tmp_path) as history:
        history.add(record(run_id="old"))
        code = (
            "import sys, time; from pathlib import Path\n"
            "from hologram_dagster.history.index import History\n"
            "from hologram_dagster_tests.history.helpers import record\n"
            "def records():\n"
            "    yield record(run_id='new'); print('in', flush=True); time.sleep(60)\n"
            "History.in_folder(Path(sys.argv[1])).rebuild(records())\n"
        )
        child = subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True
        )
        assert child.stdout is not None
        assert child.stdout.readline() == "in\n"
        child.send_signal(signal.SIGKILL)
        child.communicate()
        assert list(history.read(P95)["run_id"]) == ["old"]
        assert history.add(record(run_id="next"))


def test_tables_of_another_version_are_refused(tmp_path: Path) -> None:
    History.in_folder(tmp_path).close()
    with sqlite3.connect(tmp_path / FILE_NAME) as connection:
        connection.execute("UPDATE history_meta SET value = '99' WHERE name = 'schema_version'")
    with pytest.raises(HologramError, match="version 99"):
        History.in_folder(tmp_path)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("history.sqlite", "no URL"),
        ("mysql://host/name", "mysql URL"),
        ("sqlite://", "names no file"),
        ("sqlite:///:memory:", "names no file"),
    ],
)
def test_a_wrong_url_is_refused(url: str, said: str) -> None:
    with pytest.raises(HologramError, match=said):
        History(url)


def test_an_unwritable_place_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(HologramError, match="file"):
        History.in_folder(tmp_path / "file")


def test_an_unreachable_server_is_an_error_not_a_bug() -> None:
    with pytest.raises(HologramError, match="failed"):
        History("postgresql://nobody@127.0.0.1:1/history")
