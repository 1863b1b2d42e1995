"""The files hold what the index holds, and other tools read them."""

import sys
from datetime import timedelta
from pathlib import Path

import pandas as pd
import pytest

from hologram_dagster.errors import HologramError
from hologram_dagster.history import index
from hologram_dagster.history.export import write_csv, write_parquet
from hologram_dagster.history.index import History
from hologram_dagster.history.tables import COLUMNS
from hologram_dagster_tests.evidence.helpers import NOW
from hologram_dagster_tests.history.helpers import commit, record

pytestmark = pytest.mark.phase6_perf


@pytest.fixture
def filled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> History:
    # Several chunks, the first of them without a baseline.
    monkeypatch.setattr(index, "_ROWS_A_CHUNK", 3)
    history = History.in_folder(tmp_path / "state")
    for number in range(5):
        facts = {} if number < 3 else {"baseline_commit": commit(9)}
        at = NOW + timedelta(days=number)
        history.add(
            record(values={"ratio": 1 + number / 7, "n": 3}, run_id=f"run-{number}", at=at, facts=facts)
        )
    return history


def test_parquet_holds_every_figure(filled: History, tmp_path: Path) -> None:
    assert write_parquet(filled, tmp_path / "history.parquet") == 10
    frame = pd.read_parquet(tmp_path / "history.parquet")
    assert tuple(frame.columns) == COLUMNS
    ratios = frame[frame["metric"] == "ratio"]
    assert list(ratios["value"]) == [1 + number / 7 for number in range(5)]
    assert list(ratios["finished_at"]) == [NOW + timedelta(days=number) for number in range(5)]
    assert ratios["baseline"].isna().tolist() == [True, True, True, False, False]


def test_csv_holds_the_same(filled: History, tmp_path: Path) -> None:
    assert write_csv(filled, tmp_path / "history.csv") == 10
    write_parquet(filled, tmp_path / "history.parquet")
    csv = pd.read_csv(
        tmp_path / "history.csv", parse_dates=["finished_at"], dtype={"commit": str, "baseline": str}
    )
    parquet = pd.read_parquet(tmp_path / "history.parquet")
    pd.testing.assert_frame_equal(csv, parquet, check_dtype=False)


def test_an_empty_history_is_a_file_of_no_rows(tmp_path: Path) -> None:
    with History.in_folder(tmp_path) as history:
        assert write_csv(history, tmp_path / "history.csv") == 0
        assert write_parquet(history, tmp_path / "history.parquet") == 0
    assert (tmp_path / "history.csv").read_text().strip() == ",".join(COLUMNS)
    assert pd.read_parquet(tmp_path / "history.parquet").empty


def test_without_pyarrow_the_remedy_is_named(
    filled: History, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(HologramError, match=r"hologram_dagster\[parquet\]"):
        write_parquet(filled, tmp_path / "history.parquet")
