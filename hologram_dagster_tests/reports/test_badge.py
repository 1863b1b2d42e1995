"""The badge: from the verdict, never older than a day, in the three forms of contract section 7.3."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hologram_dagster.reports.badge import (
    BadgeStatus,
    badge_html,
    badge_json,
    badge_markdown,
    badge_status,
    make_badge,
)
from hologram_dagster_tests.reports import samples

pytestmark = pytest.mark.phase0_ready

NOW = datetime(2026, 3, 1, 3, 0, tzinfo=UTC)
DAY = timedelta(hours=24)


@pytest.mark.parametrize(
    ("verdict", "status"),
    [
        (samples.verdict(), "pass"),
        (samples.failed(), "fail"),
        (samples.verdict("inconclusive"), "unknown"),
        (samples.running(), "running"),
        (samples.verdict("PASS"), "unknown"),
        (samples.verdict(state="done"), "unknown"),
        (samples.verdict(finished_at=None), "unknown"),
        (samples.verdict(finished_at="yesterday"), "unknown"),
        (samples.verdict(finished_at="2026-03-01T04:00:00Z"), "unknown"),
        ({}, "unknown"),
        (None, "unknown"),
    ],
)
def test_status(verdict: dict[str, Any] | None, status: str) -> None:
    assert badge_status(verdict, NOW) == status


def test_a_verdict_ages() -> None:
    finished = datetime.fromisoformat(samples.FINISHED)
    assert badge_status(samples.verdict(), finished + DAY) is BadgeStatus.PASS
    assert badge_status(samples.verdict(), finished + DAY + timedelta(seconds=1)) is BadgeStatus.UNKNOWN


def test_a_run_is_running_until_its_deadline_at_most_a_day() -> None:
    started = datetime.fromisoformat(samples.STARTED)
    run, second = samples.running(), timedelta(seconds=1)
    assert badge_status(run, started + timedelta(seconds=600), deadline_s=600) is BadgeStatus.RUNNING
    assert badge_status(run, started + timedelta(seconds=601), deadline_s=600) is BadgeStatus.UNKNOWN
    assert badge_status(run, started + DAY, deadline_s=10**6) is BadgeStatus.RUNNING
    assert badge_status(run, started + DAY + second, deadline_s=10**6) is BadgeStatus.UNKNOWN


def parts(verdict: dict[str, Any] | None, now: datetime = NOW) -> tuple[str, str]:
    badge = make_badge(verdict, now)
    return str(badge.perf_gate), str(badge.e2e_tests)


def test_the_parts_come_from_the_evidence_of_their_kinds() -> None:
    assert parts(samples.verdict()) == ("pass", "pass")
    # encode failed; install is an error, which is no answer.
    assert parts(samples.failed()) == ("fail", "unknown")
    broken = samples.verdict("fail", reasons=[*samples.PERF, samples.reason("e2e_use", "resolve", "failed")])
    assert parts(broken) == ("pass", "fail")
    only_perf = [item for item in samples.verdict()["evidence"] if item["kind"].startswith("perf_")]
    assert parts(samples.verdict(reasons=samples.PERF, evidence=only_perf)) == ("pass", "unknown")


def test_the_parts_are_unknown_without_a_verdict_that_counts() -> None:
    unknown = ("unknown", "unknown")
    assert parts(None) == unknown
    assert parts(samples.running()) == unknown
    assert parts(samples.verdict(), NOW + 2 * DAY) == unknown
    assert parts(samples.failed(), NOW + 2 * DAY) == unknown
    assert parts(samples.verdict("inconclusive"), NOW + 2 * DAY) == unknown


def test_an_event_s_name_changes_nothing() -> None:
    # contract, trap 10: the badge looked for events that nothing wrote
    assert parts(samples.verdict(events=[{"event": "publish"}], evidence=[])) == ("unknown", "unknown")


def test_json() -> None:
    assert badge_json(make_badge(samples.verdict(), NOW)) == {
        "status": "pass",
        "timestamp": "2026-03-01T02:02:41+00:00",
        "perf_gate": "pass",
        "e2e_tests": "pass",
    }
    assert badge_json(make_badge(None, NOW))["timestamp"] is None
    written = datetime(2026, 3, 1, 2, 5, tzinfo=UTC)
    assert (
        badge_json(make_badge(samples.verdict(), NOW, last_run=written))["timestamp"] == written.isoformat()
    )


@pytest.mark.parametrize(
    ("verdict", "label", "colour", "markdown"),
    [
        (samples.verdict(), "✓ Hologram Pipeline: PASS", "#28a745", "PASS-green"),
        (samples.failed(), "✗ Hologram Pipeline: FAIL", "#dc3545", "FAIL-red"),
        (samples.running(), "● Hologram Pipeline: RUNNING", "#ffc107", "RUNNING-yellow"),
        (samples.verdict("inconclusive"), "? Hologram Pipeline: UNKNOWN", "#6c757d", "UNKNOWN-grey"),
    ],
)
def test_html_and_markdown(verdict: dict[str, Any], label: str, colour: str, markdown: str) -> None:
    badge = make_badge(verdict, NOW)
    html = badge_html(badge)
    assert label in html
    assert f"background:{colour}" in html
    assert "Last run: 2026-03-01 02:0" in html
    assert badge_markdown(badge) == (
        f"![Hologram Pipeline](https://img.shields.io/badge/Hologram%20Pipeline-{markdown}"
        "?style=flat-square&label=Last%20run&message=2026-03-01)\n"
    )


def test_a_pipeline_that_never_ran() -> None:
    badge = make_badge(None, NOW)
    assert "Last run: Never" in badge_html(badge)
    assert "message=Never)" in badge_markdown(badge)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)


@given(st.dictionaries(st.sampled_from(list(samples.verdict())), ANYTHING))
def test_a_malformed_document_is_never_a_pass(document: dict[str, Any]) -> None:
    badge = make_badge(document, NOW)
    assert badge.status is BadgeStatus.UNKNOWN
    assert "<script" not in badge_html(badge)
