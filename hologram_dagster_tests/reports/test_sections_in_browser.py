"""Sections in a real browser: every value is the evidence's, and the page stays quiet."""

from datetime import datetime

import pytest
from playwright.sync_api import Page

from hologram_dagster.reports.experiment import experiment_of
from hologram_dagster.reports.html import render
from hologram_dagster_tests.reports import real, samples
from hologram_dagster_tests.reports.conftest import Site, complaints

pytestmark = [pytest.mark.phase7_security, pytest.mark.system("chromium")]


def rows_of(page: Page, key: str) -> list[list[str]]:
    """The texts of the cells of the table `key`."""
    rows: list[list[str]] = page.evaluate(
        "key => [...document.getElementById(key).tBodies[0].rows]"
        ".map(row => [...row.cells].map(cell => cell.innerText.trim()))",
        key,
    )
    return rows


def show(page: Page, site: Site, html: str) -> None:
    """Open `html` as it is served; it asks for nothing else, and complains of nothing."""
    heard = complaints(page)
    site.html = html
    page.goto(site.url, wait_until="networkidle")
    assert site.asked == ["/"]
    assert heard == []


def test_every_attack_of_real_runs_stands_there_as_it_was_seen(page: Page, site: Site) -> None:
    records = [real.record(kind) for kind in ("ctp96_replay", "proof_chain", "access_control")]
    show(page, site, render(samples.verdict(), records=records))
    for record in records:
        rows = rows_of(page, f"attacks-{record['kind']}")
        told = {f"{group}: {name}": f"expected {right}, saw {seen}" for _, group, name, right, seen in rows}
        assert told.items() <= record["facts"].items()
        assert len(told) == len(rows) == min(record["values"]["cases"], 200)
        assert {row[0] for row in rows} == {"passed"}
    rules = [(row[1], row[2]) for row in rows_of(page, "security-rules")]
    assert rules == [(record["kind"], each["name"]) for record in records for each in record["findings"]]


def test_each_experiment_of_a_real_night_is_a_picture_of_its_journal(page: Page, site: Site) -> None:
    kinds = (*real.JOURNALS, real.UNDECIDED)
    records = [real.journal_record(kind) for kind in kinds]
    experiments = [experiment_of(real.journal(kind), of_run=True) for kind in kinds]
    show(page, site, render(samples.verdict(profile="nightly"), records=records, experiments=experiments))
    shown = {row[1]: row for row in rows_of(page, "chaos-outcomes")}
    for record in records:
        values, row = record["values"], shown[record["kind"]]
        assert row[0] == record["status"]
        assert float(row[3].replace(",", "")) == round(values["recovery_p50_ms"], 1)
        assert float(row[4].replace(",", "")) == round(values["recovery_time_ms"], 1)
        assert row[5] == f"{100 * values['success_rate']:.1f} %"
    for kind in kinds:
        journal = real.journal(kind)
        picture = page.get_by_role("img", name=f"{kind}: {journal['title']}")
        assert picture.count() == (1 if journal["timeline"] else 0)
        if journal["timeline"]:
            box = picture.bounding_box()
            assert box is not None
            assert box["width"] > 300
            assert picture.locator("rect.fault").count() == len(journal["windows"])
            dots, red = (picture.locator(of).all() for of in (".dots", ".ring"))
            drawn = sum((path.get_attribute("d") or "").count("M") for path in [*dots, *red])
            assert drawn == len(journal["timeline"])
    # The steps are behind it.
    steps = page.get_by_role("region", name="chaos_gql_latency")
    assert not steps.is_visible()
    page.get_by_text("Its steps").first.click()
    assert steps.get_by_role("row").count() == 1 + len(real.journal("chaos_gql_latency")["entries"])


def test_the_timeline_of_a_real_run_is_its_evidence(page: Page, site: Site) -> None:
    kinds = ("e2e_publish", "e2e_strict", "e2e_install", "e2e_use")
    records = [real.record(kind) for kind in kinds]
    show(page, site, render(samples.verdict(), records=records, events=real.events()))
    rows = rows_of(page, "timeline")
    steps = {row[1]: row for row in rows if row[0] != "event"}
    begin = min(datetime.fromisoformat(record["started_at"]) for record in records)
    assert list(steps) == list(kinds)
    for record in records:
        started, finished = (datetime.fromisoformat(record[name]) for name in ("started_at", "finished_at"))
        row = steps[record["kind"]]
        assert row[0] == record["status"]
        assert float(row[3]) == round((started - begin).total_seconds(), 3)
        assert float(row[4]) == round((finished - started).total_seconds(), 3)
    assert sorted(row[1] for row in rows if row[0] == "event") == sorted(e["event"] for e in real.events())
    bars = page.locator("#timeline tr", has=page.locator(".chip")).locator(".fill").all()
    places = [box["x"] for bar in bars if (box := bar.bounding_box())]
    assert len(places) == len(records)
    # Later is further right.
    assert places == sorted(places)


def test_flakes_supply_chain_and_cold_calls_are_the_evidences(page: Page, site: Site) -> None:
    show(page, site, render(samples.verdict(profile="nightly"), records=real.records()))
    detected, excused = real.record("flake_detection"), real.record("quarantine")
    flakes = [row[2:] for row in rows_of(page, "flakes-named")]
    assert flakes[0] == [f"{detected['values']['new_flakes']:.0f}", detected["facts"]["new_flakes"]]
    assert flakes[2] == [f"{excused['values']['quarantined']:.0f}", excused["facts"]["quarantined"]]
    bills = real.record("sbom")["values"]
    target, gate, audit, provenance = rows_of(page, "supply-overview")
    for row, side in ((target, "target"), (gate, "gate")):
        share, count = bills[f"{side}_hashed_pct"], bills[f"{side}_components"]
        assert row[3:] == [f"{share:.1f} %", f"of {count:.0f}"]
    assert audit[0] == "not audited"
    assert real.record("provenance")["facts"]["level"] in provenance[2]
    timed = real.record("perf_cold_warm")
    rows = rows_of(page, "cold-warm")
    assert [row[1] for row in rows] == [finding["name"] for finding in timed["findings"]]
    for row in rows:
        cold, warm, ratio = (timed["values"][f"{row[1]}_{name}"] for name in ("cold_ms", "warm_ms", "ratio"))
        assert row[2:5] == [f"{cold:.3f}", f"{warm:.3f}", f"x{ratio:.2f}"]
