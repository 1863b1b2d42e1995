"""An experiment's course: what is drawn is what the journal holds, whatever that is."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hologram_dagster.reports.by_profile import sections
from hologram_dagster.reports.courses import Course, courses, ms_text
from hologram_dagster.reports.experiment import experiment_of
from hologram_dagster.reports.tables import Cells, Limits
from hologram_dagster.reports.trends import HEIGHT, WIDTH
from hologram_dagster_tests.reports import real, samples
from hologram_dagster_tests.reports.test_html import Page, full
from hologram_dagster_tests.reports.test_sections import section

pytestmark = pytest.mark.phase9_chaos

CELLS = Cells(Limits(200, 600))


def course_of(journal: dict[str, Any], *, of_run: bool = True) -> Course:
    (course,) = courses([experiment_of(journal, of_run=of_run)], CELLS)
    return course


def places(path: str) -> list[tuple[float, float]]:
    """Where the dots of an SVG path are."""
    return [(float(x), float(y)) for x, y in re.findall(r"M([\d.]+) ([\d.]+)h0", path)]


@pytest.mark.parametrize("name", [*real.JOURNALS, real.UNDECIDED])
def test_each_operation_of_a_real_journal_is_a_dot_in_its_place(name: str) -> None:
    journal = real.journal(name)
    course = course_of(journal)
    done = [point for point in journal["timeline"] if point[2]]
    dots, red = places(course.dots), places(course.red)
    assert len(dots) == len(done)
    assert len(dots) + len(red) == len(journal["timeline"])
    # Later is further right; slower is higher, drawn with one decimal.
    assert [x for x, _ in dots] == sorted(x for x, _ in dots)
    for (_, one), (_, other), first, second in zip(dots, dots[1:], done, done[1:], strict=False):
        assert one <= other + 0.1 if first[1] >= second[1] else one >= other - 0.1
    assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for x, y in dots + red)


def test_the_windows_are_where_the_fault_was() -> None:
    journal = real.journal("chaos_gql_latency")
    course = course_of(journal)
    span = max(point[0] for point in journal["timeline"])
    faults = [area for area in course.areas if area.tone == "fault"]
    assert len(faults) == len(journal["windows"]) == 2
    for area, window in zip(faults, journal["windows"], strict=True):
        assert area.x == pytest.approx(WIDTH * window["applied_s"] / span, abs=0.1)
        assert area.x + area.width == pytest.approx(WIDTH * window["undone_s"] / span, abs=0.2)
    assert [level.text for level in course.levels if level.tone == "limit"] == ["500 ms"]
    assert "delay to the ipfs: in force from 13.58 s, to 22.51 s, steady again at 22.56 s." in course.desc


def test_a_fault_that_was_never_undone_lasts_to_the_end() -> None:
    journal = real.journal("chaos_ipfs_restart")
    journal["windows"] = [{"fault": "kill", "applied_s": 4.0, "undone_s": None, "recovered_s": None}]
    (area,) = course_of(journal).areas
    assert area.x + area.width == pytest.approx(WIDTH, abs=0.1)


def test_the_words_beside_it_are_the_journals_figures() -> None:
    said = " ".join(course_of(real.journal(real.UNDECIDED)).said)
    assert "load send_lag: the p95 of our own lag is 22868.1 ms, at most 500 ms." in said
    assert "MTTR 51,130.7 ms at the median, 51,130.7 ms at worst. 100.0 % of the operations outside" in said
    assert "Not evidence" not in said
    assert "inconclusive" in course_of(real.journal(real.UNDECIDED)).outcome.text


def test_one_that_is_no_evidence_or_not_finished_says_so() -> None:
    journal = real.journal("chaos_heuristics") | {"state": "running", "finished_at": None}
    said = " ".join(course_of(journal, of_run=False).said)
    assert "Not evidence of this run: begun 2026-11-" in said
    assert "It has not come to its end." in said
    assert "No load ran beside it" in said


def test_outcomes_are_those_of_the_records() -> None:
    records = [real.journal_record(kind) for kind in (*real.JOURNALS, real.UNDECIDED)]
    text = section("chaos", records, profile="nightly")
    assert "passed chaos_gql_latency 2 8,987.6 9,098.2 100.0 % 100.0 % 1" in text
    assert (
        "inconclusive chaos_region_failover 1 51,130.7 51,130.7 100.0 % 99.8 % 1 the p95 of our own" in text
    )
    promises = text.partition("What had to hold")[2]
    # The one that did not hold is first.
    assert promises.startswith(
        " Status Evidence Promise What was seen inconclusive chaos_region_failover load"
    )
    assert "passed chaos_ipfs_restart nothing_lost 0 of 42 acknowledged publications were lost" in promises
    assert "No evidence of chaos_gql_backpressure, chaos_replication." in text


def test_a_journal_is_shown_where_the_profile_asks_for_none() -> None:
    experiments = [experiment_of(real.journal("chaos_ipfs_restart"), of_run=False)]
    html = full(samples.verdict(profile="dev"), records=[], experiments=experiments)
    text = Page(html).text
    assert "chaos_ipfs_restart: The IPFS node is killed" in text
    assert "Not evidence of this run" in text
    shown = {each.key: each for each in sections({"profile": "dev"}, [], experiments, CELLS)}
    assert (shown["chaos"].unasked, shown["security"].unasked) == (False, True)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.5, "0.5 ms"), (100, "100 ms"), (1000, "1 s"), (10000.0, "10 s"), (2022.24, "2.022 s")],
)
def test_durations(value: float, text: str) -> None:
    assert ms_text(value) == text


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=6,
)
TIMES = st.none() | st.floats() | st.floats(0, 100) | ANYTHING


@given(
    st.fixed_dictionaries(
        {},
        optional={
            **dict.fromkeys(("experiment", "title", "outcome", "told", "state", "started_at"), ANYTHING),
            "budget_ms": st.floats() | ANYTHING,
            "values": ANYTHING | st.dictionaries(st.sampled_from(("recovery_p50_ms", "success_rate")), TIMES),
            "timeline": ANYTHING | st.lists(st.tuples(TIMES, TIMES, st.booleans()).map(list), max_size=4),
            "windows": ANYTHING
            | st.lists(
                st.fixed_dictionaries(
                    {"fault": ANYTHING, "applied_s": TIMES, "undone_s": TIMES, "recovered_s": TIMES}
                ),
                max_size=3,
            ),
            "entries": ANYTHING | st.lists(st.dictionaries(st.sampled_from(("step", "told")), ANYTHING)),
        },
    )
)
def test_whatever_a_journal_holds_is_drawn_inside_the_picture(journal: dict[str, Any]) -> None:
    course = course_of(journal)
    for x, y in places(course.dots + course.red):
        assert 0 <= x <= WIDTH
        assert 0 <= y <= HEIGHT
    assert "inf" not in course.dots + course.red
    assert "nan" not in course.dots + course.red
    for area in course.areas:
        assert 0 <= area.x <= WIDTH
        assert 0 < area.width <= WIDTH + 3
    assert all(0 <= level.y <= HEIGHT for level in course.levels)
