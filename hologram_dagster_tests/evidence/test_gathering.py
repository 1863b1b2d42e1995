"""What counts as evidence of a run, and every way of tampering with it seen red."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from upath import UPath

from hologram_dagster.errors import HologramError
from hologram_dagster.evidence.archive import Evidence, Gathered, Stored
from hologram_dagster.evidence.gathered import FaultCode
from hologram_dagster.evidence.judge import judge_gathered
from hologram_dagster.evidence.record import Record
from hologram_dagster.evidence.verdict import Word, conclude
from hologram_dagster.observation import Status
from hologram_dagster.profiles import DRIFTS, REGRESSIONS, ProfileName
from hologram_dagster.protocol.canonical import sha256_hex
from hologram_dagster.protocol.ledger import Ledger
from hologram_dagster_tests.evidence.helpers import (
    NOW,
    OTHER_MACHINE,
    OTHER_REVISION,
    REVISION,
    Clock,
    archive,
    identity,
    observation,
    path_of,
    plan_of,
    run_of,
    signer,
)

pytestmark = [pytest.mark.phase9_chaos, pytest.mark.phase7_security]

RUN = run_of()
SOON = NOW + timedelta(minutes=1)


class Scene:
    """A run with all its evidence, and its verdict as it would be concluded now."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.evidence = archive(folder)
        self.evidence.start_run(RUN)
        self.stored = {kind: self.evidence.add(observation(kind), RUN.identity) for kind in RUN.required}

    def gather(self) -> Gathered:
        return self.evidence.gather(RUN.identity, RUN.required, now=SOON)

    def file(self, kind: str = "perf_gql") -> Path:
        return path_of(self.evidence, self.stored[kind])

    def lines(self) -> list[str]:
        return self.evidence.ledger.path.read_text().splitlines()

    def write_lines(self, lines: list[str]) -> None:
        self.evidence.ledger.path.write_text("".join(f"{line}\n" for line in lines))

    def assert_red(self, code: FaultCode, *words: str) -> None:
        """The fault is found, names the file, and the verdict is fail, interrupted or not."""
        gathered = self.gather()
        assert [fault.code for fault in gathered.faults] == [code]
        for word in words:
            assert word in gathered.faults[0].message
        for interrupted in (None, "killed"):
            verdict = conclude(RUN, gathered, finished_at=SOON, key_id="k", interrupted=interrupted)
            assert verdict.verdict is Word.FAIL
            assert gathered.faults[0].message in {reason.message for reason in verdict.reasons}


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


def edit(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    content = json.loads(path.read_bytes())
    change(content)
    path.write_text(json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False) + "\n")


def forged(seed: int = 2, **changes: Any) -> Record:
    """A better p95, properly signed by another key."""
    seen = observation("perf_gql")
    seen = replace(seen, values={**seen.values, "p95_ms": 0.1})
    return Record.from_observation(seen, identity(**changes), signer(seed), now=NOW)


def test_untouched_evidence_is_gathered_whole(scene: Scene) -> None:
    gathered = scene.gather()
    assert gathered.faults == ()
    assert {stored.record.kind: stored for stored in gathered.evidence} == scene.stored
    assert conclude(RUN, gathered, finished_at=SOON, key_id="k").verdict is Word.PASS


def test_an_object_store_serves_as_well(tmp_path: Path) -> None:
    remote = UPath("memory://gathering-test")
    evidence = archive(tmp_path, store=remote)
    evidence.start_run(RUN)
    stored = [evidence.add(observation(kind), RUN.identity) for kind in RUN.required]
    assert evidence.gather(RUN.identity, RUN.required, now=SOON).evidence == tuple(stored)
    UPath(stored[0].uri).unlink()
    fault = evidence.gather(RUN.identity, RUN.required, now=SOON).faults[0]
    assert (fault.code, stored[0].uri in fault.message) == (FaultCode.REMOVED, True)
    remote.fs.rm(remote.path, recursive=True)


def test_an_edited_record_is_red(scene: Scene) -> None:
    edit(scene.file(), lambda content: content["values"].update(p95_ms=0.1))
    scene.assert_red(FaultCode.EDITED, "perf_gql-0.json", "changed")


def test_a_record_spelled_otherwise_is_red(scene: Scene) -> None:
    scene.file().write_text(json.dumps(json.loads(scene.file().read_bytes())))
    scene.assert_red(FaultCode.EDITED, "perf_gql-0.json", "byte form")


def test_a_record_edited_and_signed_again_by_another_key_is_red(scene: Scene) -> None:
    scene.file().write_bytes(forged().to_bytes())
    scene.assert_red(FaultCode.EDITED, "perf_gql-0.json", f"signed again by key {signer(2).key_id}")


def test_a_record_replaced_by_another_of_the_same_key_is_red(scene: Scene) -> None:
    scene.file().write_bytes(forged(1, run_id="run-0").to_bytes())
    scene.assert_red(FaultCode.EDITED, "perf_gql-0.json", "run run-0")


def test_a_forged_record_with_a_ledger_entry_of_its_own_is_red(scene: Scene) -> None:
    stranger = archive(scene.folder, signer(2))
    seen = observation("perf_gql")
    stranger.add(replace(seen, values={**seen.values, "p95_ms": 0.1}), RUN.identity)
    scene.assert_red(FaultCode.UNTRUSTED_KEY, "perf_gql-1.json", signer(2).key_id)


def test_a_ledger_entry_signed_again_by_another_key_is_red(scene: Scene) -> None:
    *before, last = scene.lines()
    scene.write_lines(before)
    Ledger(scene.evidence.ledger.path, signer(2)).append(json.loads(last)["data"])
    gathered = scene.gather()
    assert [fault.code for fault in gathered.faults] == [FaultCode.UNTRUSTED_KEY]


def test_a_record_and_its_entry_by_two_trusted_keys_are_red(tmp_path: Path) -> None:
    pins = [signer(1).key_id, signer(2).key_id]
    evidence = archive(tmp_path, trusted_keys=pins)
    evidence.start_run(RUN)
    record = forged(2)
    path = evidence.store.put(record)
    genuine = archive(tmp_path / "other", signer(2)).add(observation("perf_gql"), RUN.identity)
    entry = Ledger(tmp_path / "other" / "ledger.jsonl", None).last()
    assert entry is not None
    assert genuine.record.kind == record.kind
    evidence.ledger.append({**entry.data, "path": path, "sha256": sha256_hex(record.to_bytes())})
    fault = evidence.gather(RUN.identity, ["perf_gql"], now=SOON).faults[0]
    assert (fault.code, "different keys" in fault.message) == (FaultCode.UNTRUSTED_KEY, True)


def test_a_removed_record_is_red(scene: Scene) -> None:
    scene.file().unlink()
    scene.assert_red(FaultCode.REMOVED, "perf_gql-0.json", "gone")


def test_a_truncated_record_is_red(scene: Scene) -> None:
    data = scene.file().read_bytes()
    for length in (0, 1, len(data) // 2, len(data) - 1):
        scene.file().write_bytes(data[:length])
        scene.assert_red(FaultCode.EDITED, "perf_gql-0.json")


@pytest.mark.parametrize(
    ("field", "word"), [("commit", "commit cccccccccccc"), ("tree", "tree dddddddddddd")]
)
def test_a_record_of_another_revision_copied_in_place_is_red(scene: Scene, field: str, word: str) -> None:
    revision = replace(REVISION, **{field: getattr(OTHER_REVISION, field)})
    other = archive(scene.folder / "other").add(observation("perf_gql"), identity(revision=revision))
    shutil.copyfile(path_of(archive(scene.folder / "other"), other), scene.file())
    scene.assert_red(FaultCode.OTHER_REVISION, "perf_gql-0.json", word)


def test_evidence_of_another_revision_entered_for_this_run_is_red(scene: Scene) -> None:
    scene.evidence.add(observation("perf_gql"), identity(revision=OTHER_REVISION))
    scene.assert_red(FaultCode.OTHER_REVISION, "perf_gql-1.json")


def test_a_file_that_the_ledger_does_not_list_is_never_used(tmp_path: Path) -> None:
    evidence = archive(tmp_path)
    evidence.start_run(RUN)
    evidence.store.put(Record.from_observation(observation("perf_gql"), RUN.identity, signer(), now=NOW))
    assert evidence.gather(RUN.identity, ["perf_gql"], now=SOON) == Gathered((), ())


def test_an_edited_ledger_line_is_red(scene: Scene) -> None:
    lines = scene.lines()
    for position in range(len(lines)):
        changed = lines[position].replace("run-1", "run-2")
        assert changed != lines[position]
        scene.write_lines([*lines[:position], changed, *lines[position + 1 :]])
        scene.assert_red(FaultCode.LEDGER, "ledger.jsonl")


def test_a_dropped_ledger_line_is_red(scene: Scene) -> None:
    lines = scene.lines()
    for position in range(len(lines) - 1):
        scene.write_lines([*lines[:position], *lines[position + 1 :]])
        scene.assert_red(FaultCode.LEDGER, "ledger.jsonl", "bad_seq")


def test_a_dropped_last_line_leaves_its_evidence_missing(scene: Scene) -> None:
    scene.write_lines(scene.lines()[:-1])
    gathered = scene.gather()
    assert gathered.get(RUN.required[-1]) is None
    assert conclude(RUN, gathered, finished_at=SOON, key_id="k").verdict is Word.FAIL


def test_swapped_ledger_lines_are_red(scene: Scene) -> None:
    lines = scene.lines()
    for position in range(1, len(lines) - 1):
        swapped = [*lines]
        swapped[position], swapped[position + 1] = lines[position + 1], lines[position]
        scene.write_lines(swapped)
        scene.assert_red(FaultCode.LEDGER, "ledger.jsonl")


def test_a_trusted_entry_cannot_list_what_is_not_of_its_run_or_kind(scene: Scene) -> None:
    entry = json.loads(scene.lines()[-1])["data"]
    scene.evidence.ledger.append({**entry, "kind": "perf_gql"})
    scene.assert_red(FaultCode.EDITED, "not of the run or kind")


@pytest.mark.parametrize("field", ["kind", "path", "sha256", "run_id", "finished_at", "commit"])
@pytest.mark.parametrize("value", [None, 7])
def test_an_entry_of_another_form_lists_nothing(scene: Scene, field: str, value: object) -> None:
    entry = json.loads(scene.lines()[-1])["data"]
    for data in ({**entry, field: value}, {k: v for k, v in entry.items() if k != field}):
        Ledger(scene.evidence.ledger.path, signer(2)).append(data)
    assert {stored.record.kind: stored for stored in scene.gather().evidence} == scene.stored


def test_a_store_that_does_not_answer_is_no_tampering(scene: Scene) -> None:
    scene.file().unlink()
    scene.file().mkdir()
    gathered = scene.gather()
    assert [(fault.code, fault.status) for fault in gathered.faults] == [
        (FaultCode.UNAVAILABLE, Status.ERROR)
    ]
    assert conclude(RUN, gathered, finished_at=SOON, key_id="k").verdict is Word.INCONCLUSIVE


def test_the_newest_record_of_a_run_counts(scene: Scene) -> None:
    again = scene.evidence.add(observation("perf_gql"), RUN.identity)
    assert scene.gather().get("perf_gql") == again


# Freshness: which evidence of another run may stand for this one's.


def earlier(folder: Path, **changes: Any) -> tuple[Evidence, Stored]:
    clock = Clock()
    evidence = archive(folder, clock=clock)
    stored = evidence.add(observation("perf_gql"), identity("run-0", **changes))
    return evidence, stored


def test_fresh_evidence_of_the_same_revision_stands_for_a_later_run(tmp_path: Path) -> None:
    evidence, stored = earlier(tmp_path)
    for age in (timedelta(), timedelta(hours=24)):
        assert evidence.gather(RUN.identity, RUN.required, now=NOW + age).evidence == (stored,)


@pytest.mark.parametrize("age", [timedelta(hours=24, microseconds=1), timedelta(microseconds=-1)])
def test_evidence_a_day_old_or_of_the_future_does_not(tmp_path: Path, age: timedelta) -> None:
    evidence, _ = earlier(tmp_path)
    assert evidence.gather(RUN.identity, RUN.required, now=NOW + age) == Gathered((), ())


@pytest.mark.parametrize(
    "changes",
    [
        {"revision": OTHER_REVISION},
        {"revision": replace(REVISION, tree="e" * 40)},
        {"profile": ProfileName.PR},
        {"environment": "staging"},
        {"machine": replace(RUN.identity.machine, cores=8)},
    ],
)
def test_evidence_of_another_setting_does_not(tmp_path: Path, changes: dict[str, Any]) -> None:
    evidence, _ = earlier(tmp_path, **changes)
    assert evidence.gather(RUN.identity, RUN.required, now=SOON) == Gathered((), ())


def test_evidence_of_the_run_itself_counts_before_newer_of_others(tmp_path: Path) -> None:
    evidence = archive(tmp_path)
    evidence.start_run(RUN)
    own = evidence.add(observation("perf_gql", Status.FAILED), RUN.identity)
    evidence.add(observation("perf_gql"), identity("run-2"))
    assert evidence.gather(RUN.identity, ["perf_gql"], now=SOON).evidence == (own,)


def test_tampered_evidence_of_an_earlier_run_is_not_passed_over_for_an_older_one(tmp_path: Path) -> None:
    evidence, _ = earlier(tmp_path)
    newer = evidence.add(observation("perf_gql"), identity("run-01"))
    path_of(evidence, newer).unlink()
    gathered = evidence.gather(RUN.identity, ["perf_gql"], now=SOON)
    assert [fault.code for fault in gathered.faults] == [FaultCode.REMOVED]


def test_what_was_entered_long_ago_is_not_even_read(tmp_path: Path) -> None:
    clock = Clock()
    evidence = archive(tmp_path, clock=clock)
    for number in range(3):
        evidence.add(observation("perf_gql"), identity(f"run-0{number}"))
    lines = evidence.ledger.path.read_text().splitlines()
    evidence.ledger.path.write_text("".join(f"{line}\n" for line in ["rubbish", *lines[1:]]))
    clock.now += timedelta(hours=30)
    later = run_of("run-9", started_at=clock.now)
    evidence.start_run(later)
    own = evidence.add(observation("perf_gql", at=clock.now), later.identity)
    gathered = evidence.gather(later.identity, ["perf_gql", "perf_verify"], now=clock.now)
    assert gathered == Gathered((own,), ())


# Keys.


@pytest.mark.parametrize("profile", [ProfileName.MAIN, ProfileName.NIGHTLY])
def test_with_pins_a_strict_profile_refuses_the_key_in_use(tmp_path: Path, profile: ProfileName) -> None:
    evidence = archive(tmp_path, trusted_keys=[signer(2).key_id])
    run = run_of(plan=plan_of(profile))
    stored = evidence.add(observation("perf_gql"), run.identity)
    gathered = evidence.gather(run.identity, ["perf_gql"], now=SOON)
    assert [fault.code for fault in gathered.faults] == [FaultCode.UNTRUSTED_KEY]
    pinned = archive(tmp_path, trusted_keys=[signer().public_hex])
    assert pinned.gather(run.identity, ["perf_gql"], now=SOON).evidence == (stored,)


def test_evidence_cannot_be_added_without_a_key(tmp_path: Path) -> None:
    reader = Evidence(tmp_path, signer=None)
    with pytest.raises(HologramError, match="HOLOGRAM_SIGNING_KEY"):
        reader.add(observation("perf_gql"), RUN.identity)
    with pytest.raises(HologramError, match="key"):
        reader.start_run(RUN)


def test_the_ledger_marks_evidence_of_a_self_made_key(tmp_path: Path) -> None:
    evidence = archive(tmp_path, signer(self_made=True))
    stored = evidence.add(observation("perf_gql"), RUN.identity)
    entry = evidence.ledger.last()
    assert entry is not None
    assert entry.data["self_made_key"] is True
    assert stored.record.self_made_key


def test_a_run_is_known_from_its_start_on(scene: Scene) -> None:
    assert scene.evidence.started_run("run-1") == RUN
    assert scene.evidence.started_run("run-2") is None


@pytest.mark.parametrize("kind", [*REGRESSIONS.values(), *DRIFTS.values()])
def test_a_pair_of_another_machine_than_the_runs_is_red(tmp_path: Path, kind: str) -> None:
    run = run_of(plan=plan_of(ProfileName.NIGHTLY))
    evidence = archive(tmp_path)
    evidence.start_run(run)
    for each in run.required:
        machine = OTHER_MACHINE if each == kind else run.identity.machine
        evidence.add(observation(each), replace(run.identity, machine=machine))
    gathered = evidence.gather(run.identity, run.required, now=SOON)
    (fault,) = gathered.faults
    assert (fault.code, fault.kind) == (FaultCode.OTHER_MACHINE, kind)
    assert f"compared on machine {OTHER_MACHINE.fingerprint}" in fault.message
    assert f"the run is of machine {run.identity.machine.fingerprint}" in fault.message
    assert {result.status for result in judge_gathered(kind, gathered, run.plan)} == {Status.FAILED}
    assert conclude(run, gathered, finished_at=SOON, key_id="k").verdict is Word.FAIL


def test_other_evidence_of_a_run_may_be_of_two_machines(scene: Scene) -> None:
    scene.evidence.add(observation("e2e_use"), replace(RUN.identity, machine=OTHER_MACHINE))
    assert scene.gather().faults == ()
