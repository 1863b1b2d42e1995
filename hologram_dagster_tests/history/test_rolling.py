"""A baseline is a revision and its numbers; both move together, on purpose, and back again."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from hologram_dagster.errors import HologramError, TamperedError
from hologram_dagster.history.baseline import Action, Place
from hologram_dagster.history.baseline_file import FileState
from hologram_dagster.history.drift import drift
from hologram_dagster.history.eligibility import Candidate
from hologram_dagster.history.rolling import Baselines
from hologram_dagster.observation import Status
from hologram_dagster_tests.evidence.helpers import OTHER_MACHINE, signer
from hologram_dagster_tests.history.helpers import (
    HERE,
    METRICS,
    P95,
    baselines,
    candidate,
    commit,
    compare,
    measurements,
    verdict_of,
)

pytestmark = pytest.mark.phase6_perf

THERE = Place("local", OTHER_MACHINE.fingerprint)


def slower(factor: float) -> dict[str, float]:
    return {kind: value * factor for kind, value in P95.items()}


def flat(made: Baselines) -> dict[str, float]:
    """`baseline.json` as a user's tool reads it."""
    content: dict[str, float] = json.loads(made.file.read_text())
    return content


def files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_nothing_blesses_itself(tmp_path: Path) -> None:
    made = baselines(tmp_path)
    shown = made.show()
    assert (shown.baseline, shown.file) == (None, FileState.MISSING)
    assert "no baseline is in force" in shown.notes[0]
    assert made.publish() == shown.notes
    with pytest.raises(HologramError, match="no baseline to back up"):
        made.backup()
    with pytest.raises(HologramError, match="no backup"):
        made.roll_back()
    assert not made.file.exists()


def test_the_first_is_set_on_purpose(tmp_path: Path) -> None:
    made = baselines(tmp_path)
    rolled = made.roll_forward(candidate(1), reason="first release", by="a person")
    assert rolled.backup is None
    assert flat(made) == {METRICS[kind]: P95[kind] for kind in METRICS}
    seen = made.show().baseline
    assert seen == rolled.baseline
    assert (seen.commit, seen.numbers, seen.place) == (commit(1), flat(made), HERE)
    assert (seen.reason, seen.by, seen.key_id) == ("first release", "a person", signer().key_id)
    assert (seen.run_id, seen.verdict_uri) == ("run-1", "file:///verdict.json")
    assert seen.action is Action.ROLL_FORWARD
    assert made.show().notes == ()


def test_forward_and_back_move_revision_and_numbers(tmp_path: Path) -> None:
    made = baselines(tmp_path)
    made.roll_forward(candidate(1))
    rolled = made.roll_forward(candidate(2, against=1, p95=slower(0.5)))
    assert rolled.backup == "baseline_20260304_120300_roll_forward.json"
    assert (made.show().baseline.commit, flat(made)["core.verify_ms"]) == (commit(2), 1.0)  # type: ignore[union-attr]
    assert json.loads((made.backup_folder / rolled.backup).read_text())["core.verify_ms"] == 2.0

    back = made.roll_back()
    assert back.backup is not None
    assert back.backup.endswith("_roll_back.json")
    assert (back.baseline.commit, flat(made)["core.verify_ms"]) == (commit(1), 2.0)
    assert back.baseline.action is Action.ROLL_BACK
    assert rolled.backup in back.baseline.reason

    # Doing it again undoes it.
    assert made.roll_back().baseline.commit == commit(2)
    assert [baseline.commit for baseline in made.all()] == [commit(n) for n in (1, 2, 1, 2)]


def test_back_to_a_named_one(tmp_path: Path) -> None:
    made = baselines(tmp_path)
    made.roll_forward(candidate(1))
    name, _ = made.backup("before the rewrite")
    assert name.endswith("_before_the_rewrite.json")
    made.roll_forward(candidate(2, against=1))
    made.roll_forward(candidate(3, against=2))
    assert made.roll_back(name.removesuffix(".json")).baseline.commit == commit(1)
    with pytest.raises(HologramError, match="no backup nonsense"):
        made.roll_back("nonsense")


def test_a_backup_of_the_one_in_force_is_nothing_to_roll_back_to(tmp_path: Path) -> None:
    made = baselines(tmp_path)
    made.roll_forward(candidate(1))
    made.backup()
    with pytest.raises(HologramError, match="no backup of another baseline"):
        made.roll_back()


def _red(number: int) -> Candidate:
    measured = measurements(number)
    return replace(candidate(number), verdict=verdict_of(measured, number, status=Status.FAILED))


@pytest.mark.parametrize(
    ("refused", "said"),
    [
        (lambda: candidate(2, against=1, ref="refs/heads/topic"), "main only"),
        (lambda: _red(2), "not passed"),
        (lambda: candidate(2, comparisons=compare(1, regressed="gql")), "slower"),
        (lambda: candidate(2), "not compared"),
    ],
)
def test_a_refusal_leaves_the_baseline_and_has_backed_it_up(
    tmp_path: Path, refused: Callable[[], Candidate], said: str
) -> None:
    made = baselines(tmp_path)
    before = made.roll_forward(candidate(1)).baseline
    content = made.file.read_bytes()
    for _ in range(2):
        with pytest.raises(HologramError, match=said):
            made.roll_forward(refused())
    assert made.show().baseline == before
    assert made.file.read_bytes() == content
    # The contract's order: the backup comes first; refusals do not pile up more of them.
    assert [backup.commit for backup in made.backups()] == [commit(1)]
    rolled = made.roll_forward(candidate(2, against=1))
    assert [backup.name for backup in made.backups()] == [rolled.backup]
    assert made.roll_back().baseline.commit == commit(1)


@pytest.mark.parametrize("harm", ["changed", "gone"])
def test_a_backup_that_is_not_there_as_written_is_made_again(tmp_path: Path, harm: str) -> None:
    made = baselines(tmp_path)
    made.roll_forward(candidate(1))
    with pytest.raises(HologramError, match="main only"):
        made.roll_forward(candidate(2, against=1, ref="refs/heads/topic"))
    (backup,) = made.backup_folder.iterdir()
    if harm == "changed":
        backup.write_text("{}")
    else:
        backup.unlink()
    rolled = made.roll_forward(candidate(2, against=1))
    assert rolled.backup not in {None, backup.name}


def test_without_a_reason_nothing_happens(tmp_path: Path) -> None:
    made = baselines(tmp_path)
    made.roll_forward(candidate(1))
    before = files(tmp_path)
    with pytest.raises(HologramError, match="no reason"):
        made.roll_forward(candidate(2, against=1), reason=" ")
    assert files(tmp_path) == before


def test_many_small_steps_are_compared_with_the_baseline_not_the_commit_before(tmp_path: Path) -> None:
    made = baselines(tmp_path)
    made.roll_forward(candidate(1))
    with pytest.raises(HologramError, match=f"--baseline {commit(1)[:12]}"):
        made.roll_forward(candidate(3, against=2))


def test_the_same_revision_may_be_measured_again(tmp_path: Path) -> None:
    made = baselines(tmp_path)
    made.roll_forward(candidate(1))
    made.roll_forward(candidate(1, p95=slower(1.1)))
    assert flat(made)["core.verify_ms"] == pytest.approx(2.2)


def test_a_metric_that_went_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = baselines(tmp_path)
    made.roll_forward(candidate(1))
    monkeypatch.setitem(METRICS, "perf_encode", "core.encode_1MB_ms")
    rolled = made.roll_forward(candidate(2, against=1))
    assert rolled.notes == ("no longer measured under that name: core.encode_4MB_ms",)


@pytest.mark.parametrize(
    ("data", "state", "said"),
    [
        (b'{"core.verify_ms": 9.0}', FileState.FOREIGN, "not written by this gate"),
        (b'{"core.verify_ms": 9.0', FileState.MALFORMED, "line 1"),
    ],
)
@pytest.mark.parametrize("first", [True, False])
def test_a_file_that_is_not_ours_is_named_and_kept(
    tmp_path: Path, data: bytes, state: FileState, said: str, first: bool
) -> None:
    made = baselines(tmp_path)
    if not first:
        made.roll_forward(candidate(1))
    made.file.parent.mkdir(parents=True, exist_ok=True)
    made.file.write_bytes(data)
    assert made.show().file is state
    assert said in made.show().notes[0]
    assert said in made.publish()[0]
    assert made.file.read_bytes() == data

    for attempt in range(2):
        with pytest.raises(HologramError, match="main only"):
            made.roll_forward(candidate(2, ref=None))
        kept = [name for name, content in files(made.backup_folder).items() if content == data]
        assert len(kept) == 1, f"attempt {attempt} kept it again"
    rolled = made.roll_forward(candidate(2, against=1))
    assert said in rolled.notes[0]
    assert kept[0] in rolled.notes[0]
    assert (made.backup_folder / kept[0]).read_bytes() == data
    assert made.show().file is FileState.CURRENT


def test_a_foreign_file_alone_is_kept_by_a_backup_that_says_there_is_no_baseline(tmp_path: Path) -> None:
    made = baselines(tmp_path)
    made.file.parent.mkdir(parents=True)
    made.file.write_bytes(b'{"core.verify_ms": 9.0}')
    with pytest.raises(
        HologramError, match=r"no baseline to back up.*kept as backups/baseline_.*_foreign\.json"
    ):
        made.backup()


def test_numbers_without_a_revision_are_listed_and_not_restored(tmp_path: Path) -> None:
    made = baselines(tmp_path)
    made.roll_forward(candidate(1))
    made.roll_forward(candidate(2, against=1))
    (made.backup_folder / "baseline_20270101_000000_manual.json").write_bytes(b'{"core.verify_ms": 1.0}')
    (made.backup_folder / "baseline_20270101_000001_manual.json").write_bytes(b"nonsense")
    newest, foreign, ours = made.backups()
    assert "malformed" in newest.fault
    assert "without a revision" in foreign.fault
    assert (foreign.commit, foreign.numbers) == (None, {"core.verify_ms": 1.0})
    assert (ours.commit, ours.fault) == (commit(1), "")
    with pytest.raises(HologramError, match="without a revision"):
        made.roll_back(foreign.name)
    assert made.roll_back().baseline.commit == commit(1)


def test_a_changed_backup_is_not_restored(tmp_path: Path) -> None:
    made = baselines(tmp_path)
    made.roll_forward(candidate(1))
    name = made.roll_forward(candidate(2, against=1)).backup
    assert name is not None
    (made.backup_folder / name).write_bytes(b'{"core.verify_ms": 0.001}')
    with pytest.raises(HologramError, match="changed since"):
        made.roll_back(name)
    with pytest.raises(HologramError, match="no backup of another"):
        made.roll_back()
    (made.backup_folder / name).unlink()
    assert "still holds" in made.backups()[0].note
    assert made.roll_back(name).baseline.commit == commit(1)


def test_places_are_apart_and_say_so(tmp_path: Path) -> None:
    here, there = baselines(tmp_path), baselines(tmp_path, THERE)
    measured = measurements(5, slower(2), machine=OTHER_MACHINE)
    other = Candidate(verdict_of(measured, 5, machine=OTHER_MACHINE), measured, (), (), "refs/heads/main")
    there.roll_forward(other)
    shown = here.show()
    assert shown.baseline is None
    assert [baseline.commit for baseline in shown.elsewhere] == [commit(5)]
    assert any("its numbers cannot be compared" in note for note in shown.notes)
    here.roll_forward(candidate(1))
    assert there.show().baseline.commit == commit(5)  # type: ignore[union-attr]
    # The file is one for all places, and says whose it is not.
    assert there.show().file is FileState.LAGGING
    assert there.backups() == []
    assert baselines(tmp_path, Place("staging", HERE.machine)).show().elsewhere == ()


def test_a_lost_or_lagging_file_is_written_again(tmp_path: Path) -> None:
    made = baselines(tmp_path)
    made.roll_forward(candidate(1))
    old = made.file.read_bytes()
    made.roll_forward(candidate(2, against=1, p95=slower(0.5)))
    new = made.file.read_bytes()
    for state, data in ((FileState.LAGGING, old), (FileState.MISSING, None)):
        made.file.unlink()
        if data is not None:
            made.file.write_bytes(data)
        assert made.show().file is state
        assert len(made.show().notes) == 1
        assert made.publish() == ()
        assert made.file.read_bytes() == new


def test_an_edited_list_is_refused(tmp_path: Path) -> None:
    made = baselines(tmp_path)
    made.roll_forward(candidate(1))
    path = tmp_path / "state" / "baselines.jsonl"
    path.write_text(path.read_text().replace('"core.verify_ms":2.0', '"core.verify_ms":9.0'))
    with pytest.raises(TamperedError):
        made.show()
    with pytest.raises(TamperedError):
        made.roll_back()


def test_a_line_of_rubbish_in_the_list_is_told_with_file_and_remedy(tmp_path: Path) -> None:
    made = baselines(tmp_path)
    made.roll_forward(candidate(1))
    path = tmp_path / "state" / "baselines.jsonl"
    path.write_text(path.read_text() + "rubbish\n")
    with pytest.raises(TamperedError) as raised:
        made.show()
    assert str(path) in str(raised.value)
    assert "ledger entry 1: bad_version" in str(raised.value)
    assert "move it away and roll a baseline forward again" in str(raised.value)


def test_a_strangers_key_is_refused(tmp_path: Path) -> None:
    baselines(tmp_path, signer=signer(2)).roll_forward(candidate(1))
    with pytest.raises(TamperedError):
        baselines(tmp_path, trusted=[signer(1).key_id]).show()


def test_without_a_key_it_can_be_read_only(tmp_path: Path) -> None:
    baselines(tmp_path).roll_forward(candidate(1))
    reader = baselines(tmp_path, signer=None)
    assert reader.show().baseline.commit == commit(1)  # type: ignore[union-attr]
    with pytest.raises(HologramError, match="signing key"):
        reader.roll_forward(candidate(2, against=1))
    assert reader.show().baseline.commit == commit(1)  # type: ignore[union-attr]


def test_what_a_crash_tore_off_was_never_in_force(tmp_path: Path) -> None:
    made = baselines(tmp_path)
    made.roll_forward(candidate(1))
    path = tmp_path / "state" / "baselines.jsonl"
    with path.open("ab") as stream:
        stream.write(b'{"v":1,"seq":')
    assert made.show().baseline.commit == commit(1)  # type: ignore[union-attr]
    made.roll_forward(candidate(2, against=1))
    assert [baseline.commit for baseline in made.all()] == [commit(1), commit(2)]


def test_two_at_once_take_turns(tmp_path: Path) -> None:
    baselines(tmp_path).roll_forward(candidate(1))

    def roll(number: int) -> str:
        try:
            return baselines(tmp_path).roll_forward(candidate(number, against=1)).baseline.commit
        except HologramError as error:
            return str(error)

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(roll, range(2, 6)))
    # The first changes what the others would have to be compared with.
    assert sum("not compared" in answer for answer in answers) == 3
    assert len(baselines(tmp_path).all()) == 2


def test_only_state_and_perf_reports_are_written(tmp_path: Path) -> None:
    made = baselines(tmp_path)
    made.roll_forward(candidate(1))
    made.roll_forward(candidate(2, against=1))
    made.roll_back()
    assert {Path(name).parts[0] for name in files(tmp_path)} == {"state", "reports"}
    assert {Path(name).parts[1] for name in files(tmp_path / "reports")} == {"baseline.json", "backups"}


def test_secrets_do_not_reach_the_list(tmp_path: Path) -> None:
    made = baselines(tmp_path)
    made.roll_forward(candidate(1), reason="with token=ghp_0123456789abcdefghij0123456789abcdef")
    assert "ghp_" not in (tmp_path / "state" / "baselines.jsonl").read_text()


def test_drift_shows_the_sum_of_small_steps(tmp_path: Path) -> None:
    made = baselines(tmp_path)
    made.roll_forward(candidate(1))
    for step in range(2, 8):
        made.roll_forward(candidate(step, against=step - 1, p95=slower(1.08 ** (step - 1))))
    shown = {row.key: row for row in drift(made.all(), last=5)}
    assert list(shown) == sorted(METRICS.values())
    verify = shown["core.verify_ms"]
    assert verify.commits == tuple(commit(n) for n in range(3, 8))
    assert verify.pct == pytest.approx(100 * (1.08**4 - 1))
    assert drift([]) == []


def test_drift_from_nothing_has_no_percentage(tmp_path: Path) -> None:
    made = baselines(tmp_path)
    made.roll_forward(candidate(1, p95=slower(0)))
    made.roll_forward(candidate(2, against=1))
    assert drift(made.all())[0].pct is None


def test_a_baseline_that_cannot_be_run_any_more_is_left_behind_and_named(tmp_path: Path) -> None:
    made = baselines(tmp_path)
    made.roll_forward(candidate(1))
    first, *others = compare(1)
    rolled = made.roll_forward(candidate(2, comparisons=(replace(first, stored=True), *others)))
    assert rolled.baseline.commit == commit(2)
    assert rolled.notes == (f"{first.operation} could not be compared side by side: x1.0",)
