"""A history is on its file as it happens, and is read back as it was, but for what a crash tore."""

import math
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hologram_dagster.chaos.history import History, Kind, Outcome, read_history
from hologram_dagster.errors import FormatError, HologramError, ServiceError

pytestmark = pytest.mark.phase9_chaos


def test_operations_are_on_the_file_before_it_is_closed(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "operations.jsonl"
    with History(path) as history:
        with history.writing("key", "value"):
            pass
        assert history.reading("key", lambda: "value") == "value"
        assert history.reading("other", lambda: None) is None
        assert list(read_history(path)) == list(history.events)
    assert [event.kind for event in history.events] == [Kind.WRITE, Kind.READ, Kind.READ]
    assert all(event.began_s <= event.ended_s for event in history.events)


def test_a_failed_operation_is_recorded_as_unknown(tmp_path: Path) -> None:
    def broken() -> str:
        raise ServiceError("no answer")

    with History(tmp_path / "h") as history:
        with pytest.raises(ServiceError), history.writing("key", "value"):
            broken()
        with pytest.raises(ServiceError):
            history.reading("key", broken)
    assert {event.outcome for event in read_history(tmp_path / "h")} == {Outcome.UNKNOWN}
    assert {event.error for event in history.events} == {"no answer"}


@given(st.text(), st.text())
def test_any_text_comes_back(key: str, value: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "h")
        with History(path) as history, history.writing(key, value):
            pass
        assert list(read_history(path)) == list(history.events)


def test_a_torn_last_line_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "h"
    with History(path) as history:
        for number in range(3):
            with history.writing(f"key {number}", "value"):
                pass
    whole = path.read_text()
    for length in range(len(whole)):
        path.write_text(whole[:length])
        assert list(read_history(path)) == list(history.events)[: whole[:length].count("\n")]


@pytest.mark.parametrize(
    ("line", "told"),
    [("{", "line 1 column"), ("[]", "no event"), ('{"kind": "erase"}', "no event"), ("3", "no event")],
)
def test_a_line_that_is_no_event_is_named(tmp_path: Path, line: str, told: str) -> None:
    path = tmp_path / "h"
    path.write_text(line + "\n")
    with pytest.raises(FormatError, match=told) as refused:
        list(read_history(path))
    assert str(path) in str(refused.value)


def test_a_file_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(HologramError, match="cannot write"):
        History(tmp_path / "file" / "h")
    with pytest.raises(HologramError, match="cannot read"):
        list(read_history(tmp_path / "none"))


def test_times_are_finite() -> None:
    with History() as history, history.writing("k", "v"):
        pass
    assert math.isfinite(history.events[0].ended_s)
