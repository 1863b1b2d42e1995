"""What a killed maker noted is undone by the next start, and nothing of one that lives."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from hologram_dagster.chaos.experiment import Leftover
from hologram_dagster.chaos.faults.owners import mark_of_this_process
from hologram_dagster.chaos.journal_file import journal_path, read_journal
from hologram_dagster.chaos.leftovers import Leftovers
from hologram_dagster.errors import FormatError, HologramError
from hologram_dagster.processes import wait_until

pytestmark = pytest.mark.phase9_chaos

_DEAD = "4194305-1"
HANG_S = 60.0


def of_the_dead(folder: Path, leftover: Leftover, name: str = "1") -> Path:
    """A note as a killed process leaves it."""
    folder.mkdir(exist_ok=True)
    note = folder / f"{_DEAD}-{name}.json"
    note.write_text(json.dumps({"kind": leftover.kind, "words": leftover.words}))
    return note


def test_files_folders_and_commands_of_the_dead_are_undone_once(tmp_path: Path) -> None:
    file, tree, told = tmp_path / "file", tmp_path / "tree", tmp_path / "told"
    file.touch()
    (tree / "below").mkdir(parents=True)
    notes = tmp_path / "notes"
    of_the_dead(notes, Leftover.path(file), "1")
    of_the_dead(notes, Leftover.path(tree), "2")
    of_the_dead(notes, Leftover.command(["sh", "-c", f"echo again >> {told}"]), "3")
    leftovers = Leftovers(notes)
    assert len(leftovers.sweep()) == 3
    assert not file.exists()
    assert not tree.exists()
    assert leftovers.sweep() == []
    assert told.read_text() == "again\n"


def test_what_the_living_noted_stays_until_they_are_done(tmp_path: Path) -> None:
    leftovers = Leftovers(tmp_path / "notes")
    (tmp_path / "file").touch()
    with leftovers.noted(Leftover.path(tmp_path / "file")):
        assert len(list(leftovers.folder.glob("*.json"))) == 1
        assert leftovers.sweep() == []
    assert (tmp_path / "file").exists()
    assert list(leftovers.folder.glob("*.json")) == []


def test_one_that_cannot_be_undone_stays_and_keeps_no_other(tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    stays = of_the_dead(notes, Leftover.command(["false"]), "1")
    (tmp_path / "file").touch()
    of_the_dead(notes, Leftover.path(tmp_path / "file"), "2")
    with pytest.raises(HologramError, match="`false` ended with status 1"):
        Leftovers(notes).sweep()
    assert not (tmp_path / "file").exists()
    assert stays.exists()


@pytest.mark.parametrize("text", ["", "[]", '{"kind": "path"}', "\x00"])
def test_a_note_that_cannot_be_read_is_named(tmp_path: Path, text: str) -> None:
    note = of_the_dead(tmp_path / "notes", Leftover.path(tmp_path))
    note.write_text(text)
    with pytest.raises(HologramError, match="remove it by hand") as refused:
        Leftovers(tmp_path / "notes").sweep()
    assert str(note) in str(refused.value)
    assert tmp_path.exists()


def test_the_journal_of_a_killed_experiment_is_concluded(tmp_path: Path) -> None:
    path = journal_path(tmp_path, "x")
    path.parent.mkdir()
    running = {
        "experiment": "x",
        "chaos_type": "y",
        "outcome": "inconclusive",
        "told": "",
        "state": "running",
        "entries": [],
        "values": {},
    }
    path.write_text(json.dumps(running))
    of_the_dead(tmp_path / "notes", Leftover.journal(path))
    Leftovers(tmp_path / "notes").sweep()
    concluded = read_journal(path)
    assert (concluded["state"], concluded["outcome"]) == ("final", "error")
    assert "killed" in concluded["told"]
    record = json.loads((tmp_path / "x.json").read_text())
    assert (record["test_name"], record["chaos_type"], record["success"]) == ("x", "y", False)


def test_a_failure_stays_one_when_its_experiment_is_killed(tmp_path: Path) -> None:
    path = journal_path(tmp_path, "x")
    path.parent.mkdir()
    entry = {"step": "recovery", "ended_s": 3.0, "status": "failed"}
    running = {
        "experiment": "x",
        "chaos_type": "y",
        "outcome": "failed",
        "told": "recovery: never",
        "state": "running",
        "entries": [entry],
        "values": {},
    }
    path.write_text(json.dumps(running))
    of_the_dead(tmp_path / "notes", Leftover.journal(path))
    Leftovers(tmp_path / "notes").sweep()
    assert (read_journal(path)["outcome"], read_journal(path)["told"]) == ("failed", "recovery: never")


@pytest.mark.parametrize("text", ["{", "[]", "{}", "\xff"])
def test_what_is_no_journal_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "journal.json"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(FormatError, match="journal"):
        read_journal(path)


_MAKER = """
import os, signal, sys
from pathlib import Path
from hologram_dagster.chaos.experiment import Leftover
from hologram_dagster.chaos.leftovers import Leftovers
leftovers = Leftovers(Path(sys.argv[1]) / "notes")
with leftovers.guarded(), leftovers.noted(Leftover.path(Path(sys.argv[1]) / "file")):
    (Path(sys.argv[1]) / "file").touch()
    if sys.argv[2] == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
"""


def test_the_guardian_of_a_killed_maker_undoes_it(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _MAKER, str(tmp_path), "killed"], check=False, timeout=HANG_S
    )
    assert done.returncode == -9
    assert wait_until(lambda: not (tmp_path / "file").exists(), timeout_s=HANG_S)
    assert wait_until(lambda: not list((tmp_path / "notes").glob("*.json")), timeout_s=HANG_S)


def test_the_guardian_of_a_maker_that_ends_leaves_all_as_it_is(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", _MAKER, str(tmp_path), "ends"], check=True, timeout=HANG_S)
    assert (tmp_path / "file").exists()


def test_a_mark_names_this_process_and_no_other() -> None:
    assert mark_of_this_process() != _DEAD
