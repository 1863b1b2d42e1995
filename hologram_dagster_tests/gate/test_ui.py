"""The Dagster UI in a real browser: graph, figures over runs, the red check, the runs of a commit."""

import json
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
from playwright.sync_api import Page, expect, sync_playwright

from hologram_dagster.processes import LOOPBACK, free_port
from hologram_dagster.stack.stack import Stack
from hologram_dagster_tests.gate.bench import BIN, Bench, git
from hologram_dagster_tests.gate.scratch_target import add_target, commit

pytestmark = [pytest.mark.system("chromium"), pytest.mark.phase2_integration]

SLOW_MS = 30_000
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run")


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory, dagster_home: Path, stack: Stack) -> Bench:
    """A home with two gate runs of one commit that has a baseline, the last of them red."""
    folder = tmp_path_factory.mktemp("ui") / "repository"
    bench = Bench.make(folder, dagster_home, IPFS_API=stack.ipfs_api, GRAPHQL_URL=stack.graphql_url)
    add_target(bench)
    commit(bench, 0, note="no slower")
    for code, variables in ((0, {}), (1, {"SLO_GQL_P95_MS": "0.001"})):
        done = bench.hologram("gate", "--profile", "pr", **variables)
        assert done.returncode == code, done.stdout + done.stderr
    return bench


@pytest.fixture(scope="module")
def server(judged: Bench) -> Iterator[str]:
    port = free_port()
    process = subprocess.Popen(
        [
            *(str(BIN / "dagster-webserver"), "-m", "hologram_dagster.definitions"),
            *("--host", LOOPBACK, "--port", str(port)),
        ],
        cwd=judged.folder,
        env=judged.environment(DAGSTER_HOME=str(judged.folder / ".hologram" / "dagster")),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = f"http://{LOOPBACK}:{port}"
    try:
        for _ in range(600):
            try:
                httpx.get(f"{url}/server_info", trust_env=False)
                break
            except httpx.HTTPError:
                time.sleep(0.1)
        yield url
    finally:
        process.terminate()
        process.wait(60)


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=list(FLAGS))
        page = browser.new_page(viewport={"width": 1400, "height": 1000})
        page.set_default_timeout(SLOW_MS)
        expect.set_options(timeout=SLOW_MS)
        yield page
        browser.close()


def test_no_dialog_covers_a_fresh_home_and_the_graph_is_there(server: str, page: Page) -> None:
    page.goto(f"{server}/asset-groups")
    for group in ("source", "perf", "e2e", "release"):
        expect(page.get_by_text(group, exact=True).first).to_be_visible()
    assert page.get_by_role("dialog").count() == 0


def test_an_asset_shows_its_figures_and_plots_them_over_the_runs(server: str, page: Page) -> None:
    page.goto(f"{server}/assets/perf_gql?view=overview")
    expect(page.get_by_text("p95_ms", exact=True).first).to_be_visible()
    expect(page.get_by_text("p95_pct_of_budget", exact=True).first).to_be_visible()
    expect(page.get_by_text("p95 <= 0.001 ms").first).to_be_visible()
    page.get_by_text("Plots", exact=True).first.click()
    expect(page.locator("canvas").nth(1)).to_be_visible()


def test_a_comparison_shows_ratio_and_bounds_and_plots_the_ratio(
    server: str, page: Page, judged: Bench
) -> None:
    seen = json.loads(judged.record("regression_verify").read_text())
    page.goto(f"{server}/assets/regression_verify?view=overview")
    for name in ("ratio", "interval", "launches", "weak", "baseline_commit"):
        expect(page.get_by_text(name, exact=True).first).to_be_visible()
    expect(page.get_by_text(re.compile(r"verify: pass.*99 % bounds")).first).to_be_visible()
    bounds = f"{seen['values']['ratio_low']:.3f} to {seen['values']['ratio_high']:.3f} (99 % bounds)"
    expect(page.get_by_text(bounds).first).to_be_visible()
    page.get_by_text("Plots", exact=True).first.click()
    expect(page.locator("canvas").nth(1)).to_be_visible()
    plotted = page.locator("canvas").first.locator("xpath=ancestor::*[contains(., 'ratio')][1]")
    expect(plotted).to_be_visible()


def test_the_checks_of_a_comparison_show_its_figures_and_the_days_of_its_trend(
    server: str, page: Page
) -> None:
    page.goto(f"{server}/assets/regression_verify?view=checks&checkDetail=overview&check=no_regression")
    page.get_by_text("no_regression", exact=True).first.click()
    expect(page.get_by_text("interval", exact=True).first).to_be_visible()
    page.goto(f"{server}/assets/regression_verify?view=checks&checkDetail=overview&check=trend")
    page.get_by_text("trend", exact=True).first.click()
    expect(page.get_by_text("days", exact=True).first).to_be_visible()
    expect(page.get_by_text(re.compile("too few days for a trend")).first).to_be_visible()


def test_the_red_check_shows_its_figures_and_its_reason(server: str, page: Page) -> None:
    page.goto(f"{server}/assets/perf_gql?view=checks&checkDetail=overview&check=p95_within_budget")
    page.get_by_text("p95_within_budget", exact=True).first.click()
    expect(page.get_by_text(re.compile(r"p95 .* ms, budget 0\.001 ms: over by .* %")).first).to_be_visible()
    expect(page.get_by_text("p95_pct_of_budget").first).to_be_visible()


def test_the_runs_of_a_commit_are_one_link(server: str, page: Page, judged: Bench) -> None:
    commit = git(judged.folder, "rev-parse", "HEAD")
    page.goto(f"{server}/runs?{quote('q[0]')}={quote(f'tag:hologram/commit={commit}')}")
    expect(page.locator("a[href^='/runs/']").first).to_be_visible()
    links = [link.get_attribute("href") or "" for link in page.locator("a[href^='/runs/']").all()]
    runs = {found[0] for link in links if (found := re.match(r"/runs/[0-9a-f-]{36}", link))}
    assert len(runs) == 2


def test_the_run_says_that_a_gate_failed_and_by_how_much(server: str, page: Page, judged: Bench) -> None:
    page.goto(f"{server}/runs/{judged.verdict()['run_id']}")
    expect(page.get_by_text(re.compile("GateFailed")).first).to_be_visible()
    expect(page.get_by_text(re.compile(r"perf_gql: 1 of \d checks failed")).first).to_be_visible()
