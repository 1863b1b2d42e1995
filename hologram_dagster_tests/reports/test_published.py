"""What a run publishes: the journals of its evidence, byte for byte; figures; a report that is kept."""

import json
import shutil
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from hologram_dagster.cli.app import app
from hologram_dagster.errors import HologramError
from hologram_dagster.gate.conclusion import begin, conclude_run
from hologram_dagster.gate.publishing import publish_report
from hologram_dagster.gate.run import GateRun, open_gate_run
from hologram_dagster.observation import Artifact
from hologram_dagster.protocol.canonical import sha256_hex
from hologram_dagster.settings import load_settings
from hologram_dagster_tests.evidence.helpers import observation
from hologram_dagster_tests.gate.bench import Bench
from hologram_dagster_tests.reports import real
from hologram_dagster_tests.reports.test_html import Page

pytestmark = pytest.mark.phase9_chaos

KIND = "chaos_ipfs_restart"
DATA = real.journal_path(KIND).read_bytes()


def opened(folder: Path) -> GateRun:
    """A run of main in a repository of its own."""
    repository = Bench.make(folder / "repository").folder
    settings = load_settings(
        repository=repository, state_dir=repository / ".hologram", reports_dir=repository / "reports"
    )
    return open_gate_run(settings, run_id="run-1", profile_tag="main")


def run_with_a_journal(folder: Path) -> tuple[GateRun, Path]:
    """One with the evidence of one experiment, and where its journal is kept."""
    run = opened(folder)
    begin(run)
    store = run.evidence.store
    path = store.put_artifact(DATA, f"{KIND}.json")
    seen = replace(
        observation(KIND, at=datetime.now(UTC)), artifacts=(Artifact(store.uri(path), sha256_hex(DATA)),)
    )
    run.evidence.add(seen, run.identity)
    conclude_run(run)
    return run, run.evidence.ledger.path.parent / "records" / path


def published(run: GateRun) -> str:
    return Page(publish_report(run)["index.html"].read_text()).text


def test_the_journal_of_the_evidence_is_drawn(tmp_path: Path) -> None:
    run, _ = run_with_a_journal(tmp_path)
    text = published(run)
    assert f"{KIND}: The IPFS node is killed while contents are published" in text
    assert "Not evidence of this run" not in text
    assert f"the course of {KIND}" not in text


def test_a_journal_that_was_changed_or_is_gone_is_told_and_not_drawn(tmp_path: Path) -> None:
    run, path = run_with_a_journal(tmp_path)
    path.chmod(0o644)
    path.write_bytes(DATA.replace(b"passed", b"failed"))
    text = published(run)
    assert f"the course of {KIND} cannot be shown:" in text
    assert "is not what its record was signed for." in text
    assert "The IPFS node is killed" not in text
    path.unlink()
    assert "is gone from the evidence." in published(run)


def test_one_that_lies_in_the_reports_is_drawn_as_no_evidence(tmp_path: Path) -> None:
    run, _ = run_with_a_journal(tmp_path)
    lying = run.settings.reports_dir / "chaos" / "journals" / "chaos_heuristics.json"
    lying.parent.mkdir(parents=True)
    shutil.copy(real.journal_path("chaos_heuristics"), lying)
    # Of one whose evidence is there, that in the reports does not count.
    (lying.parent / f"{KIND}.json").write_bytes(DATA.replace(b"The IPFS node", b"Another node"))
    text = published(run)
    assert text.count("Not evidence of this run") == 1
    assert "chaos_heuristics: Known causes" in text
    assert "Another node" not in text
    lying.write_bytes(b"[" * 100_000)
    assert "the course of chaos_heuristics cannot be shown:" in published(run)


def test_figures_and_a_kept_report_are_written_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, _ = run_with_a_journal(tmp_path)
    reports = run.settings.reports_dir
    publish_report(run)
    metrics = (reports / "metrics.prom").read_text()
    assert 'hologram_verdict{environment="local",profile="main",verdict="fail"} 1.0' in metrics
    assert f'hologram_evidence{{kind="{KIND}",status="passed"}} 1.0' in metrics
    assert 'href="past/index.html"' in (reports / "index.html").read_text()
    (kept,) = (reports / "past").glob("*-run-1.html")
    hrefs = [value for tag, name, value in Page(kept.read_text()).attributes if (tag, name) == ("a", "href")]
    beside = [href for href in hrefs if not href.startswith(("#", "http"))]
    # Those to the evidence and to the index hold from where it is kept.
    assert len(beside) >= 2
    assert all((kept.parent / href).exists() for href in beside), beside
    monkeypatch.chdir(run.settings.repository)
    told = CliRunner().invoke(app, ["report", "--past", "--json"])
    assert told.exit_code == 0, told.output
    said = json.loads(told.output)
    assert said["path"] == str(reports / "past" / "index.html")
    assert [(each["run_id"], each["verdict"]) for each in said["reports"]] == [("run-1", "fail")]


def test_before_the_first_verdict_there_is_no_past(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = opened(tmp_path)
    begin(run)
    assert "Past reports" not in published(run)
    assert not (run.settings.reports_dir / "past").exists()
    assert "hologram_run_final 0.0" in (run.settings.reports_dir / "metrics.prom").read_text()
    monkeypatch.chdir(run.settings.repository)
    refused = CliRunner().invoke(app, ["report", "--past"])
    assert isinstance(refused.exception, HologramError)
    assert "run hologram gate, which writes it" in str(refused.exception)
