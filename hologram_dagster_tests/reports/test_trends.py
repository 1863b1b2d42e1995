"""The trend's chart: every point and mark at its place, the same said in words and as a table."""

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hologram_dagster.reports.tables import Cells, Limits
from hologram_dagster.reports.trends import HEIGHT, WIDTH, Chart, Ratios, charts
from hologram_dagster_tests.reports import samples

pytestmark = pytest.mark.phase0_ready

CELLS = Cells(Limits(200, 600))


def drawn(ratios: Ratios) -> Chart:
    (chart,) = charts([ratios], CELLS)
    return chart


def places(path: str) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in re.findall(r"[ML]([\d.]+) ([\d.]+)", path)]


def test_points_go_from_left_to_right_and_slower_is_higher() -> None:
    chart = drawn(samples.ratios(40))
    line = places(chart.line)
    assert [x for x, _ in line] == sorted(x for x, _ in line)
    assert len(line) == 40
    assert line[-1][1] < line[0][1]
    assert sorted([*places(chart.dots), *places(chart.red)]) == line
    assert len(places(chart.red)) == 20


def test_what_failed_lies_above_the_limit_and_one_below() -> None:
    chart = drawn(samples.ratios(40))
    one, limit = chart.levels
    assert (one.text, limit.text) == ("x1", "x1.05")
    assert all(y < limit.y < one.y for _, y in places(chart.red))
    assert len(drawn(samples.ratios(40, margin_pct=None)).levels) == 1


def test_the_change_and_the_baseline_are_marked_where_they_happened() -> None:
    chart = drawn(samples.ratios(40))
    baseline, change = chart.marks
    assert (baseline.tone, baseline.x) == ("baseline", WIDTH * 10 / 40)
    assert baseline.text == "2026-01-11: roll forward to 71ffdf200000: as planned"
    assert (change.tone, change.x) == ("change", WIDTH * 20 / 40)
    assert change.text.startswith("2026-01-21: slower by 8.")
    steady = drawn(samples.ratios(40, step=1.0))
    assert [mark.tone for mark in steady.marks] == ["baseline"]


def test_baselines_from_before_the_first_point_have_no_place() -> None:
    ratios = samples.ratios(40, step=1.0)
    later = replace(ratios, points=ratios.points.tail(20))
    assert drawn(later).marks == ()


def test_words_and_table_say_what_the_picture_shows() -> None:
    chart = drawn(samples.ratios(40))
    assert chart.said.startswith("drift_encode: slower by 8.0 % since 2026-01-21")
    assert "40 comparisons from 2026-01-01 to 2026-02-09, oldest first; from x0.996 to x1.084" in chart.desc
    assert "20 failed" in chart.desc
    assert all(mark.text in chart.desc for mark in chart.marks)
    assert len(chart.last.rows) == 10
    assert [cell.text for cell in chart.last.rows[0]] == [
        *("2026-02-09 02:00:00 UTC", "1.076", "failed", "398db0977f2c", "71ffdf200000"),
    ]


def test_one_point_is_a_chart_and_none_is_not() -> None:
    one = samples.ratios(1)
    assert places(drawn(one).line)[0][0] == WIDTH / 2
    assert "1 comparison from" in drawn(one).desc
    assert charts([replace(one, points=one.points.head(0))], CELLS) == []


@given(
    st.lists(st.floats(min_value=1e-300, max_value=1e300), min_size=1, max_size=30),
    st.none() | st.floats(min_value=0.01, max_value=1000),
)
def test_everything_is_drawn_inside_the_box(values: list[float], margin_pct: float | None) -> None:
    ratios = samples.ratios(len(values), margin_pct=margin_pct)
    chart = drawn(replace(ratios, points=ratios.points.assign(value=values), baselines=[]))
    for x, y in places(chart.line):
        assert 0 <= x <= WIDTH
        assert 0 <= y <= HEIGHT
    assert len(places(chart.line)) == len(values)
    assert all(0 <= level.y <= 100 for level in chart.levels)


def test_two_hundred_points_are_a_few_kilobytes() -> None:
    chart = drawn(samples.ratios(200))
    assert len(chart.line) + len(chart.dots) + len(chart.red) < 8000
