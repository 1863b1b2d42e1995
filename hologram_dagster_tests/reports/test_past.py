"""Past reports are kept, listed and removed; the index tells what each concluded, whatever lies there."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hologram_dagster.gate.past import KEPT, keep_report, past_reports
from hologram_dagster.reports.past import past_page, summary_of
from hologram_dagster.settings import Settings, load_settings
from hologram_dagster_tests.reports import samples
from hologram_dagster_tests.reports.test_courses import ANYTHING
from hologram_dagster_tests.reports.test_html import HOSTILE, Page

pytestmark = pytest.mark.phase0_ready

FIRST = datetime(2026, 3, 1, 2, tzinfo=UTC)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(repository=tmp_path, reports_dir=tmp_path / "reports")


def keep(settings: Settings, number: int, **fields: Any) -> None:
    """Keep the report of the run `number`, a day after the one before."""
    finished = (FIRST + timedelta(days=number)).isoformat()
    document = samples.verdict(run_id=f"run-{number}", finished_at=finished, **fields)
    keep_report(settings, document, lambda folder: f"page {number} in {folder.name}")


def names(settings: Settings) -> list[str]:
    return sorted(path.name for path in (settings.reports_dir / "past").iterdir())


def test_each_run_is_kept_once_and_the_newest_is_first(settings: Settings) -> None:
    for number in range(3):
        keep(settings, number)
    keep(settings, 1)
    assert names(settings) == [
        *(f"2026030{day}T020000Z-run-{day - 1}.{form}" for day in (1, 2, 3) for form in ("html", "json")),
        "index.html",
    ]
    assert [each["run_id"] for each in past_reports(settings)] == ["run-2", "run-1", "run-0"]
    kept = settings.reports_dir / "past" / "20260303T020000Z-run-2.html"
    assert kept.read_text() == "page 2 in past"


def test_a_run_that_is_concluded_again_replaces_its_report(settings: Settings) -> None:
    keep(settings, 1)
    document = samples.verdict("fail", run_id="run-1", finished_at="2026-03-09T00:00:00Z")
    keep_report(settings, document, lambda folder: "later")
    assert names(settings) == ["20260309T000000Z-run-1.html", "20260309T000000Z-run-1.json", "index.html"]
    assert [each["verdict"] for each in past_reports(settings)] == ["fail"]


def test_the_oldest_make_room_and_other_files_stay(settings: Settings) -> None:
    folder = settings.reports_dir / "past"
    folder.mkdir(parents=True)
    (folder / "notes.json").write_text("mine")
    for number in range(KEPT + 2):
        keep(settings, number)
    assert len(past_reports(settings)) == KEPT
    assert len(names(settings)) == 2 * KEPT + 2
    assert (folder / "notes.json").read_text() == "mine"
    assert not list(folder.glob("*-run-1.*"))
    assert list(folder.glob("*-run-2.html"))


def test_the_index_tells_what_each_concluded(settings: Settings) -> None:
    keep(settings, 0)
    keep(settings, 1, revision=samples.failed()["revision"] | {"dirty": True}, reasons=[samples.SLOW])
    html = (settings.reports_dir / "past" / "index.html").read_text()
    text = Page(html).text
    assert "pass 2026-03-02 02:00:00 UTC main local 8db0977f2c4a refs/heads/main with uncommitted" in text
    assert (
        "changes 1 1 run-1 pass 2026-03-01 02:00:00 UTC main local 8db0977f2c4a refs/heads/main 0 9" in text
    )
    assert [value for tag, name, value in Page(html).attributes if (tag, name) == ("a", "href")] == [
        "../index.html",
        "20260302T020000Z-run-1.html",
        "20260301T020000Z-run-0.html",
    ]


def test_a_malformed_summary_is_listed_by_its_file(settings: Settings) -> None:
    keep(settings, 0)
    (summary,) = (settings.reports_dir / "past").glob("*.json")
    for content in ("[", "[]", '{"file": "../../etc/passwd"}', "\xff"):
        summary.write_text(content, encoding="latin-1")
        (told,) = past_reports(settings)
        assert told["file"] == summary.with_suffix(".html").name


def test_a_verdict_without_an_end_is_not_kept(settings: Settings) -> None:
    keep_report(settings, samples.running(), lambda folder: "page")
    assert names(settings) == ["index.html"]
    assert "None is kept yet." in Page((settings.reports_dir / "past" / "index.html").read_text()).text


@pytest.mark.parametrize(
    "text", [*HOSTILE, "../x.html", "a/b.html", "//x.html", "x..html", "http://x/x.html"]
)
def test_hostile_summaries_stay_texts(text: str) -> None:
    fields = ("verdict", "run_id", "profile", "environment", "commit", "ref", "finished_at", "file", "red")
    page = Page(past_page([dict.fromkeys(fields, text)]))
    plain = Page(past_page([summary_of(samples.verdict(), "x.html")]))
    assert set(page.tags) <= set(plain.tags)
    assert [value for tag, name, value in page.attributes if (tag, name) == ("a", "href")] == [
        "../index.html"
    ]


def test_secrets_stay_out() -> None:
    summary = summary_of(samples.verdict(profile="Authorization: Basic hunter2=="), "x.html")
    assert "hunter2" not in json.dumps(summary)


@given(st.dictionaries(st.sampled_from(("file", "verdict", "finished_at", "red", "dirty")), ANYTHING))
def test_whatever_a_summary_holds_there_is_an_index(summary: dict[str, Any]) -> None:
    past_page([summary]).encode()
