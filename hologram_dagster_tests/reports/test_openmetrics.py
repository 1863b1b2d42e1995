"""The figures for collectors: a strict parser reads them, and they are those of verdict and evidence."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from prometheus_client.parser import text_string_to_metric_families as older_families

from hologram_dagster.reports.openmetrics import openmetrics
from hologram_dagster_tests.reports import real, samples

pytestmark = pytest.mark.phase0_ready

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def read(text: str, families: Any = text_string_to_metric_families) -> Samples:
    """Name and labels of each sample, with its value."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in families(text)
        for sample in family.samples
    }


def one(found: Samples, of: str, /, **labels: str) -> float | None:
    """The value of the sample `hologram_<of>` that has `labels` among its own."""
    values = [
        v for (n, own), v in found.items() if n == f"hologram_{of}" and labels.items() <= dict(own).items()
    ]
    assert len(values) <= 1, values
    return values[0] if values else None


def test_verdict_checks_and_figures_are_there() -> None:
    found = read(openmetrics(samples.failed(), [*samples.RECORDS, real.record("perf_cold_warm")]))
    assert [one(found, "verdict", verdict=word) for word in ("pass", "fail", "inconclusive")] == [0, 1, 0]
    assert one(found, "run", commit=samples.COMMIT, ref="refs/heads/main", profile="main") == 1
    assert one(found, "run_final") == 1
    started, finished = (one(found, f"run_{name}_seconds") for name in ("started_at", "finished_at"))
    assert (started, finished) == (1772330400.0, 1772330561.0)
    budget = {"kind": "perf_encode", "check": "p95_within_budget"}
    assert one(found, "check", **budget, status="failed") == 1
    assert one(found, "check", **budget, status="passed") is None
    assert (one(found, "check_value", **budget, unit="ms"), one(found, "check_limit", **budget)) == (
        104.4,
        80,
    )
    assert one(found, "check_value", kind="e2e_use") is None
    assert one(found, "evidence", kind="perf_gql", status="passed") == 1
    for record in (samples.RECORDS[0], real.record("perf_cold_warm")):
        for name, value in record["values"].items():
            assert one(found, "evidence_value", kind=record["kind"], name=name) == value


@pytest.mark.parametrize(
    ("document", "word", "final"),
    [
        (samples.verdict(), "pass", 1),
        (samples.verdict("inconclusive"), "inconclusive", 1),
        (samples.running(), "inconclusive", 0),
        (samples.verdict("pass", state="running"), "inconclusive", 0),
        (samples.verdict("great"), "great", 1),
        ({}, "inconclusive", 0),
    ],
)
def test_only_a_final_pass_is_a_pass(document: dict[str, Any], word: str, final: int) -> None:
    found = read(openmetrics(document))
    words = {
        dict(labels)["verdict"]: value for (name, labels), value in found.items() if name.endswith("verdict")
    }
    assert {each for each, value in words.items() if value} == {word}
    assert one(found, "run_final") == final


def test_the_older_format_has_the_same() -> None:
    text = openmetrics(samples.failed(), samples.RECORDS)
    assert text.endswith("# EOF\n")
    assert read(text, older_families) == read(text)


def test_secrets_stay_out() -> None:
    reasons = [samples.reason("e2e_use", "token=hunter2hunter2")]
    text = openmetrics(samples.verdict(reasons=reasons, profile="Authorization: Basic hunter2=="))
    assert "hunter2" not in text
    assert "[REDACTED]" in text


@given(st.text(), st.text(), st.none() | st.floats() | st.text() | st.booleans())
def test_any_text_can_be_parsed(one_text: str, other: str, value: Any) -> None:
    reasons = [samples.reason(one_text, other, one_text, value=value, limit=value, unit=other)]
    evidence = [{"kind": one_text, "status": other}]
    document = samples.verdict(one_text, state=other, reasons=reasons, evidence=evidence, profile=other)
    text = openmetrics(document, [{"kind": one_text, "values": {other: value}}])
    text.encode()
    read(text)
