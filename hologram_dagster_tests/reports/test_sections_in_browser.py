"""Sections in a real browser: every value is the evidence's, and the page stays quiet."""

import pytest
from playwright.sync_api import Page

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


def test_every_attack_of_a_real_run_stands_there_as_it_was_seen(page: Page, site: Site) -> None:
    record = real.record("ctp96_replay")
    show(page, site, render(samples.verdict(), records=[record]))
    shown = rows_of(page, "attacks")
    assert len(shown) == record["values"]["cases"] == 65
    assert {
        f"{group}: {name}": f"expected {right}, saw {seen}" for _, _, group, name, right, seen in shown
    } == (record["facts"])
    assert {row[0] for row in shown} == {"passed"}
    rules = rows_of(page, "security-rules")
    assert [row[2] for row in rules] == [finding["name"] for finding in record["findings"]]
