"""Backup and restore as docs/operations.md has them: the same verdict in another place, or why not."""

import re
import shutil
import subprocess
import threading
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from hologram_dagster.evidence.archive import Evidence
from hologram_dagster.evidence.audit import audit
from hologram_dagster.protocol.signing import load_or_create_signer
from hologram_dagster.target.revision import read_revision
from hologram_dagster_tests.evidence.helpers import green_run, observation, run_of
from hologram_dagster_tests.gate.bench import BIN, Bench, git

pytestmark = [pytest.mark.phase7_security, pytest.mark.phase2_integration]

OPERATIONS = Path(__file__).resolve().parents[2] / "docs" / "operations.md"
SECTION = OPERATIONS.read_text().partition("## Backup and restore\n")[2].partition("\n## ")[0]
BACKUP, RESTORE = re.findall(r"```sh\n(.*?)```", SECTION, re.DOTALL)


@pytest.fixture
def here(tmp_path: Path) -> Bench:
    """A repository with the signed evidence of a green run, and what a gate leaves beside it."""
    bench = Bench.make(tmp_path / "here")
    evidence = archive_of(bench)
    evidence.store.put_artifact(b"{}", "verdict.sigstore.json")
    green_run(evidence, run_of(revision=read_revision(bench.folder), started_at=datetime.now(UTC)))
    (bench.folder / ".hologram" / "checkouts").mkdir()
    (bench.folder / ".hologram" / "checkouts" / "large").write_bytes(bytes(1000))
    return bench


@pytest.fixture
def there(tmp_path: Path, here: Bench, dagster_home: Path) -> Bench:
    """A clone, as on another machine."""
    git(tmp_path, "clone", "-q", str(here.folder), "there")
    # A prepared home, which saves `hologram setup` its seconds.
    shutil.copytree(dagster_home, tmp_path / "home")
    return Bench(tmp_path / "there", {"DAGSTER_HOME": str(tmp_path / "home")})


def archive_of(bench: Bench) -> Evidence:
    key = load_or_create_signer(bench.folder / ".hologram" / "keys" / "ed25519.pem", None)
    return Evidence(bench.evidence, signer=key)


def sh(bench: Bench, lines: str) -> subprocess.CompletedProcess[str]:
    environment = bench.environment()
    environment["PATH"] = f"{BIN}:{environment['PATH']}"
    return subprocess.run(
        ["sh", "-ec", lines],
        cwd=bench.folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


def restore_files(here: Bench, there: Bench) -> None:
    """What the document's restore does before it asks."""
    shutil.copy(here.folder / "hologram-backup.tar.gz", there.folder)
    done = sh(there, "".join(line for line in RESTORE.splitlines(True) if not line.startswith("hologram")))
    assert done.returncode == 0, done.stderr


def told(bench: Bench, *words: str) -> tuple[int, str]:
    done = bench.hologram(*words)
    return done.returncode, done.stdout


def test_a_restored_place_says_the_same_and_finds_what_was_changed(here: Bench, there: Bench) -> None:
    audited, verdict = told(here, "audit", "verify"), told(here, "verdict", "HEAD")
    assert (audited[0], verdict[0]) == (0, 0)
    assert sh(here, BACKUP).returncode == 0
    shutil.copy(here.folder / "hologram-backup.tar.gz", there.folder)
    restored = sh(there, RESTORE)
    assert restored.returncode == 0, restored.stdout + restored.stderr
    said = restored.stdout.replace(str(there.folder), str(here.folder))
    assert said.endswith(audited[1] + verdict[1])

    record = there.record("perf_gql")
    record.write_bytes(record.read_bytes().replace(b'"passed"', b'"failed"', 1))
    assert "perf_gql" in audit(archive_of(there)).broken[0].where
    assert told(there, "verdict", "HEAD")[0] == 1


def test_the_restored_key_signs_on_and_large_things_stay_behind(here: Bench, there: Bench) -> None:
    assert sh(here, BACKUP).returncode == 0
    restore_files(here, there)
    state = there.folder / ".hologram"
    assert (state / "keys" / "ed25519.pem").stat().st_mode & 0o777 == 0o600
    assert not (state / "checkouts").exists()
    assert list(state.rglob("verdict.sigstore.json"))
    before = audit(archive_of(there))
    green_run(archive_of(there), run_of("run-2", revision=read_revision(there.folder)))
    after = audit(archive_of(there), pins=[before.head])
    assert after.holds
    assert after.records > before.records == 7


def test_a_backup_older_than_the_last_run_is_told_by_the_head_of_its_verdict(
    here: Bench, there: Bench
) -> None:
    assert sh(here, BACKUP).returncode == 0
    _, verdict, _ = green_run(archive_of(here), run_of("run-2", revision=read_revision(here.folder)))
    restore_files(here, there)
    assert audit(archive_of(there)).holds
    assert audit(archive_of(here), pins=[verdict.ledger_head]).holds
    assert not audit(archive_of(there), pins=[verdict.ledger_head]).holds


def test_a_backup_made_while_a_gate_records_is_whole(here: Bench, there: Bench) -> None:
    evidence = archive_of(here)
    run = run_of("run-2", revision=read_revision(here.folder))
    evidence.start_run(run)
    stop, grown = threading.Event(), threading.Event()

    def record() -> None:
        while not stop.is_set():
            evidence.add(replace(observation("perf_gql"), facts={"filler": "x" * 5000}), run.identity)
            grown.set()

    recorder = threading.Thread(target=record)
    recorder.start()
    try:
        assert grown.wait(60)
        done = sh(here, BACKUP)
    finally:
        stop.set()
        recorder.join()
    # 1: a file changed while it was read.
    assert done.returncode in {0, 1}, done.stderr
    restore_files(here, there)
    restored = audit(archive_of(there))
    assert restored.holds, restored.broken
    assert 9 < restored.entries <= audit(evidence).entries
