"""The job summary: verdict first, tables, links; no markup from hostile values; at most 1 MiB."""

from pathlib import Path
from typing import Any

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

from hologram_dagster.errors import HologramError
from hologram_dagster.reports.summary import MAX_BYTES, append_summary, job_summary
from hologram_dagster_tests.reports import samples

pytestmark = pytest.mark.phase0_ready

PARSER = MarkdownIt("commonmark").enable(["table", "strikethrough"])


def tokens(markdown: str) -> list[Token]:
    return [part for token in PARSER.parse(markdown) for part in [token, *(token.children or [])]]


def shown(markdown: str) -> str:
    return "\n".join(part.content for part in tokens(markdown) if part.type in {"text", "code_inline"})


def summary(verdict: dict[str, Any], **more: Any) -> str:
    return job_summary(verdict, **{"rows": samples.ROWS, "events": samples.EVENTS, **more})


def test_the_verdict_comes_first() -> None:
    text = summary(
        samples.failed(),
        artifacts={"report": "reports/index.html", "log": "https://ci.example/run/1"},
        run_url="http://127.0.0.1:3000/runs/1",
    )
    order = [
        "## Hologram gate: FAIL",
        "This revision must not ship.",
        "`8db0977f2c4a`",
        "**Looser than the profile:** `SLO_GQL_P95_MS` is 400",
        "### Reasons",
        "p95 104.4 ms over the budget of 80 ms",
        "### Perf: best p95 per metric",
        "4.213",
        "### E2E: latest event per type",
        "`QmYwAPJzv5CZ`",
        "### Artifacts",
        "[report](reports/index.html)",
        "[log](https://ci.example/run/1)",
        "](http://127.0.0.1:3000/runs/1)",
    ]
    places = [text.find(part) for part in order]
    assert -1 not in places, order[places.index(-1)]
    assert places == sorted(places)
    assert "ENC_MB" not in text
    assert samples.CID not in text


@pytest.mark.parametrize(
    ("verdict", "said"),
    [
        (samples.verdict(), "## Hologram gate: PASS\n"),
        (samples.running(), "## Hologram gate: INCONCLUSIVE (running)\n"),
        (
            samples.failed()
            | {
                "waivers": [
                    samples.waiver("perf_encode.p95_within_budget"),
                    samples.waiver("e2e_install.marketplace_install"),
                ]
            },
            "## Hologram gate: FAIL (waived)\n",
        ),
        (
            samples.failed() | {"waivers": [samples.waiver("perf_encode.p95_within_budget")]},
            "## Hologram gate: FAIL\n",
        ),
    ],
)
def test_headline(verdict: dict[str, Any], said: str) -> None:
    assert summary(verdict).startswith(said)


HOSTILE = (
    "<script>alert(1)</script>",
    "![x](http://127.0.0.1/x)",
    "[x](javascript:alert(1))",
    "a | b\n\n# Pass",
    "`code` **bold** ~~gone~~ @everyone #1",
    "x \\| y",
    "``|``",
)


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_texts_stay_texts(text: str) -> None:
    plain = tokens(summary(samples.failed()))
    document = samples.verdict(
        text,
        profile=text,
        environment=text,
        revision={"commit": text},
        reasons=[samples.reason(text, text, text, text)],
        overrides=[{"variable": text, "profile_value": text, "value": text, "looser": True}],
    )
    row = dict.fromkeys(("suite", "metric", "n", "_file"), text) | {"p95_ms": 1}
    event = dict.fromkeys(("suite", "event", "ts", "cid", "name", "variant"), text)
    markdown = summary(document, rows=[row], events=[event], artifacts={text: "javascript:alert(1)"})
    found = tokens(markdown)
    assert {token.type for token in found} <= {token.type for token in plain} | {"list_item_open"} | {
        token.type for token in tokens("- a")
    }
    # Every row has as many cells as its head: no value broke out of its cell.
    for count, titles in ((6, "Reasons"), (5, "best p95"), (6, "latest event")):
        lines = markdown.partition(titles)[2].splitlines()
        table = [line for line in lines[:6] if line.startswith("|")]
        assert len(table) == 3
        assert len([t for t in tokens("\n".join(table)) if t.type == "td_open"]) == count
    if "\n" not in text and "`" not in text:
        assert text.replace("\\|", "|") in shown(markdown).replace("\\|", "|")


def test_secrets_stay_out() -> None:
    reason = samples.reason("e2e_use", "resolve", "error", "refused: Authorization: Basic hunter2==")
    text = summary(samples.verdict("fail", reasons=[reason]), artifacts={"x": "https://u:hunter2@x/"})
    assert "hunter2" not in text


def test_it_stays_under_a_mebibyte() -> None:
    long = "é|" * 3000
    reasons = [samples.reason(f"perf_{n}", long, "failed", long) for n in range(500)]
    rows = [samples.ROWS[0] | {"metric": f"{n}{long}", "_file": long} for n in range(500)]
    text = summary(samples.verdict("fail", reasons=reasons), rows=rows)
    assert len(text.encode()) <= MAX_BYTES
    assert "400 more are left out" in text


def test_it_is_appended(tmp_path: Path) -> None:
    path = tmp_path / "summary.md"
    path.write_text("# Before\n")
    assert append_summary(path, summary(samples.verdict()))
    assert path.read_text() == "# Before\n" + summary(samples.verdict())


def test_a_nearly_full_file_gets_what_fits(tmp_path: Path) -> None:
    path = tmp_path / "summary.md"
    path.write_bytes(b"x" * (MAX_BYTES - 400) + b"\n")
    assert not append_summary(path, summary(samples.verdict()))
    assert path.stat().st_size <= MAX_BYTES
    assert path.read_text().endswith("a summary may have 1 MiB.*\n")
    path.write_bytes(b"x" * MAX_BYTES)
    assert not append_summary(path, summary(samples.verdict()))
    assert path.stat().st_size == MAX_BYTES


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(HologramError, match=str(tmp_path)):
        append_summary(tmp_path, "text\n")
