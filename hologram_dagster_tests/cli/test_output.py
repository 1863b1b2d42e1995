"""What the terminal says beside a verdict: whose report lies there, and each cause once."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from hologram_dagster.cli.output import Steps, show_verdict
from hologram_dagster.evidence.check import CheckResult
from hologram_dagster.evidence.gathered import Gathered
from hologram_dagster.evidence.verdict import Verdict, conclude, running, write_verdict
from hologram_dagster.observation import Status
from hologram_dagster_tests.evidence.helpers import NOW, run_of

pytestmark = pytest.mark.phase0_ready

VERDICT = conclude(run_of(), Gathered((), ()), finished_at=NOW + timedelta(seconds=9), key_id="k")


@pytest.fixture
def reports(tmp_path: Path) -> Path:
    (tmp_path / "reports").mkdir()
    (tmp_path / "reports" / "index.html").write_text("a report")
    return tmp_path / "reports"


def said(capsys: pytest.CaptureFixture[str], reports: Path, verdict: Verdict = VERDICT) -> str:
    show_verdict(verdict, reports, Steps(), seconds=0)
    return capsys.readouterr().out


def test_a_report_that_another_run_wrote_meanwhile_is_not_given_for_its_own(
    capsys: pytest.CaptureFixture[str], reports: Path
) -> None:
    write_verdict(reports / "verdict.json", replace(VERDICT, run_id="another"))
    line = said(capsys, reports).splitlines()[-1]
    assert "index.html is not of this verdict: run another (fail) has written reports/ since." in line
    assert f"is of run {VERDICT.run_id}" in line
    write_verdict(reports / "verdict.json", replace(running(run_of(), key_id="k"), run_id="another"))
    assert "run another (running) has written" in said(capsys, reports)


def test_its_own_report_is_given_without_a_word(capsys: pytest.CaptureFixture[str], reports: Path) -> None:
    write_verdict(reports / "verdict.json", VERDICT)
    assert said(capsys, reports).endswith("index.html\n")
    # What cannot be read says nothing of whose the report is.
    (reports / "verdict.json").write_text("{")
    assert said(capsys, reports).endswith("index.html\n")
    (reports / "index.html").unlink()
    assert "was not written" in said(capsys, reports)


def test_causes_and_what_was_not_compared_are_told_once(
    capsys: pytest.CaptureFixture[str], reports: Path
) -> None:
    reasons = (
        CheckResult(Status.ERROR, "search: gone", kind="e2e_use", check="observed"),
        CheckResult(Status.ERROR, "gone", kind="e2e_use", check="search"),
        *(
            CheckResult(Status.NOT_APPLICABLE, "not applicable: first", kind=kind, check="observed")
            for kind in ("regression_verify", "regression_gql")
        ),
    )
    text = said(capsys, reports, replace(VERDICT, reasons=reasons))
    assert "  e2e_use observed, search: error: gone\n" in text
    assert text.count("gone") == 1
    assert "not compared: verify, gql: first\n" in text
