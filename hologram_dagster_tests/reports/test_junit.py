"""JUnit: every check a case, nothing green that is not, valid XML whatever stands in the verdict."""

import xml.etree.ElementTree as ET
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hologram_dagster.reports.junit import junit_xml
from hologram_dagster_tests.reports import samples

pytestmark = pytest.mark.phase0_ready


def outcomes(verdict: dict[str, Any]) -> dict[tuple[str, str], str]:
    root = ET.fromstring(junit_xml(verdict))
    return {
        (suite.get("name", ""), case.get("name", "")): ",".join(child.tag for child in case) or "passed"
        for suite in root
        for case in suite
    }


def test_each_check_is_a_case() -> None:
    cases = outcomes(samples.failed())
    assert cases["perf_encode", "p95_within_budget"] == "failure"
    assert cases["e2e_install", "marketplace_install"] == "error"
    assert cases["e2e_use", "uninstall"] == "skipped"
    assert cases["perf_verify", "answers_correct"] == "passed"
    assert cases["gate", "verdict"] == "failure"


def test_counts_and_texts() -> None:
    root = ET.fromstring(junit_xml(samples.failed()))
    suite = root.find("testsuite[@name='perf_encode']")
    assert suite is not None
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("1", "1", "0")
    assert suite.get("timestamp") == "2026-03-01T02:00:00"
    case, failure = suite.find("testcase"), suite.find("testcase/failure")
    assert case is not None
    assert failure is not None
    assert case.get("classname") == "hologram.main.perf_encode"
    assert failure.get("message") == "p95 104.4 ms over the budget of 80 ms"
    assert failure.text == "p95 104.4 ms over the budget of 80 ms\nfigure: 104.4 ms\nlimit: 80 ms"
    assert [root.get(name) for name in ("tests", "failures", "errors", "skipped")] == ["10", "2", "1", "1"]


def test_evidence_without_a_check_is_a_case_too() -> None:
    assert outcomes(samples.verdict(reasons=[]))["perf_verify", "evidence"] == "passed"


@pytest.mark.parametrize(
    ("verdict", "outcome"),
    [
        (samples.verdict(), "passed"),
        (samples.verdict("inconclusive"), "error"),
        (samples.running(), "error"),
        (samples.verdict("great"), "error"),
        ({}, "error"),
        (samples.verdict("pass", state="running", reasons=[]), "error"),
    ],
)
def test_only_a_final_pass_is_green(verdict: dict[str, Any], outcome: str) -> None:
    assert outcomes(verdict)["gate", "verdict"] == outcome


def test_a_waived_failure_stays_a_failure() -> None:
    waiver = {"who": "ada", "why": "known", "expires_at": "2026-03-05T00:00:00Z"}
    xml = junit_xml(samples.failed() | {"waivers": [waiver]})
    assert outcomes(samples.failed() | {"waivers": [waiver]})["gate", "verdict"] == "failure"
    assert "waived by ada until 2026-03-05T00:00:00Z: known" in xml


def test_secrets_stay_out() -> None:
    reason = samples.reason("e2e_use", "resolve", "error", "refused: Authorization: Basic hunter2==")
    xml = junit_xml(samples.verdict("fail", reasons=[reason]))
    assert "hunter2" not in xml
    assert "Authorization: [REDACTED]" in xml


@given(st.text(), st.text(), st.text())
def test_any_text_gives_valid_xml(kind: str, status: str, message: str) -> None:
    reasons = [samples.reason(kind, message, status, message), samples.reason(kind, "x", "failed", message)]
    xml = junit_xml(samples.verdict(kind, profile=message, reasons=reasons, state=status))
    assert ET.fromstring(xml.encode()).get("tests")
