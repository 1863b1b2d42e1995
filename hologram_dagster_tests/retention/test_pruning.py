"""Pruning: exported whole first, the ledger for ever, and nothing that still counts is touched."""

import hashlib
import os
import subprocess
import sys
import tarfile
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from hologram_dagster.errors import HologramError, TamperedError
from hologram_dagster.evidence.answer import answer
from hologram_dagster.evidence.archive import Evidence
from hologram_dagster.evidence.document import ExitCode, Word
from hologram_dagster.evidence.pruned import entries_of
from hologram_dagster.processes import scrubbed_environment
from hologram_dagster.retention.export import SUMS, write_archive
from hologram_dagster.retention.pruning import Plan, plan_prune, prune
from hologram_dagster.retention.records import expired_records
from hologram_dagster.settings import Settings, load_settings
from hologram_dagster.stack.status import hold
from hologram_dagster_tests.evidence.helpers import (
    NOW,
    OTHER_REVISION,
    REVISION,
    Clock,
    archive,
    conclude_run,
    green_run,
    observation,
    path_of,
    run_of,
    signer,
)

pytestmark = [pytest.mark.phase7_security, pytest.mark.phase9_chaos]

LATER = NOW + timedelta(days=400)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(
        state_dir=tmp_path / "state", reports_dir=tmp_path / "reports", repository=tmp_path / "repository"
    )


@pytest.fixture
def evidence(settings: Settings) -> Evidence:
    """A green run of `REVISION`, 400 days before `LATER`, and a new one of another."""
    clock = Clock()
    made = archive(settings.state_dir / "evidence", clock=clock)
    green_run(made)
    clock.now = LATER - timedelta(days=1)
    recent = run_of("run-2", revision=OTHER_REVISION, started_at=clock.now)
    made.start_run(recent)
    for kind in recent.required:
        made.add(observation(kind, at=recent.identity.started_at), recent.identity)
    conclude_run(made, recent)
    clock.now = LATER
    return made


def pruned(settings: Settings, evidence: Evidence, now: datetime = LATER) -> Plan:
    return prune(settings, evidence, [], now=now)[0]


def records(evidence: Evidence) -> list[Path]:
    return sorted((evidence.ledger.path.parent / "records").rglob("*.json"))


def test_what_has_expired_is_exported_whole_and_then_removed(settings: Settings, evidence: Evidence) -> None:
    before = {path: path.read_bytes() for path in records(evidence)}
    ledger = evidence.ledger.path.read_bytes()
    planned = plan_prune(settings, evidence, [], now=LATER)
    assert {path: path.read_bytes() for path in records(evidence)} == before
    assert [line.split(",")[0] for line in planned.lines()] == [f"evidence: {len(before) // 2}"]

    plan = pruned(settings, evidence)
    left = records(evidence)
    assert len(left) == len(before) // 2
    assert all("run-2" in str(path) for path in left)
    assert not (evidence.ledger.path.parent / "records" / f"{NOW:%Y/%m/%d}").exists()
    assert evidence.ledger.path.read_bytes().startswith(ledger)
    assert len(list(evidence.ledger.entries())) == len(ledger.splitlines()) + 1

    with tarfile.open(plan.archive) as exported:
        content = {info.name: exported.extractfile(info).read() for info in exported}  # type: ignore[union-attr]
    root = evidence.ledger.path.parent.parent
    assert {root / name: data for name, data in content.items() if name.startswith("evidence/records")} == {
        path: data for path, data in before.items() if path not in left
    }
    assert content["evidence/ledger.jsonl"] == ledger
    for line in content[SUMS].decode().splitlines():
        digest, name = line.split("  ")
        assert hashlib.sha256(content[name]).hexdigest() == digest


def test_an_old_verdict_is_told_as_pruned_and_verifies_again_from_the_archive(
    settings: Settings, evidence: Evidence
) -> None:
    plan = pruned(settings, evidence)
    verdict, code = answer(evidence, REVISION.commit, now=LATER)
    assert verdict is not None
    assert (verdict.verdict, code) == (Word.INCONCLUSIVE, ExitCode.INCONCLUSIVE)
    assert f"pruned on {LATER:%Y-%m-%d} after export to {plan.archive.name}" in verdict.broken
    assert answer(evidence, OTHER_REVISION.commit, now=LATER)[1] is ExitCode.PASS

    with tarfile.open(plan.archive) as exported:
        wanted = [info for info in exported if info.name.startswith("evidence/records")]
        exported.extractall(settings.state_dir, members=wanted, filter="data")
    assert answer(evidence, REVISION.commit, now=LATER)[1] is ExitCode.PASS
    # Exported already, so they go again without another archive.
    again = pruned(settings, evidence, LATER + timedelta(days=1))
    assert len(again.records.removed_before) == len(wanted)
    assert not again.archive.exists()
    assert answer(evidence, REVISION.commit, now=LATER)[1] is ExitCode.INCONCLUSIVE


def test_a_record_that_somebody_else_removed_is_not_told_as_pruned(
    settings: Settings, evidence: Evidence
) -> None:
    gone = next(path for path in records(evidence) if "run-1" in str(path) and "perf_gql" in path.name)
    gone.unlink()
    plan = pruned(settings, evidence)
    assert any("listed, but gone, and never pruned" in line for line in plan.lines())
    verdict, code = answer(evidence, REVISION.commit, now=LATER)
    assert verdict is not None
    assert code is ExitCode.FAIL
    assert "the ledger lists this record, but it is gone" in verdict.broken


def test_a_changed_record_is_kept_as_it_is(settings: Settings, evidence: Evidence) -> None:
    changed = next(path for path in records(evidence) if "run-1" in str(path))
    changed.write_bytes(changed.read_bytes().replace(b"passed", b"failed", 1))
    plan = pruned(settings, evidence)
    assert changed.exists()
    assert any("kept, as it is not what was written" in line for line in plan.lines())


def test_a_strangers_word_neither_excuses_nor_removes_anything(
    settings: Settings, evidence: Evidence, tmp_path: Path
) -> None:
    _, _, stored = green_run(evidence, run_of("run-3"))
    sha256s = [each.sha256 for each in stored.values()]
    stranger = Evidence(evidence.ledger.path.parent, signer=signer(9), clock=lambda: LATER)
    for data in entries_of(sha256s, archive="nowhere.tar.gz", archive_sha256="0" * 64):
        stranger.enter(data)
    assert not expired_records(evidence, NOW + timedelta(days=1)).removed_before
    path_of(evidence, stored["perf_gql"]).unlink()
    verdict, code = answer(evidence, REVISION.commit, now=LATER)
    assert verdict is not None
    assert code is ExitCode.FAIL


def test_by_a_ledger_that_was_changed_nothing_is_pruned(settings: Settings, evidence: Evidence) -> None:
    path = evidence.ledger.path
    path.write_text(path.read_text().replace("perf_gql", "perf_gqx", 1))
    before = records(evidence)
    with pytest.raises(TamperedError, match="nothing is pruned by its word"):
        pruned(settings, evidence)
    assert records(evidence) == before


def test_without_a_whole_archive_nothing_is_removed(settings: Settings, evidence: Evidence) -> None:
    before, ledger = records(evidence), evidence.ledger.path.read_bytes()
    blocked = settings.model_copy(update={"export_dir": settings.state_dir / "evidence" / "ledger.jsonl"})
    with pytest.raises(HologramError, match="cannot write"):
        pruned(blocked, evidence)
    taken = plan_prune(settings, evidence, [], now=LATER).archive
    taken.parent.mkdir(parents=True)
    taken.write_bytes(b"another's")
    with pytest.raises(HologramError, match="there already"):
        pruned(settings, evidence)
    assert (records(evidence), evidence.ledger.path.read_bytes()) == (before, ledger)


def test_what_a_crash_left_after_the_entry_goes_next_time(settings: Settings, evidence: Evidence) -> None:
    found = expired_records(evidence, NOW + timedelta(days=1))
    for data in entries_of(found.sha256s, archive="first.tar.gz", archive_sha256="0" * 64):
        evidence.enter(data)
    plan = pruned(settings, evidence)
    assert len(plan.records.removed_before) == len(found.expired)
    assert not plan.archive.exists()
    assert len(records(evidence)) == len(found.expired)


def test_a_killed_export_leaves_nothing_that_looks_like_an_archive(tmp_path: Path) -> None:
    """The writer is killed by the kernel in the middle of its archive."""
    code = (
        "import os, pathlib, signal, sys\n"
        "from hologram_dagster.retention.export import write_archive\n"
        "def members():\n"
        "    yield 'a', os.urandom(1 << 20)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "write_archive(pathlib.Path(sys.argv[1]), members())\n"
    )
    target = tmp_path / "exports" / "x.tar.gz"
    done = subprocess.run([sys.executable, "-c", code, str(target)], env=scrubbed_environment(), check=False)
    assert done.returncode == -9
    assert not target.exists()
    assert not list(tmp_path.rglob("*.tar.gz"))
    assert write_archive(target, [("a", b"1")]) == hashlib.sha256(target.read_bytes()).hexdigest()


def old(path: Path, days: float = 500) -> Path:
    """A file that was last used `days` before `LATER`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"content")
    moment = (LATER - timedelta(days=days)).timestamp()
    os.utime(path, (moment, moment))
    return path


def aged(folder: Path, days: float) -> Path:
    moment = (LATER - timedelta(days=days)).timestamp()
    os.utime(folder, (moment, moment))
    return folder


def test_files_go_by_their_own_periods(settings: Settings, evidence: Evidence) -> None:
    state, e2e = settings.state_dir, settings.reports_dir / "e2e"
    trees = state / "checkouts" / "trees"
    gone = [
        old(state / "logs" / "old.log", 91),
        old(e2e / "events.1.jsonl", 15),
        aged(old(trees / ("a" * 40) / "file").parent, 15),
        aged(old(state / "stack" / "runs" / "killed" / "data").parent, 15),
    ]
    kept = [
        old(state / "logs" / "new.log", 89),
        old(e2e / "events.2.jsonl", 13),
        old(e2e / "events.jsonl", 100),
        old(e2e / "notes.txt", 100),
        aged(old(trees / ("b" * 40) / "file").parent, 13),
        aged(old(state / "stack" / "runs" / "recent" / "data").parent, 13),
        old(state / "keys" / "ed25519.pem", 5000),
        old(state / "stack" / "up" / "data", 5000),
    ]
    running = state / "stack" / "runs" / "running"
    with hold(running):
        aged(running, 100)
        plan = pruned(settings, evidence)
    assert [path for path in gone if path.exists()] == []
    assert [path for path in [*kept, running] if not path.exists()] == []
    with tarfile.open(plan.archive) as exported:
        names = exported.getnames()
    # What can be made again is not exported.
    assert {"logs/old.log", "e2e/events.1.jsonl"} <= set(names)
    assert not [name for name in names if "stack" in name or "a" * 40 in name]
    assert {line.split(":")[0] for line in plan.lines()} == {"log", "events", "checkout", "stack", "evidence"}


def test_periods_are_settings(settings: Settings, evidence: Evidence) -> None:
    longer = settings.model_copy(update={"keep_evidence_days": 500})
    assert [*plan_prune(longer, evidence, [], now=LATER).lines()] == ["nothing is beyond its retention"]
    shorter = settings.model_copy(update={"keep_evidence_days": 1})
    planned = plan_prune(shorter, evidence, [], now=LATER + timedelta(days=1))
    assert len(planned.records.expired) == len(records(evidence))
