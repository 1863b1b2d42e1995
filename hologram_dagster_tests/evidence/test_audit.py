"""The audit of all that was written: every change is found and the first named, pruning is told as such."""

import random
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from hologram_dagster.evidence import checkpoints
from hologram_dagster.evidence.archive import Evidence
from hologram_dagster.evidence.audit import Audit, audit
from hologram_dagster.evidence.pruned import entries_of
from hologram_dagster.observation import Artifact
from hologram_dagster.protocol.canonical import sha256_hex
from hologram_dagster.protocol.signing import Signer
from hologram_dagster_tests.evidence.helpers import (
    NOW,
    archive,
    green_run,
    observation,
    path_of,
    run_of,
    signer,
)

pytestmark = [pytest.mark.phase0_ready, pytest.mark.proof_chain_mandatory]


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Checkpoints in a ledger as small as a test's."""
    monkeypatch.setattr(checkpoints, "EVERY", 4)


def small(folder: Path, count: int = 6, key: Signer | None = None) -> Evidence:
    evidence = archive(folder, key)
    for number in range(count):
        evidence.enter({"entry": "note", "number": number})
    return evidence


def found(evidence: Evidence, content: bytes, head: str) -> Audit:
    evidence.ledger.path.write_bytes(content)
    return audit(evidence, pins=[head])


@pytest.mark.usefixtures("often")
def test_a_whole_run_holds_and_its_figures_are_told(tmp_path: Path) -> None:
    evidence = archive(tmp_path)
    _, verdict, stored = green_run(evidence)
    seen = audit(evidence, pins=[verdict.ledger_head])
    assert seen.broken == []
    assert seen.records == len(stored) + 1
    assert seen.entries == evidence.ledger.seq() + 1
    assert seen.checkpoints >= 2
    assert seen.to_json()["ok"] is True


def test_every_changed_byte_is_found_and_the_entry_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints, "EVERY", 2)
    evidence = small(tmp_path, 2)
    assert audit(evidence).checkpoints == 1
    content, head = evidence.ledger.path.read_bytes(), evidence.ledger.head()
    for place in range(len(content)):
        changed = bytearray(content)
        changed[place] ^= 1 << place % 7
        seen = found(evidence, bytes(changed), head)
        entry = content[:place].count(b"\n")
        assert seen.broken, place
        # A line feed that is gone or new breaks the line before or after it.
        assert seen.entries in {entry, entry + 1}, place


@pytest.mark.usefixtures("often")
def test_every_truncation_is_found(tmp_path: Path) -> None:
    evidence = small(tmp_path, 5)
    content, head = evidence.ledger.path.read_bytes(), evidence.ledger.head()
    for size in range(0, len(content), 31):
        seen = found(evidence, content[:size], head)
        codes = {broken.code for broken in seen.broken}
        assert "cut_off" in codes
        assert ("torn_tail" in codes) is (size > 0 and content[size - 1 : size] != b"\n")


@pytest.mark.usefixtures("often")
def test_dropped_swapped_and_doubled_entries_are_found(tmp_path: Path) -> None:
    evidence = small(tmp_path, 9)
    lines, head = evidence.ledger.path.read_bytes().splitlines(keepends=True), evidence.ledger.head()
    assert len(lines) == 11
    for place in range(len(lines)):
        dropped = lines[:place] + lines[place + 1 :]
        assert found(evidence, b"".join(dropped), head).broken, place
        doubled = lines[: place + 1] + lines[place:]
        seen = found(evidence, b"".join(doubled), head)
        assert [broken.code for broken in seen.broken][:1] == ["bad_seq"], place
        for other in range(place + 1, len(lines)):
            swapped = [*lines]
            swapped[place], swapped[other] = lines[other], lines[place]
            seen = found(evidence, b"".join(swapped), head)
            assert seen.broken[0].where == f"ledger entry {place}"


def test_changes_at_random_are_found_in_a_long_ledger(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints, "EVERY", 64)
    evidence = small(tmp_path, 300)
    content, head = evidence.ledger.path.read_bytes(), evidence.ledger.head()
    assert found(evidence, content, head).broken == []
    random_ = random.Random(7)
    for _ in range(12):
        place = random_.randrange(len(content))
        changed = bytearray(content)
        changed[place] ^= random_.randrange(1, 256)
        seen = found(evidence, bytes(changed), head)
        assert seen.broken
        assert abs(seen.entries - content[:place].count(b"\n")) <= 1


@pytest.mark.usefixtures("often")
def test_a_stranger_key_may_not_write_nor_vouch_and_a_named_old_one_may(tmp_path: Path) -> None:
    old, new = signer(1), signer(2)
    small(tmp_path, 6, old)
    rotated = small(tmp_path, 6, new)
    seen = audit(rotated)
    assert (seen.broken[0].where, seen.broken[0].code) == ("ledger entry 0", "untrusted_key")
    pinned = archive(tmp_path, new, trusted_keys=[old.key_id, new.key_id])
    assert audit(pinned).broken == []
    # The old key is revoked: what it signed fails, though a checkpoint of the new one covers it.
    revoked = archive(tmp_path, new, trusted_keys=[new.key_id])
    assert audit(revoked).broken[0].code == "untrusted_key"


@pytest.mark.usefixtures("often")
def test_a_checkpoint_that_says_another_root_is_named(tmp_path: Path) -> None:
    evidence = small(tmp_path, 3)
    said = checkpoints.checkpoint_data(evidence.ledger.path)
    evidence.enter({**said, "root": "0" * 64})
    seen = audit(evidence)
    assert [(broken.where, broken.code) for broken in seen.broken] == [("ledger entry 3", "bad_checkpoint")]


@pytest.mark.usefixtures("often")
def test_a_late_checkpoint_holds(tmp_path: Path) -> None:
    evidence = small(tmp_path, 2)
    early = checkpoints.checkpoint_data(evidence.ledger.path)
    for number in range(8):
        evidence.enter({"entry": "note", "number": number})
    evidence.enter(early)
    for number in range(8):
        evidence.enter({"entry": "note", "number": number})
    seen = audit(evidence)
    assert seen.broken == []
    assert seen.checkpoints >= 4


def _edit(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"passed", b"failed", 1))


@pytest.mark.parametrize(("change", "code"), [(Path.unlink, "removed"), (_edit, "edited")])
def test_records_changed_or_gone_are_named(tmp_path: Path, change: Callable[[Path], None], code: str) -> None:
    evidence = archive(tmp_path)
    _, _, stored = green_run(evidence)
    victim = next(iter(stored.values()))
    change(path_of(evidence, victim))
    seen = audit(evidence)
    assert [(broken.where, broken.code) for broken in seen.broken] == [(victim.path, code)]
    assert audit(evidence, since=NOW + timedelta(days=1)).broken == []


def test_what_was_pruned_is_told_with_its_date_not_as_broken(tmp_path: Path) -> None:
    evidence = archive(tmp_path)
    _, _, stored = green_run(evidence, run_of())
    victim = next(iter(stored.values()))
    for data in entries_of([victim.sha256], archive="export.tar.gz", archive_sha256="0" * 64):
        evidence.enter(data)
    path_of(evidence, victim).unlink()
    seen = audit(evidence)
    assert seen.broken == []
    assert [(path, said.at[:10]) for path, said in seen.pruned] == [(victim.path, "2026-03-04")]
    assert seen.to_json()["pruned"][0]["archive"] == "export.tar.gz"


def test_a_torn_tail_is_told_and_then_kept_aside(tmp_path: Path) -> None:
    evidence = small(tmp_path)
    with evidence.ledger.path.open("ab") as stream:
        stream.write(b'{"v":1,"seq":6')
    assert [broken.code for broken in audit(evidence).broken] == ["torn_tail"]
    evidence.enter({"entry": "note"})
    seen = audit(evidence)
    assert seen.broken == []
    assert seen.torn == ["ledger.jsonl.torn-1"]


def test_a_changed_entry_before_a_torn_tail_is_named_first(tmp_path: Path) -> None:
    evidence = small(tmp_path)
    content = evidence.ledger.path.read_bytes().replace(b'"number":2', b'"number":3')
    evidence.ledger.path.write_bytes(content + b"{")
    assert [broken.where for broken in audit(evidence).broken] == ["ledger entry 2"]


def with_file(evidence: Evidence, data: bytes = b"latencies") -> Path:
    """A run with one record that names a file of the store; the file."""
    path = evidence.store.put_artifact(data, "journal.json")
    artifact = Artifact(evidence.store.uri(path), sha256_hex(data))
    evidence.add(replace(observation("perf_gql"), artifacts=(artifact,)), run_of().identity)
    return evidence.ledger.path.parent / "records" / path


def test_the_file_of_a_record_is_verified(tmp_path: Path) -> None:
    evidence = archive(tmp_path)
    file = with_file(evidence)
    whole = audit(evidence)
    assert (whole.holds, whole.artifacts) == (True, 1)
    file.write_bytes(b"latencieS")
    changed = audit(evidence)
    assert [(each.code, each.where) for each in changed.broken] == [
        ("artifact", file.relative_to(tmp_path / "records").as_posix())
    ]
    file.unlink()
    assert [each.code for each in audit(evidence).broken] == ["artifact_missing"]


def test_a_record_that_no_entry_names_is_told(tmp_path: Path) -> None:
    evidence = archive(tmp_path)
    green_run(evidence)
    assert audit(evidence).unlisted == []
    lines = evidence.ledger.path.read_bytes().splitlines(keepends=True)
    evidence.ledger.path.write_bytes(b"".join(lines[:-1]))
    (unlisted,) = audit(evidence).unlisted
    assert "/verdict-0.json" in unlisted
