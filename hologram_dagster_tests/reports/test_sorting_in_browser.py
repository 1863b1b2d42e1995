"""Tables sort by keyboard as by mouse, and say so; and the whole page stands before axe."""

from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Locator, Page, expect

from hologram_dagster.reports.html import render
from hologram_dagster.reports.past import past_page, summary_of
from hologram_dagster_tests.reports import real, samples
from hologram_dagster_tests.reports.conftest import Site, complaints
from hologram_dagster_tests.reports.test_html_in_browser import FULL, page_of
from hologram_dagster_tests.reports.test_sections_in_browser import rows_of, show

pytestmark = [pytest.mark.phase7_security, pytest.mark.system("chromium")]


@pytest.fixture
def checks(page: Page, site: Site) -> Iterator[Locator]:
    """The table of all checks of the full page."""
    heard = complaints(page)
    show(page, site, FULL)
    yield page.locator("#checks")
    assert heard == []
    assert site.asked == ["/"]


def column(page: Page, table: str, number: int) -> list[str]:
    return [row[number] for row in rows_of(page, table)]


def test_a_heading_sorts_up_down_and_back_by_keyboard(page: Page, checks: Locator) -> None:
    heading = checks.get_by_role("columnheader", name="Evidence")
    before = rows_of(page, "checks")
    kinds = [row[1] for row in before]
    assert kinds != sorted(kinds)
    heading.get_by_role("button").focus()
    for key, order, expected in (
        ("Enter", "ascending", sorted(kinds)),
        ("Space", "descending", sorted(kinds, reverse=True)),
        ("Enter", "none", kinds),
    ):
        page.keyboard.press(key)
        expect(heading).to_have_attribute("aria-sort", order)
        assert column(page, "checks", 1) == expected
    assert rows_of(page, "checks") == before
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Check"


def test_numbers_sort_as_numbers_and_what_is_empty_is_last(page: Page, checks: Locator) -> None:
    button = checks.get_by_role("button", name="Of the limit")
    for order in (False, True):
        button.click()
        shares = column(page, "checks", 5)
        percents = [int(text.removesuffix(" %")) for text in shares if text]
        assert percents == sorted(percents, reverse=order)
        assert len(percents) == 3
        assert shares[len(percents) :] == [""] * (len(shares) - len(percents))
    page.locator("#all-rows").get_by_role("button", name="p95_ms").click()
    times = [float(text) for text in column(page, "all-rows", 3)]
    # As texts 104.4 would come before 4.2.
    assert times == sorted(times) != sorted(times, key=str)
    page.locator("#last-events").get_by_role("button", name="ts", exact=True).click()
    assert column(page, "last-events", 2) == sorted(column(page, "last-events", 2))


def test_one_column_at_a_time_is_sorted_by(page: Page, checks: Locator) -> None:
    for name in ("Status", "Check"):
        checks.get_by_role("button", name=name, exact=True).click()
    orders = checks.locator("th[aria-sort]").evaluate_all("all => all.map(each => each.ariaSort)")
    assert sorted(orders) == ["ascending", *["none"] * 6]
    # What has one row, or rows with headings of their own, has nothing to sort.
    assert page.locator("#run button, #overrides button").count() == 0


def test_without_its_script_nothing_is_lost(browser: Browser, page: Page) -> None:
    page.set_content(FULL)
    quiet = browser.new_page(java_script_enabled=False)
    quiet.set_content(FULL)
    assert quiet.locator("main").inner_text() == page.locator("main").inner_text()
    assert quiet.locator("thead button").count() == 0
    quiet.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(browser: Browser, scheme: str) -> None:
    page = browser.new_page(color_scheme="dark" if scheme == "dark" else "light")
    # Of each form some: hundreds of rows alike would only take longer.
    page.set_content(page_of([each for each in real.records() if len(each["facts"]) < 100]))
    page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
    found = Axe().run(page).response["violations"]
    assert {rule["id"]: rule["nodes"][0]["html"][:200] for rule in found} == {}
    page.close()


def test_axe_finds_what_is_wrong(page: Page) -> None:
    broken = render(samples.running()).replace(
        "<h1 ", '<button></button><p style="color:#ccc;background:#fff">faint</p><h1 '
    )
    page.set_content(broken)
    found = {rule["id"]: rule["impact"] for rule in Axe().run(page).response["violations"]}
    assert found["button-name"] == "critical"
    assert found["color-contrast"] == "serious"


def test_the_index_of_past_reports_is_no_worse(page: Page, site: Site) -> None:
    kept = [
        summary_of(samples.verdict(run_id=f"run-{number}"), f"2026030{number}T020000Z-run-{number}.html")
        for number in (3, 2, 1)
    ]
    show(page, site, past_page([*kept, summary_of(samples.failed(), "x.html")]))
    assert Axe().run(page).response["violations"] == []
    assert column(page, "reports", 0) == ["pass", "pass", "pass", "fail"]
    page.get_by_role("button", name="Report of run").press("Enter")
    runs = column(page, "reports", 8)
    assert runs[1:] == ["run-1", "run-2", "run-3"]
    assert page.get_by_role("link", name="run-1").get_attribute("href") == "20260301T020000Z-run-1.html"
