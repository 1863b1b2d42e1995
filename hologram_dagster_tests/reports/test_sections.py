"""Sections that not every profile fills: what they show is what the evidence holds, and gaps are told."""

from typing import Any

import pytest

from hologram_dagster.profiles import EVIDENCE, ProfileName
from hologram_dagster_tests.reports import real, samples
from hologram_dagster_tests.reports.test_html import Page, full

pytestmark = pytest.mark.phase7_security


def section(key: str, records: list[dict[str, Any]], **verdict: Any) -> str:
    """The text of the section `key` of a page of `records`."""
    html = full(samples.verdict(**verdict), records=records)
    return Page(
        html.partition(f'<section aria-labelledby="{key}-section">')[2].partition("</section>")[0]
    ).text


def test_a_kind_that_the_profile_does_not_require_is_named_once() -> None:
    text = Page(full(samples.verdict(profile="dev"), records=[])).text
    assert text.count("Not part of profile dev: chaos, security.") == 1
    assert section("security", [], profile="dev") == section("chaos", [], profile="dev") == ""


def test_a_kind_that_is_required_and_missing_is_told() -> None:
    assert "No evidence of ctp96_replay, secrets_scan." in section("security", [])
    assert "Not yet observed: secrets_scan." in section("security", [], profile="pr", state="running")
    assert "ctp96_replay" not in section("security", [], profile="pr")
    assert EVIDENCE["ctp96_replay"] == {ProfileName.MAIN, ProfileName.NIGHTLY}


def test_each_attack_is_a_row_and_a_wrong_one_is_first() -> None:
    record = real.record("ctp96_replay")
    text = section("security", [record])
    rows = text.partition("Expected Seen")[2]
    assert rows.startswith(
        " passed ctp96_replay flood 4096 forged frames 4096 hash_mismatch 4096 hash_mismatch"
    )
    assert "failed" not in text
    record["facts"]["replay: after a restart"] = "expected replay_detected, saw done"
    rows = section("security", [record]).partition("Expected Seen")[2]
    assert rows.startswith(" failed ctp96_replay replay after a restart replay_detected done passed")


def test_a_fact_that_is_no_cell_is_no_attack() -> None:
    record = {"kind": "ctp96_replay", "facts": {"replay: one": "as it was", "note": "expected more"}}
    assert "Attack" not in section("security", [record])
    record = {"kind": "proof_chain", "facts": {"no group": "expected a, saw b, saw c"}}
    assert "failed proof_chain no group a, saw b c" in section("security", [record])


def test_what_a_scan_looked_at_is_shown() -> None:
    scan = {
        "kind": "secrets_scan",
        "values": {"files": 312, "secrets": 1},
        "findings": [{"name": "tree_clean", "status": "failed", "message": "src/a.py line 3: a token"}],
    }
    text = section("security", [scan], profile="pr")
    assert "failed secrets_scan tree_clean src/a.py line 3: a token" in text
    assert "secrets_scan files 312 secrets_scan secrets 1" in text
    assert "Attack" not in text
