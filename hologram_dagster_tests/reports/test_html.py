"""The page: verdict first, the panels of contract section 7.4, small, and nothing in it but text."""

import base64
import hashlib
import re
from html.parser import HTMLParser
from pathlib import Path, PurePath
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hologram_dagster.reports.experiment import experiment_of
from hologram_dagster.reports.html import MAX_BYTES, render
from hologram_dagster_tests.reports import real, samples

pytestmark = pytest.mark.phase7_security

HOSTILE = (
    "<script>alert(1)</script>",
    "<img src=http://127.0.0.1/x onerror=alert(1)>",
    '"><svg onload=alert(1)>',
    "' onmouseover='alert(1)",
    "{{ 7 * 7 }}{% raw %}",
    "</style><style>body{display:none}",
    "javascript:alert(1)",
    "</td></table><h1>Pass</h1>",
    "abc\u202edef\x00\ud800",
)


BLOCKS = {"caption", "dd", "div", "dt", "h1", "h2", "li", "p", "small", "svg", "td", "th", "title"}


class Page(HTMLParser):
    """Elements, attributes and texts of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.texts: list[str] = []
        # Neither is read by anybody.
        for tag in ("style", "script"):
            html = html.replace(html.partition(f"<{tag}>")[2].partition(f"</{tag}>")[0], "", 1)
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.texts += [" "] * (tag in BLOCKS)
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join("".join(self.texts).split())


def full(verdict: dict[str, Any], **more: Any) -> str:
    given: dict[str, Any] = {
        "records": samples.RECORDS + samples.COMPARED,
        "trends": [samples.ratios()],
        "rows": samples.ROWS,
        "events": samples.EVENTS,
        "folder": PurePath("reports"),
        "dagster_url": "http://127.0.0.1:3000",
    }
    return render(verdict, **{**given, **more})


JOURNALS = [experiment_of(real.journal("chaos_partial_failure"), of_run=True)]
TAGS = set(Page(full(samples.failed(), notes=["a note"], experiments=JOURNALS)).tags)


def test_the_verdict_and_its_reasons_come_first() -> None:
    text = Page(full(samples.failed())).text
    order = [
        "Hologram Reports",
        "Verdict: Fail",
        "This revision must not ship.",
        "8db0977f2c4a",
        "SLO_GQL_P95_MS is 400; the profile has 80.",
        "Why: 2 of 9 checks are red",
        "p95 104.4 ms over the budget of 80 ms",
        "the registry did not answer within 10 s",
        "Against the baseline fail encode x1.482 limit x1.050 pass verify x1.021 limit x1.050",
        "Perf CSV files 2",
        "E2E events 4 events.jsonl 0.0 kB",
        "All checks",
        "Against the baseline Ratio",
        "drift_encode: the candidate's time over the baseline's",
        "p95 against the budget",
        "Perf – Best p95 per metric",
        "Perf – All rows",
        "E2E – Event counts",
        "E2E – Last events (per type)",
        "E2E – Raw events (latest 50)",
        "Signed records",
        "This run What Value",
    ]
    places = [text.find(part) for part in order]
    assert -1 not in places, order[places.index(-1)]
    assert places == sorted(places)


def test_only_looser_overrides_stand_under_the_verdict() -> None:
    head = full(samples.failed()).partition('<div class="reasons">')[0]
    assert "SLO_GQL_P95_MS" in head
    assert "ENC_MB" not in head


@pytest.mark.parametrize(
    ("verdict", "said"),
    [
        (samples.verdict(), "Verdict: Pass This revision may ship."),
        (samples.verdict("inconclusive"), "Verdict: Inconclusive The run could not tell"),
        (samples.running(), "Verdict: Inconclusive running The run has started and not finished."),
        (samples.verdict("maybe"), "Verdict: maybe This verdict is unknown here."),
        ({}, "Verdict: No verdict running"),
    ],
)
def test_every_verdict_has_its_words(verdict: dict[str, Any], said: str) -> None:
    assert said in Page(full(verdict)).text


def test_a_waiver_is_shown_and_changes_nothing() -> None:
    waivers = [samples.waiver("perf_encode.p95_within_budget")]
    text = Page(full(samples.failed() | {"waivers": waivers})).text
    # The other red check has none.
    assert "Verdict: Fail This revision must not ship." in text
    waivers.append(samples.waiver("e2e_install.marketplace_install"))
    text = Page(full(samples.failed() | {"waivers": waivers})).text
    assert "Verdict: Fail waived This revision must not ship." in text
    told = "Waived: e2e_install.marketplace_install by ada until 2026-03-05 00:00:00 UTC: known noise."
    assert told in text


def test_figures_and_shares_of_the_budget() -> None:
    html = full(samples.failed())
    text = Page(html).text
    assert "failed perf_encode p95_within_budget 104.4 ms 80 ms 131 %" in text
    assert "passed perf_verify p95_within_budget 4.213 ms 8 ms 53 %" in text
    assert "perf_gql 12.070 80 15 % 9.656 13.277 9.897 100 1" in text
    assert 'class="share over"' in html


def test_every_comparison_is_a_row_with_all_that_it_recorded() -> None:
    text = Page(full(samples.verdict())).text
    assert "Verdict Evidence Ratio 99 % bounds Launches Threshold, margin Weak Baseline Seed Remarks" in text
    for row in (
        "pass regression_verify x1.013 1.003 to 1.025 3 10 %, 5 % 3 : 2 71ffdf200000 2718 warning: cpu",
        "fail regression_encode x1.482 1.472 to 1.494 3 10 %, 5 % 71ffdf200000 2718 over the limit: wall",
        "not applicable regression_gql names no server command",
    ):
        assert row in text


def test_what_was_held_against_a_stored_number_is_not_shown_as_passed() -> None:
    stored = {
        "kind": "regression_encode",
        "status": "passed",
        "values": {"stored_change_pct": 10.0},
        "findings": [{"name": "no_regression", "status": "inconclusive", "message": "a stored number"}],
    }
    text = Page(full(samples.verdict(), records=[*samples.RECORDS, stored])).text
    assert "inconclusive regression_encode a stored number" in text


def test_a_regression_stands_first_with_its_figure_and_limit() -> None:
    document = samples.verdict("fail", reasons=[samples.REGRESSED, *samples.PERF])
    head = full(document).partition('<section class="cards')[0]
    text = Page(head).text
    assert "encode: 48.2 % slower, limit 5 % Candidate takes x1.482 of the baseline's wall time" in text
    assert "48.2 % limit 5.0 %" in text


def test_without_comparisons_nothing_is_said_of_them_at_a_glance() -> None:
    text = Page(full(samples.verdict(), records=samples.RECORDS, trends=[])).text
    assert "Against the baseline Nothing was compared in this run." in text
    assert text.count("Against the baseline") == 1


def test_other_figures_are_shown_by_name() -> None:
    load = {"kind": "e2e_load", "status": "passed", "values": {"ops_per_sec": 9.8, "sent": 50}}
    cold = {"kind": "perf_cold_warm", "status": "passed", "values": {"rounds": 3}}
    text = Page(full(samples.verdict(), records=[*samples.RECORDS, load, cold])).text
    other = text.partition("Other figures")[2].partition("Perf – Best")[0]
    assert "e2e_load ops_per_sec 9.8" in other
    assert "perf_cold_warm rounds 3" in other
    assert "perf_verify" not in other


def test_a_pass_after_a_fail_says_so() -> None:
    earlier = [
        {"verdict": "fail", "run_id": "run 2", "finished_at": samples.STARTED},
        {"verdict": "pass", "run_id": "run 1", "finished_at": samples.STARTED},
    ]
    text = Page(full(samples.verdict(earlier=earlier))).text
    told = "This revision has failed once before, last in run run 2 at 2026-03-01 02:00:00 UTC."
    assert f"A pass after a fail. {told}" in text
    assert "Earlier verdicts of this revision Verdict Finished Run fail 2026-03-01 02:00:00 UTC run 2" in text
    assert "A pass after a fail" not in Page(full(samples.verdict(earlier=earlier[1:]))).text
    assert "A pass after a fail" not in Page(full(samples.failed() | {"earlier": earlier})).text


def test_the_best_row_of_each_metric_is_the_lowest() -> None:
    table = full(samples.verdict()).partition('id="best-p95"')[2].partition("</table>")[0]
    assert "4.213" in table
    assert "4.900" not in table


def test_events_are_counted_and_the_last_of_each_type_is_shown() -> None:
    text = Page(full(samples.verdict())).text
    assert "phase8 ipfs_publish 2" in text
    last = text.partition("(per type)")[2].partition("E2E – Raw")[0]
    assert "demo/app/hello-5e6f7a8b" in last
    assert "demo/app/hello-1a2b3c4d" not in last


def test_links() -> None:
    evidence = [
        {"kind": "a", "status": "passed", "uri": uri, "sha256": "00"}
        for uri in (
            ".hologram/e v.json",
            "https://store.example/e.json",
            "s3://bucket/e",
            "javascript:alert(1)",
        )
    ]
    html = full(samples.verdict(evidence=evidence))
    links = [value for tag, name, value in Page(html).attributes if (tag, name) == ("a", "href")]
    assert [link for link in links if not link.startswith("#")] == [
        "../.hologram/e%20v.json",
        "https://store.example/e.json",
        "http://127.0.0.1:3000/runs/0f7f3a52-9c2d-4f63-8a0e-7c5f3c1d2e4b",
        f"http://127.0.0.1:3000/runs?q%5B0%5D=tag%3Ahologram%2Fcommit%3D{samples.COMMIT}",
    ]
    anchors = {link.removeprefix("#") for link in links if link.startswith("#")}
    assert anchors <= {value for _, name, value in Page(html).attributes if name == "id"}


def test_a_figure_leads_to_the_record_that_it_is_of() -> None:
    html = full(samples.failed())
    page = Page(html)
    ids = [value for _, name, value in page.attributes if name == "id"]
    led = [value for tag, name, value in page.attributes if (tag, name) == ("a", "href")]
    # From the reason, from the check, from the table of p95.
    assert led.count("#record-perf_encode") == 3
    assert ids.count("record-perf_encode") == 1
    row = html.partition('<tr id="record-perf_encode">')[2].partition("</tr>")[0]
    assert '<a href="../.hologram/evidence/perf_encode.json"' in row
    # A kind without a record, and one that is no kind, lead nowhere.
    assert not [href for href in led if "regression" in href]
    item = {"kind": '"><b>', "status": "passed", "uri": "x", "sha256": "00"}
    html = full(samples.verdict(evidence=[item, item], reasons=[samples.reason('"><b>', "c")]))
    assert 'href="#record' not in html


def test_absolute_evidence_is_linked_relative_to_the_report(tmp_path: Path) -> None:
    item = {"kind": "a", "status": "passed", "uri": f"file://{tmp_path}/state/e.json", "sha256": "00"}
    html = full(samples.verdict(evidence=[item]), folder=tmp_path / "reports")
    assert 'href="../state/e.json"' in html


def everywhere(text: str) -> str:
    """A page with `text` in every place that takes one."""
    fields = ("kind", "check", "status", "message", "unit")
    document = samples.verdict(
        text,
        **dict.fromkeys(("state", "profile", "environment", "run_id", "started_at", "ledger_head"), text),
        finished_at=text,
        key_id=text,
        revision={"commit": text, "tree": text, "dirty": text, "ref": text},
        baseline={"commit": text, "rule": text},
        machine=dict.fromkeys(("cpu", "cores", "memory_class_gib", "kernel", "python", "fingerprint"), text),
        reasons=[{**dict.fromkeys(fields, text), "value": text, "limit": text}],
        overrides=[{"variable": text, "profile_value": text, "value": text, "looser": True}],
        waivers=[dict.fromkeys(("check", "who", "why", "expires_at"), text)],
        earlier=[dict.fromkeys(("verdict", "run_id", "finished_at"), text)],
        evidence=[dict.fromkeys(("kind", "status", "uri", "sha256"), text)],
    )
    finding = dict.fromkeys(("name", "status", "message"), text)
    records: list[dict[str, Any]] = [
        {"kind": "perf_" + text, "values": dict.fromkeys(("p95_ms", "budget_ms", "n"), text)},
        {"kind": "e2e_" + text, "findings": [finding], "values": {text: text}},
        {
            "kind": "drift_" + text,
            "status": text,
            "values": dict.fromkeys(("ratio", "ratio_low", "ratio_high", "margin_pct"), 1.5),
            "facts": dict.fromkeys(
                ("operation", "verdict", "seed", "failed_by", "warnings", "fallbacks", "baseline_commit"),
                text,
            ),
        },
    ]
    attacked = {"facts": {f"{text}: {text}": f"expected {text}, saw {text}"}, "values": {text: text}}
    records.append({"kind": "ctp96_replay", "findings": [finding], **attacked})
    counted = dict.fromkeys(
        ("new_flakes", "flake_rate_pct", "flake_rate_low_pct", "flake_rate_high_pct"), text
    )
    records.append(
        {"kind": "flake_detection", "values": counted, "facts": {"new_flakes": text, "power": text}}
    )
    asked = {"target_vulnerabilities": text, "target_audited": text}
    records.append({"kind": "vulnerabilities", "values": asked, "facts": {"source": text}})
    records.append(
        {"kind": "provenance", "values": {"locks": text}, "facts": {"level": text, "signed_by": text}}
    )
    records.append({"kind": "sbom", "values": {"gate_components": text, "gate_hashed_pct": text}})
    records.append({"kind": "perf_cold_warm", "values": {f"{text}_cold_ms": text}, "findings": [finding]})
    row = dict.fromkeys(("suite", "metric", "p50_ms", "p99_ms", "n", "note", "_file"), text) | {"p95_ms": 1}
    event = dict.fromkeys(("ts", "suite", "event", "cid", "name", "variant", text), text)
    journal = {
        **dict.fromkeys(("experiment", "title", "outcome", "told", "state", "started_at"), text),
        "timeline": [[0.5, 20.0, True], [1.0, 30.0, False]],
        "windows": [{"fault": text, "applied_s": 0.2, "undone_s": 0.4, "recovered_s": 0.6}],
        "entries": [dict.fromkeys(("status", "step", "name", "began_s", "ended_s", "told"), text)],
        "values": dict.fromkeys(("recovery_p50_ms", "recovery_time_ms", "success_rate"), text),
    }
    # What the history's columns can hold.
    trend = samples.ratios(kind=text, reason=text, commit=text.encode(errors="replace").decode())
    return render(
        document,
        records=records,
        rows=[row],
        events=[event],
        trends=[trend],
        experiments=[experiment_of(journal, of_run=False)],
        notes=[text],
        dagster_url=text,
        folder=None,
    )


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_texts_stay_texts(text: str) -> None:
    html = everywhere(text)
    page = Page(html)
    assert set(page.tags) <= TAGS
    assert page.tags.count("h1") == page.tags.count("style") == page.tags.count("script") == 1
    assert {name for _, name, _ in page.attributes if name.startswith("on")} == set()
    assert [
        v for _, name, v in page.attributes if name in {"href", "src"} and v.startswith("javascript")
    ] == []
    html.encode()
    assert "\u202e" not in html
    assert "\x00" not in html
    if text.isprintable():
        assert page.text.count(" ".join(text.split())) >= 40


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from([*samples.verdict(), "kind", "status", "value", "limit"]), inner
            )
        ),
    )
)
def test_whatever_stands_in_the_documents_there_is_a_page(value: Any) -> None:
    document = (
        value if isinstance(value, dict) else {"reasons": value, "revision": value, "evidence": [value]}
    )
    mapping = (
        value if isinstance(value, dict) else {"kind": "perf_x", "values": value, "ts": value, "suite": value}
    )
    html = render(document, records=[mapping], rows=[mapping], events=[mapping], notes=[str(value)])
    assert set(Page(html).tags) <= TAGS
    html.encode()


def test_wrong_types_are_shown_not_raised() -> None:
    odd = [
        {
            "kind": ["a"],
            "check": {},
            "status": ["failed"],
            "message": 1,
            "value": "x",
            "limit": [],
            "unit": {},
        }
    ]
    for document in ({"reasons": odd, "evidence": odd, "waivers": odd}, {"reasons": "x", "revision": 1}):
        assert "Verdict: No verdict" in Page(full(document, rows=odd, events=odd, records=odd)).text


@pytest.mark.parametrize("text", ["x" * 5000, "&" * 5000, "𝕏<" * 2000])
def test_it_stays_small_and_says_what_it_leaves_out(text: str) -> None:
    document = samples.failed()
    document["reasons"] = [samples.reason(f"perf_{n}{text}", text, "failed", text) for n in range(1000)]
    document["evidence"] = document["evidence"] * 500
    document["overrides"] = [{"variable": text, "profile_value": 1, "value": 2, "looser": True}] * 500
    document["waivers"] = [{"who": text, "why": text, "expires_at": text}] * 500
    rows = [
        row | {"note": text, "metric": f"m{n}", "_file": f"{n}.csv"}
        for n in range(500)
        for row in samples.ROWS
    ]
    events = [samples.event(n, f"e{n % 600}", name=text, resp=text) for n in range(3000)]
    html = full(document, rows=rows, events=events, notes=[text] * 500)
    assert len(html.encode()) < MAX_BYTES
    left_out = re.findall(r"([\d,]+) (?:earlier|more) left out", html)
    assert len(left_out) >= 7
    assert 'aria-labelledby="raw-events-caption"' in html
    # The latest are the ones that are shown.
    assert "e599" in html.partition('id="raw-events"')[2].partition("</table>")[0]


def test_an_ordinary_run_is_shown_in_full() -> None:
    rows = samples.ROWS * 30
    html = full(samples.verdict(), rows=rows, events=samples.EVENTS * 12)
    assert "left out" not in html
    table = html.partition('id="all-rows"')[2].partition("</table>")[0]
    assert table.count("<tr>") == len(rows) + 1


def test_secrets_never_reach_the_page() -> None:
    document = samples.verdict(
        "fail",
        reasons=[samples.reason("e2e_use", "resolve", "error", "refused: Authorization: Basic hunter2==")],
        evidence=[{"kind": "a", "status": "passed", "uri": "https://u:hunter2@x/e", "sha256": "00"}],
    )
    events = [samples.event(0, "resolve", resp={"token": "hunter2"}, name="?api_key=hunter2")]
    rows = [samples.ROWS[0] | {"note": "password=hunter2"}]
    html = full(document, events=events, rows=rows, notes=["x.csv line 3: session_id=hunter2"])
    assert "hunter2" not in html
    assert html.count("[REDACTED]") >= 5


def test_nothing_is_loaded_and_nothing_runs_but_its_own_script() -> None:
    html = full(samples.failed())
    page = Page(html)
    policy = next(value for tag, name, value in page.attributes if tag == "meta" and name == "content")
    assert policy.startswith("default-src 'none'; style-src 'unsafe-inline'; img-src data:;")
    assert page.tags.count("script") == 1
    script = html.partition("<script>")[2].partition("</script>")[0]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}';" in policy
    assert not re.search(r"eval|Function|innerHTML|document\.write|fetch|XMLHttp|import", script)
    assert not {"iframe", "img", "object", "form", "base"} & set(page.tags)
    assert [v for t, n, v in page.attributes if t == "link" and n == "href"] == ["data:,"]
    style = full(samples.failed()).partition("<style>")[2].partition("</style>")[0]
    assert not re.search(r"url\(|@import|@font-face", style)


def test_a_screen_reader_finds_its_way() -> None:
    html = full(samples.failed())
    page = Page(html)
    assert page.tags.count("h1") == 1
    assert page.tags.count("table") == page.tags.count("caption") == 13
    assert len(re.findall(r"<th(?! scope=)[ >]", html)) == 0
    ids = [value for _, name, value in page.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    labelled = {
        part for _, name, value in page.attributes if name == "aria-labelledby" for part in value.split()
    }
    assert labelled <= set(ids)
    assert '<html lang="en">' in html
