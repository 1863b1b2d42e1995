"""The journals that a published report shows: the evidence's own, byte for byte, and no other in its name."""

import shutil
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

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


def run_with_a_journal(folder: Path) -> tuple[GateRun, Path]:
    """A run of main with the evidence of one experiment, and where its journal is kept."""
    repository = Bench.make(folder / "repository").folder
    settings = load_settings(
        repository=repository, state_dir=repository / ".hologram", reports_dir=repository / "reports"
    )
    run = open_gate_run(settings, run_id="run-1", profile_tag="main")
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
