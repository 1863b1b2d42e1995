"""Figures and attestation as files for other tools, by the installed command."""

import csv
import json
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest

from hologram_dagster.errors import HologramError
from hologram_dagster.gate.run import open_gate_run
from hologram_dagster.history.attestation_export import result_witness, suite_witness
from hologram_dagster.history.index import History
from hologram_dagster.history.tables import COLUMNS
from hologram_dagster.observation import Observation, Status
from hologram_dagster.perf.benches import benches
from hologram_dagster.protocol import proof_chain
from hologram_dagster.settings import load_settings
from hologram_dagster_tests.gate.bench import Bench, MakeBench, git
from hologram_dagster_tests.history.helpers import record

pytestmark = pytest.mark.phase6_perf

NAMES = ["ccmHash", "uorId", "proofVerify", "ctp96Verify"]


@pytest.fixture
def bench(make_bench: MakeBench) -> Bench:
    bench = make_bench()
    with History.in_folder(bench.folder / ".hologram") as history:
        for number in (1, 2):
            history.add(record(values={"p95_ms": 2.0 * number}, number=number, run_id=f"run-{number}"))
    return bench


def test_every_figure_is_exported_as_csv_and_as_parquet(bench: Bench, tmp_path: Path) -> None:
    for name in ("figures.csv", "figures.PARQUET"):
        done = bench.hologram("history", "export", str(tmp_path / name))
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith("2 rows: ")
    with (tmp_path / "figures.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert list(rows[0]) == list(COLUMNS)
    table = pd.read_parquet(tmp_path / "figures.PARQUET")
    assert list(table.columns) == list(COLUMNS)
    assert sorted(table["value"]) == sorted(float(row["value"]) for row in rows) == [2.0, 4.0]
    assert {row["run_id"] for row in rows} == {"run-1", "run-2"}


def test_a_damaged_history_is_no_export_until_it_is_rebuilt(bench: Bench, tmp_path: Path) -> None:
    state, table = bench.folder / ".hologram", tmp_path / "figures.csv"
    settings = load_settings(repository=bench.folder, state_dir=state, reports_dir=bench.reports)
    run = open_gate_run(settings, run_id="run-1")
    now = datetime.now(UTC)
    for kind in ("perf_verify", "perf_encode", "verdict"):
        seen = Observation(kind, Status.PASSED, "1", now, now, values={"p95_ms": 2.0})
        stored = run.evidence.add(seen, run.identity)
    (state / "evidence" / "records" / stored.path).with_name("perf_encode-0.json").write_text("changed")
    (state / "history.sqlite").write_text("garbage\n")
    for _ in range(2):
        done = bench.hologram("history", "export", str(table))
        assert done.returncode == 2
        assert "hologram history rebuild" in done.stderr
        assert not table.exists()
    done = bench.hologram("history", "rebuild")
    assert done.returncode == 0, done.stderr
    assert "figures of 1 records" in done.stdout
    assert "perf_encode-0.json: the record was changed" in done.stderr
    done = bench.hologram("history", "export", str(table))
    assert done.returncode == 0, done.stderr
    assert [row["kind"] for row in csv.DictReader(table.open())] == ["perf_verify"]


def test_another_suffix_is_refused_and_writes_nothing(bench: Bench, tmp_path: Path) -> None:
    done = bench.hologram("history", "export", str(tmp_path / "figures.xlsx"))
    assert done.returncode == 2
    assert "figures.xlsx: name a file that ends in .csv or .parquet" in done.stderr
    assert list(tmp_path.glob("figures*")) == []


def test_a_file_that_cannot_be_written_is_told(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = bench.hologram("history", "export", str(tmp_path / "file" / "figures.csv"))
    assert done.returncode == 2
    assert "cannot write" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_attestation_has_every_bench_of_this_revision(bench: Bench, tmp_path: Path) -> None:
    path = tmp_path / "out" / "perf.json"
    sizes = ("--runs", "3", "--warmup", "2", "--iters", "20", "--iters-transport", "10")
    done = bench.hologram("attestation", "--output", str(path), *sizes, HOLOGRAM_WATTS="20")
    assert done.returncode == 0, done.stderr
    document = json.loads(path.read_text())
    assert document["repo"] == {"commit": git(bench.folder, "rev-parse", "HEAD")}
    assert document["config"] == {"runs": 3, "warmup": 2, "iters": 20, "itersTransport": 10}
    assert [result["name"] for result in document["results"]] == NAMES
    assert [result["iters"] for result in document["results"]] == [20, 20, 20, 10]
    for result in document["results"]:
        assert result["nsTotal"] > 0
        assert result["wattsEff"] == 20
        assert result["witness"] == result_witness(result)
        assert result["witness"] in document["runs"][result["name"]]
        assert len(document["runs"][result["name"]]) == 3
        assert result["name"] in done.stdout
    assert document["suiteWitness"] == suite_witness(document["results"])


def test_uncommitted_changes_have_no_attestation(bench: Bench, tmp_path: Path) -> None:
    (bench.folder / "new.txt").write_text("uncommitted")
    done = bench.hologram("attestation", "--output", str(tmp_path / "perf.json"))
    assert done.returncode == 2
    assert "commit first" in done.stderr
    assert not (tmp_path / "perf.json").exists()


def test_a_bench_that_answers_wrongly_has_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    assert list(benches()) == NAMES
    monkeypatch.setattr(proof_chain, "check", lambda _: "the signature does not hold")
    with pytest.raises(HologramError, match="proofVerify answers wrongly: the signature does not hold"):
        benches()
