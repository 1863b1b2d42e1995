"""The pictures of README.md, of the last gate run here: `python tools/pictures.py` after `make gate`.

Writes `report.png`, `graph.png` and `badge.svg` to docs/pictures. Needs Chromium.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

import httpx
from playwright.sync_api import Browser, sync_playwright

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from hologram_dagster.processes import LOOPBACK, free_port, start_child, stop_child, wait_until  # noqa: E402

PICTURES = ROOT / "docs" / "pictures"
BIN = Path(sys.executable).parent
GROUPS = ("source", "e2e", "perf", "supply_chain", "release")
START_S = 120
# The graph is laid out in a worker of the page, and then moves to its place.
SETTLE_MS = 3000


def report(browser: Browser) -> None:
    """The top of the page that people open."""
    page = browser.new_page(viewport={"width": 1200, "height": 800}, color_scheme="light")
    page.goto((ROOT / "reports" / "index.html").as_uri())
    page.screenshot(path=PICTURES / "report.png")
    page.close()


def graph(browser: Browser, server: str) -> None:
    """The dev gate in the Dagster UI, its groups open, beside what the job says of itself."""
    expanded = quote(",".join(f"global@global:{group}" for group in GROUPS))
    page = browser.new_page(viewport={"width": 1500, "height": 860}, color_scheme="light")
    page.goto(f"{server}/locations/hologram_dagster/jobs/dev_gate?expanded={expanded}")
    page.get_by_text("Hide navigation").click()
    page.locator("svg foreignObject").first.wait_for()
    page.wait_for_timeout(SETTLE_MS)
    # More room for the graph, and all of it in view.
    divider = page.locator("div").evaluate_all(
        "all => all.map(each => each.getBoundingClientRect())"
        ".filter(box => box.width > 0 && box.width <= 8 && box.height > 500).map(box => box.x)"
    )
    page.mouse.move(divider[-1] + 1, 500)
    page.mouse.down()
    page.mouse.move(1490, 500, steps=8)
    page.mouse.up()
    page.mouse.dblclick(300, 740)
    page.wait_for_timeout(SETTLE_MS)
    page.screenshot(path=PICTURES / "graph.png")
    page.close()


def _answers(server: str) -> bool:
    try:
        return httpx.get(f"{server}/server_info", trust_env=False).is_success
    except httpx.HTTPError:
        return False


def main() -> None:
    """Make all three."""
    PICTURES.mkdir(exist_ok=True)
    badge = subprocess.run(
        [str(BIN / "hologram"), "badge", "svg"], cwd=ROOT, capture_output=True, check=True
    ).stdout
    (PICTURES / "badge.svg").write_bytes(badge)
    port = free_port()
    server = f"http://{LOOPBACK}:{port}"
    process = start_child(
        [str(BIN / "dagster-webserver"), "-w", "workspace.yaml", "--host", LOOPBACK, "--port", str(port)],
        cwd=ROOT,
        env={**os.environ, "DAGSTER_HOME": str(ROOT / ".hologram" / "dagster")},
    )
    try:
        if not wait_until(lambda: _answers(server), timeout_s=START_S):
            sys.exit("the Dagster UI does not start")
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
            )
            report(browser)
            graph(browser, server)
            browser.close()
    finally:
        stop_child(process, grace_s=20)


if __name__ == "__main__":
    main()
