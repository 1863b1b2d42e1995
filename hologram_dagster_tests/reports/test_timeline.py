"""The timeline: what was when, as evidence and log say, and nothing of another run."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hologram_dagster.reports.tables import Cells, Limits, Table
from hologram_dagster.reports.timeline import timeline
from hologram_dagster_tests.reports import real

pytestmark = pytest.mark.phase8_e2e

CELLS = Cells(Limits(200, 600))
KINDS = ("e2e_publish", "e2e_strict", "e2e_install", "e2e_use")


def of(records: list[dict[str, Any]], events: list[dict[str, Any]]) -> Table:
    return timeline(records, events, CELLS)


def texts(table: Table) -> list[list[str]]:
    return [[cell.text for cell in row] for row in table.rows]


def test_a_real_run_is_told_in_its_order() -> None:
    table = of([real.record(kind) for kind in KINDS[::-1]], real.events())
    rows = texts(table)
    assert [row[1] for row in rows if row[0] == "passed"] == list(KINDS)
    assert rows[0] == ["passed", "e2e_publish", "", "0.000", "0.165", ""]
    # Of the run of 43.8 s each of the 16 events is there, the last ones in its last seconds.
    assert len([row for row in rows if row[0] == "event"]) == len(real.events()) == 16
    assert rows[-1][:4] == ["event", "use", "phase8", "44"]
    assert table.note.startswith("From the first step to the end of the last 43.8 s.")
    install = next(row for row in table.rows if row[1].text == "e2e_install")
    assert install[5].span == (89.4, 1.0)


def test_a_step_that_failed_has_a_bar_of_its_own_colour() -> None:
    records = [real.record(kind) for kind in KINDS]
    assert {row[-1].tone for row in of(records, real.events()).rows} == {"passed", ""}
    records[0]["status"] = "failed"
    assert of(records, []).rows[0][-1].tone == "failed"


def test_events_of_another_time_are_none_of_this_run() -> None:
    earlier = [event | {"ts": event["ts"] - 60} for event in real.events()]
    later = [event | {"ts": event["ts"] + 60} for event in real.events()]
    table = of([real.record(kind) for kind in KINDS], [*earlier, *later])
    assert [row[0] for row in texts(table)] == ["passed"] * len(KINDS)
    assert "log" not in table.note


def test_without_times_there_is_none() -> None:
    assert of([real.record("e2e_use") | {"finished_at": "soon"}], real.events()).rows == ()
    assert of([real.record("sbom")], real.events()).rows == ()


TIMES = st.none() | st.integers() | st.floats() | st.datetimes().map(str) | st.text(max_size=9)


@given(st.lists(st.tuples(TIMES, TIMES), max_size=3), st.lists(TIMES, max_size=3))
def test_bars_stay_on_the_axis(times: list[tuple[Any, Any]], logged: list[Any]) -> None:
    records = [{"kind": "e2e_x", "started_at": begin, "finished_at": end} for begin, end in times]
    for row in of(records, [{"ts": ts, "event": "e"} for ts in logged]).rows:
        begin, width = row[-1].span
        assert 0 <= begin <= begin + width <= 100.1
        assert width >= 1
