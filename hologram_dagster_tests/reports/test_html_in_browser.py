"""The page in a real browser: nothing is requested, nothing complains, hostile text stays text."""

from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from hologram_dagster.processes import wait_until
from hologram_dagster.reports.experiment import experiment_of
from hologram_dagster.reports.html import render
from hologram_dagster_tests.reports import real, samples
from hologram_dagster_tests.reports.conftest import Site, complaints
from hologram_dagster_tests.reports.test_html import HOSTILE, everywhere

pytestmark = [pytest.mark.phase7_security, pytest.mark.system("chromium")]


RED = samples.verdict("fail", reasons=[samples.REGRESSED, *samples.failed()["reasons"]])


def page_of(records: list[dict[str, Any]]) -> str:
    """A page with everything in it that there can be, and `records` of a real run."""
    return render(
        RED,
        records=[*samples.RECORDS, *samples.COMPARED, *records, *map(real.journal_record, real.JOURNALS)],
        rows=samples.ROWS,
        events=[*samples.EVENTS, *real.events()],
        trends=[samples.ratios(), samples.ratios(200, kind="regression_verify", step=1.0)],
        experiments=[experiment_of(real.journal(kind), of_run=True) for kind in real.JOURNALS],
        notes=["a note"],
    )


FULL = page_of(real.records())


@pytest.mark.parametrize("html", [FULL, render(samples.running()), *map(everywhere, HOSTILE)])
def test_it_asks_for_nothing_and_complains_of_nothing(page: Page, site: Site, html: str) -> None:
    heard = complaints(page)
    site.html = html
    page.goto(site.url, wait_until="networkidle")
    assert site.asked == ["/"]
    assert heard == []
    assert page.locator("h1").count() == 1
    assert page.locator("img, iframe, object, svg[onload]").count() == 0
    assert page.locator("script").count() == 1
    assert page.evaluate("getComputedStyle(document.body).display") == "block"


def test_hostile_text_is_read_as_it_was_written(page: Page) -> None:
    page.set_content(everywhere(HOSTILE[0]))
    assert page.locator("h1").inner_text().endswith(HOSTILE[0] + " RUNNING".lower())
    assert page.locator(".what").inner_text() == HOSTILE[0]


def test_the_policy_would_stop_what_escaping_missed(page: Page, site: Site) -> None:
    heard = complaints(page)
    smuggled = "<script>document.title='owned'</script><img src=/x><iframe src=/y></iframe>"
    site.html = FULL.replace("</main>", f"{smuggled}</main>")
    page.goto(site.url, wait_until="networkidle")
    assert site.asked == ["/"]
    assert page.title() == "Hologram Reports"
    assert len([text for text in heard if "Content Security Policy" in text]) == 3


@pytest.mark.parametrize("width", [320, 390, 768, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_and_is_legible(browser: Browser, width: int, scheme: str) -> None:
    page = browser.new_page(
        viewport={"width": width, "height": 800}, color_scheme="dark" if scheme == "dark" else "light"
    )
    page.set_content(FULL)
    assert page.evaluate("document.documentElement.scrollWidth") == width
    box = page.locator("h1").bounding_box()
    assert box is not None
    assert box["y"] + box["height"] < 400
    # WCAG AA for text: at least 4.5 to 1 against what lies behind it.
    faint = page.evaluate(CONTRAST)
    assert faint == []
    page.close()


@pytest.mark.parametrize(("width", "height"), [(1280, 850), (390, 900)])
def test_a_regression_is_named_with_ratio_and_limit_on_the_first_screen(
    page: Page, width: int, height: int
) -> None:
    page.set_viewport_size({"width": width, "height": height})
    page.set_content(FULL)
    seen = page.locator(".verdict").inner_text()
    assert "encode" in seen
    assert "x1.482" in seen
    for text in ("Candidate takes x1.482", "48.2 %", "limit 5.0 %"):
        box = page.get_by_text(text).first.bounding_box()
        assert box is not None
        assert box["y"] + box["height"] <= height


def test_the_trend_is_a_picture_with_a_name_and_a_table_behind_it(page: Page) -> None:
    page.set_content(FULL)
    picture = page.get_by_role("img", name="drift_encode: the candidate's time over the baseline's")
    box = picture.bounding_box()
    assert box is not None
    assert box["width"] > 300
    table = page.get_by_role("region", name="drift_encode: the newest 10")
    assert not table.is_visible()
    page.get_by_text("The newest 10 as a table").first.click()
    assert table.is_visible()
    assert table.get_by_role("row").count() == 11


def test_it_can_be_printed_from_a_dark_screen(page: Page) -> None:
    page.set_viewport_size({"width": 720, "height": 1000})
    page.emulate_media(media="print", color_scheme="dark")
    page.set_content(FULL)
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.evaluate(CONTRAST) == []
    cut_off = (
        "[...document.querySelectorAll('table')].filter(t => t.offsetWidth > t.parentElement.clientWidth)"
    )
    assert page.evaluate(f"{cut_off}.map(t => t.id)") == []


def test_tables_can_be_scrolled_by_keyboard(page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 800})
    page.set_content(FULL)
    region = page.get_by_role("region", name="All checks")
    region.focus()
    page.keyboard.press("ArrowRight")
    # Not the browser's own waiting, which evaluates text: the page forbids that.
    assert wait_until(lambda: region.evaluate("element => element.scrollLeft") > 0, timeout_s=60)


CONTRAST = """() => {
  const parse = text => {
    const parts = text.match(/[\\d.]+/g).map(Number);
    return parts.length < 4 ? [...parts, 1] : parts;
  };
  const linear = v => v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4;
  const light = ([r, g, b]) =>
    .2126 * linear(r / 255) + .7152 * linear(g / 255) + .0722 * linear(b / 255);
  const behind = node => {
    for (let n = node; n; n = n.parentElement) {
      const colour = parse(getComputedStyle(n).backgroundColor);
      if (colour[3] > 0) return colour;
    }
    return [255, 255, 255, 1];
  };
  const faint = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const text = walker.currentNode.textContent.trim(), parent = walker.currentNode.parentElement;
    if (!text) continue;
    const [a, b] = [light(parse(getComputedStyle(parent).color)), light(behind(parent))];
    const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
    if (ratio < 4.5) faint.push(`${text.slice(0, 30)}: ${ratio.toFixed(2)}`);
  }
  return faint;
}"""
