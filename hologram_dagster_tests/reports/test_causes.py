"""Each cause is told once, and a pass says what was not compared."""

from typing import Any

import pytest

from hologram_dagster.reports.causes import causes, green_count, not_compared
from hologram_dagster.reports.html import render
from hologram_dagster.reports.summary import job_summary
from hologram_dagster_tests.reports import samples
from hologram_dagster_tests.reports.test_html import Page

pytestmark = pytest.mark.phase0_ready

DIED = "encode: no verdict: the worker died. Its last lines:\n" + "\n".join(f"line {n}" for n in range(6))


def dead(kind: str) -> list[dict[str, Any]]:
    """The results of a comparison whose worker died: `observed` repeats what the check says."""
    return [
        samples.reason(kind, "observed", "error", f"no_regression: {DIED}"),
        samples.reason(kind, "no_regression", "error", DIED),
    ]


def test_a_cause_that_two_checks_tell_is_told_once_with_both_names() -> None:
    (cause,) = causes(dead("regression_encode"))
    assert cause.checks == ("observed", "no_regression")
    first = DIED.partition("\n")[0]
    assert cause.message == f"{first}\n…\nline 3\nline 4\nline 5"


def test_last_lines_are_told_once_for_all_kinds() -> None:
    told = causes([*dead("regression_encode"), *dead("drift_encode")])
    assert [cause.reason["kind"] for cause in told] == ["regression_encode", "drift_encode"]
    assert "line 5" in told[0].message
    assert told[1].message == f"{DIED.partition(chr(10))[0]} (as above)"


def test_causes_that_differ_in_text_figure_or_kind_stay_apart() -> None:
    different = [
        samples.reason("e2e_use", "observed", "error", "search: not found"),
        samples.reason("e2e_use", "search", "error", "gone"),
        samples.reason("e2e_use", "resolve", "error", "gone", value=1.0),
        samples.reason("e2e_install", "search", "error", "gone"),
    ]
    assert [cause.checks for cause in causes(different)] == [
        ("observed",),
        ("search",),
        ("resolve",),
        ("search",),
    ]
    # A colon alone does not make the beginning of a text the name of a check.
    assert causes([samples.reason("e2e_use", "observed", "error", "port: taken")])[0].message == "port: taken"


@pytest.mark.parametrize("message", ["", None, "\n\n", "one"])
def test_any_message_is_a_cause(message: Any) -> None:
    assert causes([{"message": message}])[0].message == (message or "").strip()


def skipped(kind: str, why: str) -> list[dict[str, Any]]:
    return [
        samples.reason(kind, "observed", "not_applicable", f"not applicable: {why}"),
        samples.reason(kind, "no_regression", "not_applicable", f"not judged: not applicable: {why}"),
    ]


UNCOMPARED = samples.verdict(
    reasons=[
        *samples.PERF,
        *skipped("regression_verify", "no baseline"),
        *skipped("regression_encode", "no baseline"),
        *skipped("regression_gql", "no server"),
        *skipped("drift_gql", "no server"),
    ]
)
LINES = ["verify, encode: no baseline", "gql, gql (drift): no server"]


def test_what_was_not_compared_is_grouped_by_its_reason() -> None:
    assert not_compared(UNCOMPARED) == LINES
    assert not_compared(samples.verdict()) == []
    # What is required and missing is red, and told there.
    red = samples.reason(
        "regression_gql", "observed", "failed", "not applicable: no server; main requires it"
    )
    assert not_compared(samples.verdict("fail", reasons=[red])) == []


def test_report_and_summary_say_it_beside_the_answer() -> None:
    page, text = Page(render(UNCOMPARED)).text, job_summary(UNCOMPARED)
    for line in LINES:
        assert (
            page.index("This revision may ship.") < page.index(f"Not compared: {line}") < page.index("Why:")
        )
        assert f"**Not compared:** {line}" in text
    assert "Why: 4 of 12 checks green, 8 not applicable" in page
    assert "4 of 12 checks green, 8 not applicable." in text
    assert "Not compared" not in Page(render(samples.verdict())).text


def test_report_and_summary_tell_a_cause_once() -> None:
    document = samples.verdict("fail", reasons=[*dead("regression_encode"), *samples.PERF])
    first_screen = render(document).partition("At a glance")[0]
    assert first_screen.count("line 5") == 1
    assert "observed, no_regression" in first_screen
    assert job_summary(document).count("line 5") == 1


def test_green_checks_are_counted_as_what_they_are() -> None:
    assert green_count([samples.reason("e2e_use", "resolve")]) == "1 of 1 check green"
    assert green_count(samples.E2E) == "4 of 5 checks green, 1 not applicable"
