"""The flat file is what users' tools read, and a file that is not is named."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hologram_dagster.errors import FormatError, HologramError
from hologram_dagster.history.baseline_file import (
    FileState,
    backup_files,
    create_backup,
    in_file_name,
    look,
    parse,
    to_bytes,
)

pytestmark = pytest.mark.phase6_perf

AT = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
NUMBERS = st.dictionaries(st.text(max_size=20), st.floats(0, 1e9))


def test_the_form_is_the_contracts() -> None:
    assert to_bytes({"core.verify_ms": 2.0, "core.encode_4MB_ms": 999.0}) == (
        b'{\n  "core.encode_4MB_ms": 999.0,\n  "core.verify_ms": 2.0\n}'
    )


@given(NUMBERS)
def test_what_is_written_is_read(numbers: dict[str, float]) -> None:
    assert parse(to_bytes(numbers), "baseline.json") == numbers
    assert json.loads(to_bytes(numbers)) == numbers


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "line 1"),
        (b'{\n"core.verify_ms": 2.0,\n}', "line 3"),
        (b'{"core.verify\n_ms": 2}', "line 1 column 14: Invalid control character$"),
        (b"[1, 2]", "no JSON object"),
        (b'{"core.verify_ms": "2"}', "'core.verify_ms' is '2'"),
        (b'{"core.verify_ms": true}', "is True"),
        (b'{"core.verify_ms": NaN}', "is nan"),
        (b'{"core.verify_ms": -1}', "is -1"),
        (b'{"core.verify_ms": {"p95": 2}}', "not a p95"),
        (b'{"core.verify_ms": 1' + b"0" * 400 + b"}", "not a p95"),
        (b'{"core.verify_ms\xff": 1}', "not JSON"),
        (b"[" * 100_000, "not JSON"),
    ],
)
def test_what_is_no_baseline_is_named(data: bytes, said: str) -> None:
    with pytest.raises(FormatError, match=said) as raised:
        parse(data, "reports/perf/baseline.json")
    assert str(raised.value).startswith("reports/perf/baseline.json")


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        numbers = parse(data, "baseline.json")
    except FormatError:
        return
    assert all(value >= 0 for value in numbers.values())


@pytest.mark.parametrize(
    ("data", "state"),
    [
        (None, FileState.MISSING),
        (b'{"a.b": 1}', FileState.CURRENT),
        (b'{"a.b": 2}', FileState.LAGGING),
        (b'{"a.b": 3}', FileState.FOREIGN),
        (b"{", FileState.MALFORMED),
    ],
)
def test_a_file_is_known_for_what_it_is(tmp_path: Path, data: bytes | None, state: FileState) -> None:
    path = tmp_path / "baseline.json"
    if data is not None:
        path.write_bytes(data)
    seen = look(path, {"a.b": 1.0}, [{"a.b": 2.0}, {"a.b": 1.0}])
    assert seen.state is state
    assert (str(path) in seen.fault) == (state in {FileState.FOREIGN, FileState.MALFORMED})


def test_a_file_too_large_is_refused(tmp_path: Path) -> None:
    (tmp_path / "baseline.json").write_bytes(b" " * (2 << 20))
    with pytest.raises(HologramError, match="larger"):
        look(tmp_path / "baseline.json", None, [])


def test_a_backups_name_is_the_contracts(tmp_path: Path) -> None:
    path = create_backup(tmp_path, b"{}", reason="manual", at=AT)
    assert path.name == "baseline_20260304_050607_manual.json"
    again = create_backup(tmp_path, b"[]", reason="manual", at=AT)
    assert again.name == "baseline_20260304_050607_manual-2.json"
    assert path.read_bytes() == b"{}"
    assert backup_files(tmp_path) == [again, path]


@pytest.mark.parametrize(
    ("reason", "name"),
    [
        ("performance_improvement", "performance_improvement"),
        ("roll_back", "roll_back"),
        ("Faster encode: 4 MB", "Faster_encode_4_MB"),
        ("../../etc/passwd", "etc_passwd"),
        ("x" * 500, "x" * 60),
    ],
)
def test_a_reason_becomes_a_name(reason: str, name: str) -> None:
    assert in_file_name(reason) == name


@pytest.mark.parametrize("reason", ["", "  ", "...", "é/ü"])
def test_no_reason_is_refused(reason: str) -> None:
    with pytest.raises(HologramError, match="no reason"):
        in_file_name(reason)


@given(st.text())
def test_a_name_never_leaves_its_folder(reason: str) -> None:
    try:
        name = in_file_name(reason)
    except HologramError:
        return
    assert Path(name).name == name
    assert name.isascii()
