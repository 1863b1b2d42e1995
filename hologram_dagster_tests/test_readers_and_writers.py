"""Readers and writers written from the contract's forms, against ours: each reads what the other wrote.

The small tools below know contract sections 2.2, 2.4, 2.5 and 3.1 and nothing of our code.
`flake_database.json` (7.1) has such a test beside its module.
"""

import codecs
import csv
import io
import json
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hologram_dagster.e2e.events import EventLog, read_events
from hologram_dagster.errors import FormatError
from hologram_dagster.history import baseline_file
from hologram_dagster.perf.csv_rows import Row, append_rows, read_rows

pytestmark = [pytest.mark.phase2_integration, pytest.mark.phase6_perf]

CONTRACT_2_2 = ["suite", "metric", "p50_ms", "p95_ms", "p99_ms", "avg_ms", "n", "note"]
OURS = [
    Row("core", "verify_ms", 1.0, 2.0, 3.0, 1.5, 60, "runs=60"),
    Row("core", "encode_1MB_ms", 10.0, 20.0, 30.0, 15.0, 30, 'a "quoted", note'),
    Row("graphql", "resolve_ms", 1.0, 2.5, 3.0, 1.5, 40, "name=größer"),
    Row("core", "verify_ms", 1.0, 4.0, 5.0, 1.5, 60, ""),
]
META = {"run_id": "r1", "commit": "c", "environment": "local", "machine": "m"}


def their_rows(path: Path) -> list[dict[str, str]]:
    """Section 2.2, by the standard library's own reader."""
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def their_gate(folder: Path) -> dict[str, float]:
    """Section 2.4: the lowest p95 of each key over all files."""
    lowest: dict[str, float] = {}
    for path in folder.glob("*.csv"):
        for row in their_rows(path):
            key = f"{row['suite']}.{row['metric']}"
            lowest[key] = min(lowest.get(key, float("inf")), float(row["p95_ms"]))
    return lowest


def their_csv(rows: list[list[str]], header: list[str] = CONTRACT_2_2, end: str = "\r\n") -> str:
    """Section 2.2, as Python's csv module writes it by default."""
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator=end).writerows([header, *rows])
    return buffer.getvalue()


def test_tools_for_the_contract_read_our_csv(tmp_path: Path) -> None:
    path = tmp_path / "core_perf.csv"
    append_rows(path, OURS[:2], META)
    append_rows(path, OURS[2:], META)
    rows = their_rows(path)
    assert [list(row) for row in rows] == [CONTRACT_2_2] * 4
    assert [row["note"] for row in rows] == [row.note for row in OURS]
    assert [(float(row["p95_ms"]), int(row["n"])) for row in rows] == [(row.p95_ms, row.n) for row in OURS]
    assert their_gate(tmp_path) == {
        "core.verify_ms": 2.0,
        "core.encode_1MB_ms": 20.0,
        "graphql.resolve_ms": 2.5,
    }


_WORDS = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=12)
_TIMES = st.floats(0, 1e6).map(lambda value: f"{value:.3f}")


@given(
    st.lists(st.tuples(_WORDS, _WORDS, _TIMES, _TIMES, _TIMES, _TIMES, st.integers(1, 10**6), _WORDS)),
    st.sampled_from(["\n", "\r\n"]),
)
def test_we_read_their_csv(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[Any, ...]], end: str
) -> None:
    folder = tmp_path_factory.mktemp("theirs")
    content = their_csv([[str(cell) for cell in row] for row in rows], end=end)
    (folder / "theirs.csv").write_bytes(content.encode())
    read, notes = read_rows(folder)
    assert notes == []
    assert [(row.suite, row.metric, row.p50_ms, row.p95_ms, row.n, row.note) for row in read] == [
        (row[0], row[1], float(row[2]), float(row[3]), row[6], row[7]) for row in rows
    ]


LINE = ["core", "verify_ms", "1.000", "2.000", "3.000", "1.500", "60", "größer"]
TWO = their_csv([LINE, LINE])
LATIN_1 = their_csv([[*LINE[:-1], "ascii"], LINE]).encode("latin-1")


@pytest.mark.parametrize(
    ("data", "read", "said"),
    [
        pytest.param(TWO.encode(), 2, [], id="well-formed"),
        pytest.param(codecs.BOM_UTF8 + TWO.encode(), 2, [], id="BOM"),
        pytest.param(TWO.encode("utf-16"), 2, ["line 1: the file is UTF-16"], id="UTF-16"),
        pytest.param(LATIN_1, 2, ["line 3: not UTF-8; read as Latin-1"], id="Latin-1"),
        pytest.param(
            their_csv([LINE[:-1]], CONTRACT_2_2[:-1]).encode(),
            0,
            ["line 1: no column note; 1 lines after it are not read"],
            id="old, without note",
        ),
        pytest.param(
            their_csv([[*LINE, "a.csv"]], [*CONTRACT_2_2, "_file"]).encode(), 1, [], id="with _file"
        ),
        pytest.param(b"", 0, ["line 1: the file is empty"], id="empty"),
        pytest.param(their_csv([]).encode(), 0, [], id="header only"),
        pytest.param(TWO.encode()[:-20], 1, ["line 3: not a row: 5 cells"], id="truncated"),
    ],
)
def test_their_csv_in_any_state(tmp_path: Path, data: bytes, read: int, said: list[str]) -> None:
    path = tmp_path / "core_perf.csv"
    path.write_bytes(data)
    rows, notes = read_rows(tmp_path)
    assert [(row.key, row.p95_ms, row.n) for row in rows] == [("core.verify_ms", 2.0, 60)] * read
    assert len(notes) == len(said)
    assert all(part in note for part, note in zip(said, notes, strict=True))
    if read and not said:
        assert rows[-1].note == "größer"
    append_rows(path, OURS[:1], META)
    # What they wrote is still there, byte for byte, in place or set aside.
    assert any(each.read_bytes().startswith(data) for each in tmp_path.glob("*.csv"))
    assert OURS[0].metric in {row.metric for row in read_rows(tmp_path)[0] if row.meta == META}


def their_events(path: Path) -> list[dict[str, Any]]:
    """Section 3.1: one JSON object a line with ts, suite and event."""
    with path.open(encoding="utf-8") as stream:
        events = [json.loads(line) for line in stream if line.strip()]
    assert all(isinstance(event["ts"], int) and event["suite"] and event["event"] for event in events)
    return events


def test_tools_for_the_contract_read_our_events(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    before = int(time.time())
    EventLog(path, "phase8").write("ipfs_publish", cid="Qm", name="größer\n\u2028")
    EventLog(path, "phase8_strict").write("publishApp", resp={"ok": True})
    first, second = their_events(path)
    assert list(first) == ["ts", "suite", "event", "cid", "name"]
    assert before <= first["ts"] <= int(time.time())
    assert first["name"] == "größer\n\u2028"
    assert (second["suite"], second["resp"]) == ("phase8_strict", {"ok": True})
    assert b", " not in path.read_bytes()


EVENT = {"ts": 1, "suite": "phase8", "event": "resolve", "name": "größer"}
UTF_8 = json.dumps(EVENT, ensure_ascii=False).encode()


@pytest.mark.parametrize(
    ("data", "read", "wrong"),
    [
        pytest.param(UTF_8 + b"\n" + UTF_8 + b"\n", 2, [], id="well-formed, with blanks"),
        pytest.param(UTF_8 + b"\r\n\r\n" + UTF_8, 2, [], id="CRLF, no end"),
        pytest.param(b'{"event":"resolve"}\n' + UTF_8, 2, [], id="old, no ts and suite"),
        pytest.param(b"", 0, [], id="empty"),
        pytest.param(UTF_8 + b"\n" + UTF_8[:-4], 1, [2], id="truncated"),
        pytest.param(codecs.BOM_UTF8 + UTF_8 + b"\n" + UTF_8 + b"\n", 1, [1], id="BOM"),
        pytest.param(UTF_8 + b"\n" + UTF_8.decode().encode("latin-1") + b"\n", 1, [2], id="Latin-1"),
        pytest.param(UTF_8.decode().encode("utf-16") + b"\n", 0, [1], id="UTF-16"),
    ],
)
def test_their_events_in_any_state(tmp_path: Path, data: bytes, read: int, wrong: list[int]) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(data)
    events, notes = read_events(path)
    assert [event["event"] for event in events] == ["resolve"] * read
    assert notes == [f"events.jsonl line {number}: not an event; left as it is" for number in wrong]
    EventLog(path, "phase8").write("search")
    assert path.read_bytes().startswith(data)
    assert read_events(path)[0][-1]["event"] == "search"


def their_regressions(baseline: bytes, current: dict[str, float], threshold: float = 10) -> list[str]:
    """Section 2.5."""
    known = json.loads(baseline)
    return [
        key
        for key, now in current.items()
        if key in known and (now - known[key]) / known[key] * 100 > threshold
    ]


def test_tools_for_the_contract_read_our_baseline() -> None:
    data = baseline_file.to_bytes({"core.verify_ms": 2.0, "core.encode_4MB_ms": 999.0})
    assert json.loads(data) == {"core.encode_4MB_ms": 999.0, "core.verify_ms": 2.0}
    assert b'\n  "core.verify_ms": 2.0' in data
    now = {"core.verify_ms": 2.3, "core.encode_4MB_ms": 999.0, "graphql.resolve_ms": 1.0}
    assert their_regressions(data, now) == ["core.verify_ms"]


THEIRS = json.dumps({"core.verify_ms": 2.0, "core.encode_4MB_ms": 999, "core.größe": 1}, ensure_ascii=False)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(THEIRS.encode(), id="well-formed"),
        pytest.param(json.dumps(json.loads(THEIRS), indent=2).replace("\n", "\r\n").encode(), id="CRLF"),
        pytest.param(codecs.BOM_UTF8 + THEIRS.encode(), id="BOM"),
        pytest.param(THEIRS.encode("utf-16"), id="UTF-16"),
    ],
)
def test_we_read_their_baseline(data: bytes) -> None:
    assert baseline_file.parse(data, "baseline.json") == {
        "core.verify_ms": 2.0,
        "core.encode_4MB_ms": 999.0,
        "core.größe": 1.0,
    }


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="empty"),
        pytest.param(THEIRS.encode()[:-9], id="truncated"),
        pytest.param(THEIRS.encode("latin-1"), id="Latin-1"),
        pytest.param(b'{"core": {"verify_ms": 2.0}}', id="nested"),
    ],
)
def test_what_is_no_baseline_is_told_and_left(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / baseline_file.FILE_NAME
    path.write_bytes(data)
    with pytest.raises(FormatError, match=r"baseline\.json"):
        baseline_file.parse(data, str(path))
    found = baseline_file.look(path, None, [])
    assert (found.state, found.data) == (baseline_file.FileState.MALFORMED, data)
