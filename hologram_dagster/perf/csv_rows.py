"""The CSV rows of contract section 2.2, and what more we know of each in a sidecar.

A file in `reports/perf/` belongs to the user and to other tools as much as to us: exactly
the eight columns, only ever appended to. What a row's run, commit, environment and machine
are is one line in `<name>.meta.jsonl`. Reading bears whatever the files hold.

What belongs here: the format. What does not: what the figures mean.
"""

import csv
import io
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hologram_dagster.errors import HologramError
from hologram_dagster.files import append_lines
from hologram_dagster.locking import exclusive
from hologram_dagster.perf.statistics import Summary

COLUMNS = ("suite", "metric", "p50_ms", "p95_ms", "p99_ms", "avg_ms", "n", "note")
_FIGURES = COLUMNS[2:6]
_LOCK_NAME = ".append.lock"
_ROW_KEY = "row"
_LONGEST_HEADER = 4096


@dataclass(frozen=True, slots=True)
class Row:
    """One row: its figures (ms), where it stands, and of which run it is.

    `meta` is empty for a row that another tool wrote, else `run_id`, `commit`,
    `environment`, `machine`.
    """

    suite: str
    metric: str
    p50_ms: float
    p95_ms: float
    p99_ms: float
    avg_ms: float
    n: int
    note: str
    file: str = ""
    line: int = 0
    meta: Mapping[str, str] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """What budgets and baselines call it: `suite.metric`."""
        return f"{self.suite}.{self.metric}"


def row_of(summary: Summary, *, suite: str, metric: str, note: str) -> Row:
    """The row that tells `summary`."""
    return Row(suite, metric, summary.p50_ms, summary.p95_ms, summary.p99_ms, summary.avg_ms, summary.n, note)


def append_rows(path: Path, rows: Sequence[Row], meta: Mapping[str, str]) -> tuple[str, ...]:
    """Append `rows` to the CSV file `path` and `meta` for each to its sidecar.

    A file whose header is not the eight columns is another tool's: it is moved aside, as
    it is, to `<name>.foreign-<n>.csv`, and a new one is begun. Returns notes on that.

    Raises:
        HologramError: the files cannot be written; what they held is untouched.
    """
    lines = [_line(row) for row in rows]
    with exclusive(path.parent / _LOCK_NAME):
        notes = _make_way(path)
        start = [] if path.exists() and path.stat().st_size else [",".join(COLUMNS)]
        # The sidecar first: a row must never be without its run, a run may be without its row.
        append_lines(
            _sidecar(path), [json.dumps({_ROW_KEY: line, **meta}, separators=(",", ":")) for line in lines]
        )
        append_lines(path, [*start, *lines])
    return notes


def read_rows(folder: Path) -> tuple[list[Row], list[str]]:
    """All rows of the CSV files in `folder`, by file and line, and notes on what is no row.

    Never raises for what the files hold: a note names the file and the line.
    """
    rows: list[Row] = []
    notes: list[str] = []
    for path in sorted(folder.glob("*.csv")):
        try:
            data = path.read_bytes()
        except OSError as error:
            notes.append(f"{path.name}: cannot be read: {error.strerror}")
            continue
        rows += _read_file(path, data, notes)
    return rows, notes


def rows_of_run(rows: Sequence[Row], run_id: str) -> list[Row]:
    """Those of `rows` that the run `run_id` measured."""
    return [row for row in rows if row.meta.get("run_id") == run_id]


def _sidecar(path: Path) -> Path:
    return path.with_suffix(".meta.jsonl")


def _line(row: Row) -> str:
    figures = (f"{getattr(row, name):.3f}" for name in _FIGURES)
    # A line feed in a note would make two lines of one row.
    suite, metric, note = (" ".join(text.split()) for text in (row.suite, row.metric, row.note))
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="").writerow([suite, metric, *figures, row.n, note])
    return buffer.getvalue()


def _make_way(path: Path) -> tuple[str, ...]:
    try:
        with path.open("rb") as stream:
            first = stream.readline(_LONGEST_HEADER)
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise HologramError(f"cannot read {path}: {error.strerror}. Fix its permissions.") from error
    if not first or tuple(_cells(first.decode(errors="replace").lstrip("\ufeff"))) == COLUMNS:
        return ()
    number = 1
    while (aside := path.with_name(f"{path.stem}.foreign-{number}.csv")).exists():
        number += 1
    try:
        path.rename(aside)
    except OSError as error:
        raise HologramError(f"cannot move {path} aside: {error.strerror}. Move it away.") from error
    return (
        f"{path.name} line 1: its columns are not the contract's ({', '.join(COLUMNS)}); "
        f"moved aside as it was to {aside.name}, and a new file begun",
    )


def _cells(line: str) -> list[str]:
    try:
        return [cell.strip() for cell in next(csv.reader([line.rstrip("\r\n")]), [])]
    except csv.Error as error:
        # Such a line has one cell: itself.
        return [f"{line[:40]!r} ({error})"]


def _read_file(path: Path, data: bytes, notes: list[str]) -> list[Row]:
    lines = _decode(path, data, notes)
    header = _cells(lines[0]) if lines else []
    if missing := [name for name in COLUMNS if name not in header]:
        others = sum(bool(line.strip()) for line in lines[1:])
        what = f"no column {', '.join(missing)}" if header else "the file is empty"
        notes.append(f"{path.name} line 1: {what}; {others} lines after it are not read")
        return []
    places = [header.index(name) for name in COLUMNS]
    runs = _Runs(_sidecar(path), notes)
    rows: list[Row] = []
    # Backwards, so that of equal lines the latest gets the latest run.
    for number in range(len(lines), 1, -1):
        text = lines[number - 1].rstrip("\r")
        if not text.strip():
            continue
        cells = _cells(text)
        try:
            if len(cells) != len(header):
                raise ValueError(f"{len(cells)} cells, the header has {len(header)}")
            row = _row([cells[place] for place in places], path.name, number, runs.of(text))
        except ValueError as error:
            notes.append(f"{path.name} line {number}: not a row: {error}")
        else:
            rows.append(row)
    return rows[::-1]


def _row(cells: Sequence[str], file: str, line: int, meta: Mapping[str, str]) -> Row:
    p50, p95, p99, avg = (_figure(name, cell) for name, cell in zip(_FIGURES, cells[2:6], strict=True))
    count = cells[6]
    if not count.isdecimal() or not int(count):
        raise ValueError(f"n is {count!r}")
    if not cells[0] or not cells[1]:
        raise ValueError("suite or metric is empty")
    return Row(cells[0], cells[1], p50, p95, p99, avg, int(count), cells[7], file, line, meta)


def _figure(name: str, cell: str) -> float:
    try:
        value = float(cell)
    except ValueError:
        raise ValueError(f"{name} is {cell!r}") from None
    if not math.isfinite(value) or value < 0:
        raise ValueError(f"{name} is {cell!r}")
    return value


def _decode(path: Path, data: bytes, notes: list[str]) -> list[str]:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        notes.append(f"{path.name} line 1: the file is UTF-16, as some shells redirect it; read as such")
        return data.decode("utf-16", errors="replace").split("\n")
    lines: list[str] = []
    for number, line in enumerate(data.removeprefix(b"\xef\xbb\xbf").split(b"\n"), start=1):
        try:
            lines.append(line.decode())
        except UnicodeDecodeError:
            notes.append(f"{path.name} line {number}: not UTF-8; read as Latin-1")
            lines.append(line.decode("latin-1"))
    return lines if any(lines) else []


class _Runs:
    """The sidecar of one file: which run each line is of, handed out from the end."""

    def __init__(self, path: Path, notes: list[str]):
        self._of: dict[str, list[Mapping[str, str]]] = {}
        try:
            lines = path.read_bytes().split(b"\n")
        except FileNotFoundError:
            return
        except OSError as error:
            notes.append(f"{path.name}: cannot be read: {error.strerror}; its rows count as of no run")
            return
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                meta = json.loads(line)
                self._of.setdefault(meta.pop(_ROW_KEY), []).append({key: str(meta[key]) for key in meta})
            except (ValueError, AttributeError, KeyError, TypeError, RecursionError):
                notes.append(f"{path.name} line {number}: not a line of this sidecar: ignored")

    def of(self, line: str) -> Mapping[str, str]:
        """The run of the latest line like this one that was not asked for yet."""
        found = self._of.get(line)
        return found.pop() if found else {}
