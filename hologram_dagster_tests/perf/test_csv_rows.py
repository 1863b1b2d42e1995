"""The CSV files stay the user's: eight columns, only appended to, and readable whatever they hold."""

import csv
import json
import multiprocessing
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hologram_dagster.errors import HologramError
from hologram_dagster.perf.csv_rows import COLUMNS, Row, append_rows, read_rows, row_of, rows_of_run
from hologram_dagster.perf.statistics import Summary

pytestmark = pytest.mark.phase6_perf

HEADER = "suite,metric,p50_ms,p95_ms,p99_ms,avg_ms,n,note"
GOOD = "core,verify_ms,1.000,2.000,3.000,1.500,60,atlas.verify"
META = {"run_id": "r1", "commit": "c" * 40, "environment": "local", "machine": "m1"}


def a_row(p95_ms: float = 2.0, note: str = "atlas.verify") -> Row:
    return row_of(Summary(1.0, p95_ms, 3.0, 1.5, 60), suite="core", metric="verify_ms", note=note)


def test_the_bytes_are_the_contracts(tmp_path: Path) -> None:
    path = tmp_path / "perf" / "core_perf.csv"
    append_rows(path, [a_row()], META)
    append_rows(path, [a_row(2.0004)], META)
    assert path.read_text() == f"{HEADER}\n{GOOD}\n{GOOD}\n"
    assert not list(path.parent.glob("*foreign*"))


def test_a_reader_of_today_sees_the_eight_columns(tmp_path: Path) -> None:
    path = tmp_path / "graphql_perf.csv"
    append_rows(path, [a_row(note='name=a, "b"\nc')], META)
    with path.open(newline="") as stream:
        (row,) = csv.DictReader(stream)
    assert tuple(row) == COLUMNS
    assert row["note"] == 'name=a, "b" c'


def test_a_row_knows_its_run(tmp_path: Path) -> None:
    path = tmp_path / "core_perf.csv"
    append_rows(path, [a_row(5.0)], {**META, "run_id": "old"})
    with path.open("a") as stream:
        stream.write("core,verify_ms,1,9.9,3,2,60,by another tool\n")
    append_rows(path, [a_row(), a_row(7.0)], META)
    rows, notes = read_rows(tmp_path)
    assert notes == []
    assert [row.p95_ms for row in rows] == [5.0, 9.9, 2.0, 7.0]
    assert [row.line for row in rows] == [2, 3, 4, 5]
    assert {row.file for row in rows} == {"core_perf.csv"}
    assert rows[0].key == "core.verify_ms"
    assert rows[1].meta == {}
    assert rows[3].meta == META
    assert [row.p95_ms for row in rows_of_run(rows, "r1")] == [2.0, 7.0]


def test_of_equal_rows_the_last_is_of_the_last_run_even_if_earlier_ones_were_cut(tmp_path: Path) -> None:
    path = tmp_path / "core_perf.csv"
    for run in ("r1", "r2", "r3"):
        append_rows(path, [a_row()], {**META, "run_id": run})
    path.write_text(f"{HEADER}\n{GOOD}\n")
    rows, _ = read_rows(tmp_path)
    assert [row.meta["run_id"] for row in rows] == ["r3"]


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("core,verify_ms,1.0,2.0", "4 cells, the header has 8"),
        (f"{GOOD},extra", "9 cells"),
        ("core,verify_ms,1,abc,3,2,60,x", "p95_ms is 'abc'"),
        ("core,verify_ms,1,nan,3,2,60,x", "p95_ms is 'nan'"),
        ("core,verify_ms,1,inf,3,2,60,x", "p95_ms is 'inf'"),
        ("core,verify_ms,1,-2,3,2,60,x", "p95_ms is '-2'"),
        ("core,verify_ms,1,,3,2,60,x", "p95_ms is ''"),
        ("core,verify_ms,1,2,3,2,0,x", "n is '0'"),
        ("core,verify_ms,1,2,3,2,1.5,x", "n is '1.5'"),
        (",verify_ms,1,2,3,2,60,x", "suite or metric is empty"),
        ("\x00\x01\x02", "1 cells"),
        ('core,verify_ms,1,2,3,2,60,"open quote', None),
        (HEADER, "p50_ms is 'p50_ms'"),
    ],
)
def test_a_malformed_line_is_a_note_and_its_neighbours_are_read(
    tmp_path: Path, line: str, why: str | None
) -> None:
    (tmp_path / "a.csv").write_text(f"{HEADER}\n{GOOD}\n{line}\n\n{GOOD}\n")
    rows, notes = read_rows(tmp_path)
    assert [row.line for row in rows if row.note == "atlas.verify"] == [2, 5]
    if why is not None:
        (note,) = notes
        assert note.startswith("a.csv line 3: not a row: ")
        assert why in note


def test_empty_headless_and_foreign_files_are_notes(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"")
    (tmp_path / "b.csv").write_text(f"{GOOD}\n{GOOD}\n")
    (tmp_path / "c.csv").write_text("x,y\n1,2\n")
    (tmp_path / "d.csv").mkdir()
    (tmp_path / "e.csv").write_text("\n\n")
    rows, notes = read_rows(tmp_path)
    assert rows == []
    assert [note.split(":")[0] for note in notes] == [
        *("a.csv line 1", "b.csv line 1", "c.csv line 1", "d.csv", "e.csv line 1"),
    ]
    assert read_rows(tmp_path / "absent") == ([], [])


def test_more_columns_in_another_order_are_read(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(
        "run,n,note,suite,metric,p50_ms,p95_ms,p99_ms,avg_ms\n7,60,x,core,verify_ms,1,2,3,1.5\n"
    )
    (row,), notes = read_rows(tmp_path)
    assert notes == []
    assert (row.suite, row.metric, row.p95_ms, row.n, row.note) == ("core", "verify_ms", 2, 60, "x")


def test_encodings_are_read_line_by_line(tmp_path: Path) -> None:
    accented = GOOD.replace("atlas.verify", "vérifié")
    mixed = f"\ufeff{HEADER}\r\n{accented}\r\n".encode() + accented.encode("latin-1") + b"\r\n"
    (tmp_path / "a.csv").write_bytes(mixed)
    (tmp_path / "b.csv").write_bytes(f"{HEADER}\r\n{accented}\r\n".encode("utf-16"))
    rows, notes = read_rows(tmp_path)
    assert [row.note for row in rows] == ["vérifié"] * 3
    assert notes == [
        "a.csv line 3: not UTF-8; read as Latin-1",
        "b.csv line 1: the file is UTF-16, as some shells redirect it; read as such",
    ]


def test_a_torn_row_is_closed_and_noted_not_merged(tmp_path: Path) -> None:
    path = tmp_path / "core_perf.csv"
    path.write_text(f"{HEADER}\n{GOOD}\ncore,verify_ms,1.00")
    append_rows(path, [a_row()], META)
    rows, notes = read_rows(tmp_path)
    assert [row.line for row in rows] == [2, 4]
    assert notes == ["core_perf.csv line 3: not a row: 3 cells, the header has 8"]


def test_a_rotten_sidecar_costs_no_row(tmp_path: Path) -> None:
    path = tmp_path / "core_perf.csv"
    append_rows(path, [a_row()], META)
    with (tmp_path / "core_perf.meta.jsonl").open("ab") as stream:
        stream.write(b'\xff\n[]\n{"run_id":"no row"}\n{"row":["x"]}\n{"row":"torn')
    rows, notes = read_rows(tmp_path)
    assert rows[0].meta == META
    assert [note.split(":")[0] for note in notes] == [
        f"core_perf.meta.jsonl line {n}" for n in (2, 3, 4, 5, 6)
    ]


@given(st.binary(max_size=400))
def test_any_bytes_can_be_read(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    folder = tmp_path_factory.mktemp("fuzz")
    (folder / "a.csv").write_bytes(HEADER.encode() + b"\n" + data)
    (folder / "a.meta.jsonl").write_bytes(data)
    read_rows(folder)


@pytest.mark.parametrize(
    "content", ["suite,metric,p95_ms,run\ncore,v,1,2\n", f"{HEADER},extra\n", f"{GOOD}\n"]
)
def test_another_tools_file_is_moved_aside_as_it_was(tmp_path: Path, content: str) -> None:
    path = tmp_path / "core_perf.csv"
    for number in (1, 2):
        path.write_text(content)
        (note,) = append_rows(path, [a_row()], META)
        aside = tmp_path / f"core_perf.foreign-{number}.csv"
        assert aside.read_text() == content
        assert aside.name in note
        assert path.read_text() == f"{HEADER}\n{GOOD}\n"


@pytest.mark.parametrize(
    "start", [f"\ufeff{HEADER}\r\n{GOOD}\r\n", HEADER, ",".join(f'"{c}"' for c in COLUMNS) + "\n"]
)
def test_the_contracts_header_in_another_spelling_is_appended_to(tmp_path: Path, start: str) -> None:
    path = tmp_path / "core_perf.csv"
    path.write_bytes(start.encode())
    assert append_rows(path, [a_row()], META) == ()
    assert path.read_bytes().startswith(start.encode())
    rows, notes = read_rows(tmp_path)
    assert notes == []
    assert rows[-1].meta == META


def test_a_full_disk_is_an_error_that_says_so(tmp_path: Path) -> None:
    path = tmp_path / "core_perf.csv"
    (tmp_path / "core_perf.meta.jsonl").symlink_to("/dev/full")
    with pytest.raises(HologramError, match="No space left on device"):
        append_rows(path, [a_row()], META)
    assert not path.exists()


def _append_many(path: Path, run: str) -> None:
    for number in range(20):
        append_rows(path, [a_row(random.random(), note=f"{run}-{number}")], {**META, "run_id": run})


def test_writers_at_once_lose_nothing_and_write_one_header(tmp_path: Path) -> None:
    path = tmp_path / "core_perf.csv"
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_append_many, args=(path, f"run{n}")) for n in range(3)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    rows, notes = read_rows(tmp_path)
    assert notes == []
    assert len(rows) == 60
    assert all(row.note.startswith(row.meta["run_id"]) for row in rows)
    assert path.read_text().count(HEADER) == 1
    assert len((tmp_path / "core_perf.meta.jsonl").read_text().splitlines()) == 60
    assert json.loads((tmp_path / "core_perf.meta.jsonl").read_text().splitlines()[0])["row"]
